"""Work for the rtsep plug-ins in DAWs: one model per plug-in instance, until Ctrl-C.

Plug-ins start it by themselves when none runs; start it by hand to choose the model and to see what happens. One bridge serves
all plug-ins of a user, in any number of DAWs. Without it plug-ins pass their input on with the same delay.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys

import msgspec

from rtsep.commands.rig_options import with_choice
from rtsep.config import load_rig, rig_path

_INHERITED = 4096


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `rtsep bridge`."""
    parser.add_argument("rig", nargs="?", default="default", metavar="RIG", help="rig file or name: its [engine] and [fx] count")
    parser.add_argument("-m", "--model", metavar="NAME", help="model for plug-ins that ask for none (rtsep models)")
    parser.add_argument("-t", "--tier", metavar="NAME", help="trade-off of latency and quality (rtsep models)")
    parser.add_argument("--runtime", choices=("auto", "onnx", "torch"), help="what computes the model")
    parser.add_argument("--on-demand", action="store_true", help="end when the last plug-in has gone (plug-ins start it so)")


def run(args: argparse.Namespace) -> int:
    """Serve plug-ins until stopped."""
    if args.on_demand:
        os.closerange(3, _INHERITED)  # what the DAW had open is not ours to keep open
    given = {name: getattr(args, name) for name in ("model", "tier", "runtime") if getattr(args, name)}
    rig = load_rig(rig_path(args.rig))
    rig = msgspec.structs.replace(rig, engine=with_choice(msgspec.structs.replace(rig.engine, **given)))
    from rtsep.io.bridge_service import IDLE_S, BridgeService

    service = BridgeService(rig, lambda text: print(text, file=sys.stderr, flush=True))
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: service.stop())
    print(f"Waiting for plug-ins at {service.place}.", file=sys.stderr, flush=True)
    service.serve(idle_s=IDLE_S if args.on_demand else None)
    return 0
