"""Check a rig, see it with all defaults filled in, or get its schema for an editor.

rtsep config check [RIG]    says nothing but "fine", or what is wrong, in which file and line
rtsep config show [RIG]     the whole rig as JSON, with the maps of controllers resolved
rtsep config schema         JSON Schema of rig files
"""

from __future__ import annotations

import argparse
import json

from rtsep.errors import UsageError, nearest

_WORDS = ("check", "show", "schema")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `rtsep config`."""
    parser.add_argument("what", metavar="WHAT", help=f"one of: {', '.join(_WORDS)}")
    parser.add_argument("rig", nargs="?", default="default", metavar="RIG", help="rig file, or the name of one that ships")


def run(args: argparse.Namespace) -> int:
    """Check, show or describe."""
    import msgspec

    from rtsep.config import Rig, load_rig, rig_path

    if args.what not in _WORDS:
        hint = nearest(args.what, _WORDS)
        raise UsageError(f'rtsep config does not know "{args.what}".{hint} It knows: {", ".join(_WORDS)}.')
    if args.what == "schema":
        print(json.dumps(msgspec.json.schema(Rig), indent=2))
        return 0
    path = rig_path(args.rig)
    rig = load_rig(path)
    if args.what == "show":
        print(msgspec.json.format(msgspec.json.encode(rig), indent=2).decode())
        return 0
    from rtsep.control.midi_map import check
    from rtsep.fx.prepare import declare_knobs
    from rtsep.models import registry

    registry.find(rig.engine.model or None, rig.engine.tier or None)
    effects = declare_knobs(rig)  # before the bindings, which may move them
    check(rig.midi.bind)
    print(f"{path} is fine: {len(rig.midi.bind)} MIDI bindings, {effects} effects")
    return 0
