"""Where the delay from input to output comes from, frame by frame, and what a loop says to it.

rtsep latency                         what this rig promises, each term explained
rtsep latency --through rtsep         a running `rtsep run` under JACK, measured and compared with what it reports
rtsep latency --loop -i usb -o usb    an interface with a cable from output 1 to input 1: what converters and driver add
"""

from __future__ import annotations

import argparse
import sys

from rtsep.commands.rig_options import add_rig_options, rig_from
from rtsep.errors import UsageError

EXPLANATIONS = {
    "hop to fill": "the model works on whole hops: the first frame of one waits for its last. Shorter with a faster tier (-t).",
    "time to compute": "the model's deadline, one hop, plus the block where blocks do not fit into hops.",
    "time in reserve": "given to a model that was late, or kept so that the latency did not change under way.",
    "filling the model's hop": "hops at the device's rate and at the model's do not end together: one waits for the other.",
    "resampling": "the device runs at another rate than the model. None if the device is set to the model's rate.",
}
_MODEL = "needed by the model itself: its window, look-ahead or transform."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_rig_options(parser)
    parser.add_argument("--block", type=int, default=256, metavar="FRAMES", help="frames per callback (default: 256)")
    parser.add_argument("--rate", type=int, metavar="HZ", help="rate of the device (default: the model's own)")
    parser.add_argument("--loop", action="store_true", help="measure a cable from output to input")
    parser.add_argument("--through", metavar="CLIENT", help="measure a running rtsep under JACK, by its client name")
    parser.add_argument("-i", "--input", default="", metavar="NAME", help="input device for --loop")
    parser.add_argument("-o", "--output", default="", metavar="NAME", help="output device for --loop")


def run(args: argparse.Namespace) -> int:
    """Print the budget, then what was measured if anything was asked to be."""
    if args.block < 1:
        raise UsageError(f"--block takes frames from 1 to 8192, not {args.block}.")
    if args.loop:
        return _measure_devices(args)
    if args.through:
        return _measure_client(args.through)
    return _print_budget(args)


def _print_budget(args: argparse.Namespace) -> int:
    from rtsep.engine.latency import live_budget
    from rtsep.models import registry
    from rtsep.units import frames_to_ms

    rig = rig_from(args)
    spec = registry.describe(rig.engine.model or None, rig.engine.tier or None, rate=args.rate)
    budget = live_budget(spec, args.block)
    print(f"{spec.name} {spec.tier} at {spec.rate} Hz, hop {spec.hop}, {args.block} frames per callback")
    for term in budget.terms:
        why = next((text for name, text in EXPLANATIONS.items() if name in term.name), _MODEL)
        print(f"{term.name:<22}{term.frames:>7} frames {frames_to_ms(term.frames, budget.rate):>7.1f} ms  {why}")
    print(f"{'input to output':<22}{budget.frames:>7} frames {frames_to_ms(budget.frames, budget.rate):>7.1f} ms")
    print("An interface adds its own on top; measure it with: rtsep latency --loop", file=sys.stderr)
    return 0


def _measure_devices(args: argparse.Namespace) -> int:
    from rtsep.io.loop import through_devices
    from rtsep.units import frames_to_ms

    print("Playing noise at -12 dBFS for 5 s. Turn loudspeakers down.", file=sys.stderr)
    loop = through_devices(args.input, args.output, rate=args.rate)
    print(f"converter, driver and cable: {loop.frames} frames, {frames_to_ms(loop.frames, loop.rate):.2f} ms at {loop.rate} Hz")
    print(f"level {loop.level_db:.1f} dB, {loop.margin_db:.0f} dB above everything else that was heard", file=sys.stderr)
    return 0


def _measure_client(client: str) -> int:
    from rtsep.io.loop import reported_to_jack, through_jack
    from rtsep.units import frames_to_ms

    loop = through_jack(f"{client}:mix_1", f"{client}:in_1")
    reported = reported_to_jack(f"{client}:in_1", f"{client}:mix_1")
    print(f"measured {loop.frames} frames, {frames_to_ms(loop.frames, loop.rate):.2f} ms at {loop.rate} Hz")
    print(f"reported {reported} frames to JACK")
    print(f"level {loop.level_db:.1f} dB, {loop.margin_db:.0f} dB above everything else that was heard", file=sys.stderr)
    return 0 if loop.frames == reported else 1
