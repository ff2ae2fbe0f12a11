"""Measure what this machine holds, with the real engine in real time on a device of our own.

  rtsep bench                      every live tier: hop times against their deadline, late hops, memory, start-up
  rtsep bench --model spleeter-2stems --tier 70ms --seconds 20
  rtsep bench --callbacks          our compiled callback beside a Python one while the GIL burns (needs jackd)
  rtsep bench --control            from a controller's message to the sound it changes (needs jackd)
  rtsep bench --effects            what the ready chains of effects cost; --effects RIG: what those of a rig cost

Close other programs first. Figures go to stdout, talk to stderr.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from typing import TypeVar

import msgspec

from rtsep.config import rig_path
from rtsep.errors import UsageError
from rtsep.evaluation import callbacks, control_delay, effects_cost, load, startup
from rtsep.evaluation.callbacks import MissedCycles
from rtsep.evaluation.control_delay import ControlDelay, Flood
from rtsep.evaluation.effects_cost import EffectsCost
from rtsep.evaluation.load import TierLoad
from rtsep.evaluation.machine import this_machine
from rtsep.evaluation.startup import StartUp
from rtsep.models import registry

Measured = TypeVar("Measured", TierLoad, StartUp, MissedCycles, ControlDelay, EffectsCost, Flood)
_FLOOD_PERIOD = 256


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("-m", "--model", metavar="NAME", help="only this model")
    parser.add_argument("-t", "--tier", metavar="NAME", help="only this tier (of the default model, if none is named)")
    parser.add_argument("--seconds", type=float, default=8.0, metavar="S", help="music per figure (default: 8)")
    parser.add_argument("--callbacks", action="store_true", help="missed cycles of the audio callback instead")
    parser.add_argument("--control", action="store_true", help="delay from a MIDI message to the sound instead")
    parser.add_argument("--effects", nargs="?", const="", metavar="RIG", help="cost of effects per hop instead")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of tables")


def run(args: argparse.Namespace) -> int:
    """Measure and print."""
    if args.seconds <= 0:
        raise UsageError(f"--seconds takes a positive number, not {args.seconds:g}.")
    if (args.callbacks or args.control or args.effects is not None) and (args.model or args.tier):
        raise UsageError("This is the same for every model: leave --model and --tier out here.")
    machine = this_machine()
    _say(str(machine))
    if args.callbacks:
        missed = [_tell(callbacks.compare(period, args.seconds), f"period {period}") for period in callbacks.PERIODS]
        print(_json(machine, callbacks=_with_shares(missed)) if args.json else _callback_table(missed))
        return 0
    if args.control:
        delays = [_tell(control_delay.measure(period), f"period {period}") for period in control_delay.PERIODS]
        flood = _tell(control_delay.flood(_FLOOD_PERIOD), "flood")
        print(_json(machine, control=delays, flood=[flood]) if args.json else f"{_control_table(delays)}\n{_flood_line(flood)}")
        return 0
    if args.effects is not None:
        rigs = [rig_path(args.effects)] if args.effects else effects_cost.ready_rigs()
        costs = [_tell(effects_cost.measure(rig, seconds=args.seconds), rig.stem) for rig in rigs]
        print(_json(machine, effects=costs) if args.json else _effects_table(costs))
        return 0
    tiers = _tiers(args.model, args.tier)
    loads = [_tell(load.measure(model, tier, seconds=args.seconds), f"{model} {tier}") for model, tier in tiers]
    defaults = {model: args.tier or registry.find(model)[1].name for model, _ in tiers}
    starts = {
        f"{model} {tier}": _tell(startup.measure(model, tier), f"start of {model} {tier}") for model, tier in defaults.items()
    }
    if args.json:
        print(_json(machine, tiers=[{**msgspec.to_builtins(one), "verdict": one.verdict} for one in loads], start_up=starts))
    else:
        print(f"{_load_table(loads)}\n\n{_start_table(starts)}")
    return 0


def _tiers(model: str | None, tier: str | None) -> list[tuple[str, str]]:
    if tier is None:
        return load.live_tiers(model)
    card, chosen = registry.find(model, tier)
    if chosen.whole_file:
        others = ", ".join(name for _, name in load.live_tiers(card.name))
        raise UsageError(f'Tier "{tier}" takes the whole file and has no hops. Live tiers: {others}.')
    return [(card.name, chosen.name)]


def _tell(result: Measured, what: str) -> Measured:
    _say(f"measured {what}")
    return result


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _json(machine: object, **parts: object) -> str:
    return msgspec.json.format(msgspec.json.encode({"machine": machine, **parts})).decode()


def _with_shares(missed: Iterable[MissedCycles]) -> list[dict[str, object]]:
    return [
        {**msgspec.to_builtins(one), "share": {kind: one.share(kind) for kind in callbacks.KINDS}, "ratio": one.ratio}
        for one in missed
    ]


def _load_table(loads: Sequence[TierLoad]) -> str:
    head = ("model", "tier", "latency ms", "hop ms", "deadline", "p50", "p99", "max", "RTF", "late", "audio MB", "model MB", "")
    rows = [
        (
            one.model, one.tier, f"{one.latency_ms:.0f}", f"{one.hop_ms:.1f}", f"{one.deadline_ms:.1f}", f"{one.p50_ms:.2f}",
            f"{one.p99_ms:.2f}", f"{one.max_ms:.2f}", f"{one.real_time_factor:.2f}", f"{one.late_hops}/{one.hops}",
            f"{one.audio_process_mb:.0f}", f"{one.model_process_mb:.0f}", one.verdict,
        )
        for one in loads
    ]  # fmt: skip
    return _table(head, rows)


def _start_table(starts: dict[str, StartUp]) -> str:
    head = ("start-up", "--help s", "dry sound s", "stems s")
    return _table(head, [(name, f"{one.help_s:.2f}", f"{one.dry_s:.2f}", f"{one.stems_s:.2f}") for name, one in starts.items()])


def _callback_table(missed: Sequence[MissedCycles]) -> str:
    head = ("period", "compiled missed", "Python missed", "ratio")
    return _table(
        head,
        [
            (str(one.period), *(f"{one.share(kind):.2%} of {one.cycles[kind]}" for kind in callbacks.KINDS), f"{one.ratio:.3f}")
            for one in missed
        ],
    )


def _control_table(delays: Sequence[ControlDelay]) -> str:
    head = ("period", "moves", "sound begins to change after", "new level stands after", "ms")
    rows = [
        (
            str(one.period), str(one.moves), f"{one.first[0]} to {one.first[1]} frames",
            f"{one.settled[0]} to {one.settled[1]} frames",
            f"{one.worst_ms:.1f}",
        )
        for one in delays
    ]  # fmt: skip
    return _table(head, rows)


def _effects_table(costs: Sequence[EffectsCost]) -> str:
    head = ("rig", "effects", "model", "hop ms", "p50 ms", "p99 ms", "of a core", "latency ms")
    rows = [
        (
            one.rig, str(one.effects), one.model, f"{one.hop_ms:.1f}", f"{one.p50_ms:.3f}", f"{one.p99_ms:.3f}",
            f"{one.share:.1%}", f"{one.latency_ms:.1f}",
        )
        for one in costs
    ]  # fmt: skip
    return _table(head, rows)


def _flood_line(flood: Flood) -> str:
    return (
        f"Of {flood.sent} messages within a second (period {flood.period}) {flood.applied} were taken in; "
        f"the last one's level stands after {flood.settled} frames, {flood.settled_ms:.1f} ms."
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as their widest cell; the first is text, the others are figures."""
    lines = [head, *rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join("  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]).rstrip() for line in lines)
