"""VST3 effects for stems: which there are, what one can do, and that it behaves.

A rig uses them by name or path: fx.vocals = [{ use = "ZamComp", set = { threshold_db = -24 } }]. Every plug-in is loaded in a
process of its own, so that one that crashes is only reported.
"""

from __future__ import annotations

import argparse
import sys

import msgspec


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the sub-commands of `rtsep plugins`."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="scan|info")
    scan = actions.add_parser("scan", help="load every installed VST3 effect and say which can be used")
    scan.add_argument("--json", action="store_true", help="print JSON")
    info = actions.add_parser("info", help="parameters and latency of a plug-in or of an effect that comes with rtsep")
    info.add_argument("name", help="name, or path of a .vst3")
    info.add_argument("--hop", type=int, default=1024, help="frames per call with which its latency is measured")
    info.add_argument("--rate", type=int, default=44_100, help="Hz")
    info.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Run one of the sub-commands."""
    return _scan(args.json) if args.action == "scan" else _info(args)


def _scan(as_json: bool) -> int:
    from rtsep.fx import vst3

    good, bad = [], {}
    for name, path in vst3.installed().items():
        try:
            good.append(vst3.probe(path))
        except vst3.PluginError as error:
            bad[name] = str(error)
    if as_json:
        print(msgspec.json.encode({"plugins": good, "refused": bad}).decode())
        return 0
    for info in good:
        kind = "stereo" if info.channels == 2 else "mono, once per side"
        print(f"{info.name:<24} {info.maker:<20} {kind:<20} {info.alignment.latency:>6} frames late")
    for name, why in bad.items():
        print(f"{name:<24} {why}", file=sys.stderr)
    if not good and not bad:
        where = ", ".join(map(str, vst3.folders()))
        print(f"No VST3 plug-ins in {where}. Debian has some: sudo apt install zam-plugins", file=sys.stderr)
    return 0


def _info(args: argparse.Namespace) -> int:
    from rtsep.fx import vst3
    from rtsep.fx.builtin import BUILTINS, DUCK, DUCK_KNOBS

    if args.name in BUILTINS or args.name == DUCK:
        knobs = DUCK_KNOBS if args.name == DUCK else BUILTINS[args.name].knobs
        ranges = {name: (knob.low, knob.high, knob.default) for name, knob in knobs.items()}
        if args.json:
            print(msgspec.json.encode({"name": args.name, "parameters": ranges}).decode())
            return 0
        print(f"{args.name}: comes with rtsep, no latency")
    else:
        info = vst3.probe(vst3.find(args.name), hop=args.hop, rate=args.rate)
        ranges = info.parameters
        if args.json:
            print(msgspec.json.encode(info).decode())
            return 0
        print(f"{info.name} {info.version} by {info.maker}, {info.path}")
        print(f"{info.channels} channels, {info.alignment.latency} frames late (it reports {info.reported_latency})")
    for name, (low, high, value) in ranges.items():
        print(f"  {name:<32} {low:>10g} to {high:<10g} now {value:g}")
    return 0
