"""Play a song with live faders: vocals away for karaoke, drums alone for practice.

The model works ahead of what is heard, so it may look into the future: quality is that of `rtsep separate`, and nothing is
delayed.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from rtsep.commands.rig_options import add_page_options, add_rig_options, page_from, rig_from, writable_rig


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `rtsep play`."""
    parser.add_argument("song", type=Path, metavar="SONG", help="WAV, FLAC, MP3, OGG, AIFF")
    add_rig_options(parser, positional=False)
    parser.add_argument("-o", "--output", metavar="NAME", help="output device: a part of its name")
    parser.add_argument("--karaoke", action="store_true", help="start with the vocals down (the rig `karaoke`)")
    add_page_options(parser)
    parser.add_argument("--seconds", type=float, help="end by itself after this time")


def run(args: argparse.Namespace) -> int:
    """Play to the end of the song, or until Ctrl-C."""
    if args.karaoke:
        args.rig = "karaoke"
    rig = rig_from(args, live=False)
    from rtsep.control.stage import choose_backend, perform

    done = perform(
        rig,
        choose_backend(rig, listen=False),
        song=args.song,
        seconds=args.seconds,
        rig_file=writable_rig(args.rig),
        page=page_from(args),
        say=lambda text: print(text, file=sys.stderr, flush=True),
    )
    now = done.status
    print(f"played {now.seconds:.1f} s, dry {now.dry_seconds:.1f} s, late hops {now.late_hops}", file=sys.stderr)
    return 0
