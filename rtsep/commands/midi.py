"""See what controllers send, and bind them to faders.

rtsep midi ports                           ports that are there
rtsep midi monitor [PORT]                  what they send, until Ctrl-C
rtsep midi learn stem.vocals.gain_db --rig my-rig.toml
                                           hear a control moved, say what it seems to be, write it into the rig
rtsep midi maps                            controllers with a ready map:  [midi]  maps = ["nanokontrol2"]
"""

from __future__ import annotations

import argparse
import json
import queue
import sys
import time
from pathlib import Path

from rtsep import paths
from rtsep.errors import ConfigError, DeviceError, UsageError, nearest

_WORDS = ("ports", "monitor", "learn", "maps")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `rtsep midi`."""
    parser.add_argument("what", nargs="?", default="ports", metavar="WHAT", help=f"one of: {', '.join(_WORDS)}")
    parser.add_argument("name", nargs="?", metavar="NAME", help="monitor: a part of a port's name; learn: a parameter")
    parser.add_argument("--port", metavar="NAME", help="learn: a part of a port's name (default: every port)")
    parser.add_argument("--rig", type=Path, metavar="FILE", help="learn: the rig file to write into; it is made if there is none")
    parser.add_argument("--seconds", type=float, help="end by itself after this time")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """List, show or learn."""
    if args.what not in _WORDS:
        raise UsageError(f'rtsep midi does not know "{args.what}".{nearest(args.what, _WORDS)} It knows: {", ".join(_WORDS)}.')
    if args.what == "maps":
        names = sorted(path.stem for path in (paths.configs() / "midi").glob("*.toml"))
        print(json.dumps(names) if args.json else "\n".join(names))
        return 0
    if args.what == "ports":
        return _ports(as_json=args.json)
    return _monitor(args) if args.what == "monitor" else _learn(args)


def _ports(*, as_json: bool) -> int:
    from rtsep.io.midi_ports import input_ports

    ports, missing = input_ports()
    if as_json:
        print(json.dumps([{"api": port.api, "name": port.name} for port in ports]))
    for port in ports if not as_json else ():
        print(f"{port.api:<10} {port.name}")
    if missing:
        print(missing, file=sys.stderr)
    elif not ports:
        print("No MIDI port is there. Plug a controller in and ask again.", file=sys.stderr)
    return 0


def _monitor(args: argparse.Namespace) -> int:
    from rtsep.control.learn import describe
    from rtsep.io.midi_ports import MidiEars

    heard: queue.SimpleQueue[tuple[str, tuple[int, int, int]]] = queue.SimpleQueue()
    with MidiEars(args.name or "*", lambda port, message: heard.put((port, message))) as ears:
        if not ears.names:
            raise DeviceError(f"{ears.missing or 'No MIDI port matches.'} List them: rtsep midi ports")
        print(f"Listening to {', '.join(ears.names)}. Ctrl-C ends.", file=sys.stderr)
        until = time.monotonic() + args.seconds if args.seconds else float("inf")
        while time.monotonic() < until:
            try:
                port, message = heard.get(timeout=0.1)
            except queue.Empty:
                continue
            said = {"port": port, "bytes": message}
            print(json.dumps(said) if args.json else f"{port:<28.28} {describe(message)}", flush=True)
    return 0


def _learn(args: argparse.Namespace) -> int:
    import tomlkit.exceptions

    from rtsep.config import load_rig
    from rtsep.control.learn import Learner, describe, write_binding
    from rtsep.fx.prepare import declare_knobs
    from rtsep.io.midi_ports import MidiEars

    if not args.name:
        raise UsageError("Say what shall be moved: rtsep midi learn stem.vocals.gain_db --rig my-rig.toml")
    if not args.rig:
        raise UsageError("Say where to write it: --rig my-rig.toml (a new file is made).")
    if args.name.startswith("fx.") and args.rig.exists():
        declare_knobs(load_rig(args.rig))
    learner = Learner(args.name)
    heard: queue.SimpleQueue[tuple[int, int, int]] = queue.SimpleQueue()
    with MidiEars(args.port or "*", lambda _port, message: heard.put(message)) as ears:
        if not ears.names:
            raise DeviceError(f"{ears.missing or 'No MIDI port matches.'} List them: rtsep midi ports")
        print(f"Move the control for {args.name} now: all the way, then press Ctrl-C to give up.", file=sys.stderr)
        until = time.monotonic() + args.seconds if args.seconds else float("inf")
        found = None
        while found is None and time.monotonic() < until:
            time.sleep(0.05)
            new = [heard.get() for _ in range(heard.qsize())]
            for message in new:
                print(f"  {describe(message)}", file=sys.stderr)
            found = learner.hear(new, time.monotonic())
    if found is None:
        raise DeviceError("Nothing was heard that could be bound.")
    binding, kind = found
    try:
        write_binding(args.rig, binding)
    except (OSError, UnicodeDecodeError, tomlkit.exceptions.TOMLKitError) as error:
        raise ConfigError(f"{args.rig} cannot be changed: {error}.") from error
    when = binding.when
    print(f"{binding.to} = {kind}: {when.type} {when.number}, channel {when.channel}, written to {args.rig}")
    return 0
