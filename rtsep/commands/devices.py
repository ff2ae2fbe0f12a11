"""List audio devices, the JACK server with its ports, and MIDI ports.

  rtsep devices
  rtsep devices --json

A part of a name is enough wherever rtsep asks for a device or port.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable

import msgspec

from rtsep.io.listing import Listing, survey


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of tables")


def run(args: argparse.Namespace) -> int:
    """Print the listing; a missing system is part of it and no failure."""
    listing = survey()
    if args.json:
        print(msgspec.json.format(msgspec.json.encode(listing)).decode())
        return 0
    print("\n\n".join(_sections(listing)))
    return 0


def _sections(listing: Listing) -> Iterable[str]:
    yield _section("Audio devices", map(str, listing.audio), listing.audio_note)
    server = listing.jack
    title = f"JACK server, {server.rate} Hz, {server.block} frames per period" if server else "JACK server"
    ports = server.ports if server else ()
    yield _section(title, (f"{port.kind:<6}{port.direction:<4} {port.name}" for port in ports), listing.jack_note)
    yield _section("MIDI inputs", (f"{port.name} ({port.api})" for port in listing.midi), listing.midi_note)


def _section(title: str, rows: Iterable[str], note: str) -> str:
    return "\n  ".join([title, *rows, *([note] if note else [])])
