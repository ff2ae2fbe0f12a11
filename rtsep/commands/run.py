"""Separate live: audio from a device, JACK or a DAW comes in, mix and stems go out, faders move by MIDI, until Ctrl-C.

Dry sound is there at once; stems join when the model is loaded. If the model is late, the dry mix is heard, in time, instead
of a gap. If the engine itself dies, it is started again with its model, faders and JACK connections as they were.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import msgspec

from rtsep.commands.rig_options import add_page_options, add_rig_options, page_from, rig_from, writable_rig
from rtsep.engine.guardian import Life, is_possible, keep_alive


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `rtsep run`."""
    add_rig_options(parser)
    parser.add_argument("-i", "--input", metavar="NAME", help="input device: a part of its name (rtsep devices)")
    parser.add_argument("-o", "--output", metavar="NAME", help="output device: a part of its name")
    parser.add_argument("--connect", action="store_true", help="JACK: connect to the system's ports")
    parser.add_argument("--record", type=Path, metavar="DIR", help="record mix, stems and input into a new folder in DIR")
    parser.add_argument(
        "--record-format",
        choices=("wav", "float", "flac"),
        default="wav",
        help="24-bit WAV (default), 32-bit float WAV, or 24-bit FLAC",
    )
    parser.add_argument("--resume", action="store_true", help="begin with the faders where the last performance left them")
    add_page_options(parser)
    parser.add_argument(
        "--on-overload",
        choices=("dry", "grow", "tier"),
        help="when the model is late again and again: leave it dry, give it more latency, or change to a cheaper tier"
        " (default: what rtsep doctor chose, else dry)",
    )
    parser.add_argument("--seconds", type=float, help="end by itself after this time; then it is not started again if it dies")
    parser.add_argument(
        "--no-restart",
        dest="restart",
        action="store_false",
        help="do not start again when the engine dies (Linux: a small parent process waits for that, and tries up to five times)",
    )


def run(args: argparse.Namespace) -> int:
    """Perform until Ctrl-C, in a process that is started again if it dies; then print what happened."""
    if args.restart and args.seconds is None and is_possible():
        return keep_alive(lambda life: _perform(args, life), tell=_say)
    return _perform(args)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _perform(args: argparse.Namespace, life: Life | None = None) -> int:
    rig = rig_from(args)
    from rtsep.control.stage import choose_backend, perform
    from rtsep.io.jack_client import JackBackend

    if life:  # what was found the first time, even if it is not there again yet
        audio = msgspec.structs.replace(rig.audio, backend=life.recall("backend", rig.audio.backend))
        rig = msgspec.structs.replace(rig, audio=audio)
    backend = choose_backend(rig)
    if life:
        life.keep("backend", backend.name)
        if isinstance(backend, JackBackend):
            backend.inherit(life)
    done = perform(
        rig,
        backend,
        seconds=args.seconds,
        record=(args.record, args.record_format) if args.record else None,
        rig_file=writable_rig(args.rig),
        page=page_from(args),
        resume=args.resume,
        life=life,
        say=_say,
    )
    now = done.status
    hops = f"p50 {now.hop_p50_ms:.1f}, p99 {now.hop_p99_ms:.1f}, max {now.hop_max_ms:.1f} of {now.hop_ms:.1f} ms"
    losses = f"late {now.late_hops}, dry {now.dry_seconds:.1f} s, xruns {now.xruns}, model restarts {now.restarts}"
    print(f"{now.seconds:.1f} s, {now.hops} hops ({hops}), {losses}", file=sys.stderr)
    return 0
