"""The self-benchmark: what this machine should use, measured with the real engine in real time.

First every live tier of the default model, computed as usual. Then, for its default tier, the other ways of computing it: a
second thread, and the other runtime. If no tier of the default model holds, the other models are tried in turn. Each run also
watches how late threads wake up beside the model, which says how short the device's period may be.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rtsep.errors import RtsepError
from rtsep.evaluation import choice, decision
from rtsep.evaluation.choice import Choice
from rtsep.evaluation.findings import Finding, Status, fail, ok, warn
from rtsep.evaluation.load import TierLoad, live_tiers, measure
from rtsep.evaluation.machine import cores
from rtsep.evaluation.wakes import shortest_period
from rtsep.io.listing import jack_server
from rtsep.models import registry, runtime

SECONDS = 3.0
"""Music per tier; enough to tell a tier that holds from one that does not."""

_WHEN_LATE = {
    "dry": "dry while it is late",
    "grow": "more latency if it is late again and again",
    "tier": "a cheaper tier if it is late again and again",
}

_STATUS: dict[str, Status] = {"holds": "ok", "tight": "warn", "too slow": "warn"}


def other_ways(usual: str) -> list[tuple[str, int]]:
    """Runtimes and threads to try beside the usual runtime on one thread."""
    second = [(usual, 2)] if cores() > 1 and not (usual == "torch" and runtime.cuda_devices()) else []
    return [*second, *((name, 1) for name in ("onnx", "torch") if name != usual)]


def benchmark() -> Iterator[Finding | Choice]:
    """Measure; yields a line per measurement, then the choice if anything holds, and what it means.

    Ends early, with a failure, if the default model does not start.
    """
    usual = runtime.choose("auto")
    for model in _models():
        loads: list[TierLoad] = []
        card, default = registry.find(model)
        try:
            for _, tier in live_tiers(model):
                loads.append(measure(model, tier, seconds=SECONDS, runtime=usual))
                yield finding(loads[-1])
            ways = []
            for name, threads in other_ways(usual):
                ways.append(measure(model, default.name, seconds=SECONDS, runtime=name, threads=threads))
                yield finding(ways[-1])
        except RtsepError as error:
            if model != registry.DEFAULT_MODEL:
                continue
            yield fail(f"{model}", str(error))
            return
        chosen = choose(default.name, loads, ways, rate=card.rate)
        if chosen:
            yield chosen
            return
    card, _ = registry.find()
    text = f"no tier of {card.name} holds on this machine as busy as it is now"
    yield warn("Use", text, "Close other programs and try again; files still work: rtsep separate SONG")


def _models() -> list[str]:
    """The default model, then those whose weights are here; not the one that only passes sound through."""
    names = [card.name for card in registry.catalogue() if not registry.missing(card.name)]
    return [registry.DEFAULT_MODEL, *(name for name in names if name not in (registry.DEFAULT_MODEL, "passthrough"))]


def choose(default: str, loads: Sequence[TierLoad], ways: Sequence[TierLoad], *, rate: int) -> Choice | None:
    """Make a choice of what was measured of one model.

    Args:
        default: its own tier for live use.
        loads: its tiers, lowest latency first, computed as usual.
        ways: the default tier, computed in other ways.
        rate: Hz it works at.

    Returns:
        The choice, or None if nothing holds.
    """
    as_usual = next(load for load in loads if load.tier == default)
    best = decision.best_way(as_usual, ways)
    if best.verdict != "holds":
        slower = decision.best_tier(default, loads)
        if slower is None:
            return None
        best = slower
    late_ms = max(load.wake_late_ms for load in (*loads, *ways))
    return Choice(
        model=best.model,
        tier=best.tier,
        runtime="torch" if best.runtime == "torch" else "onnx",
        threads=best.threads,
        on_overload=decision.when_late(best, loads),
        rate=rate,
        period=shortest_period(late_ms, rate),
        measured_on=choice.circumstances(best.model),
    )


def finding(load: TierLoad) -> Finding:
    """A measured tier as a line."""
    text = (
        f"{load.verdict}: hop p50 {load.p50_ms:.1f}, p99 {load.p99_ms:.1f} of {load.deadline_ms:.0f} ms, "
        f"late {load.late_hops} of {load.hops}, {load.latency_ms:.0f} ms from input to output; {way(load.runtime, load.threads)}"
    )
    return Finding(f"{load.model} {load.tier}", _STATUS[load.verdict], text)


def way(name: str, threads: int) -> str:
    """A runtime and its threads in words."""
    if name == "torch" and runtime.cuda_devices():
        return "torch on CUDA"
    return f"{name} on {threads} thread{'s' if threads > 1 else ''}"


def advice(chosen: Choice) -> Iterator[Finding]:
    """The lines that end a check-up: what was chosen, and how to set the device."""
    by_hand = (
        f"rtsep run --model {chosen.model} --tier {chosen.tier} --runtime {chosen.runtime} --threads {chosen.threads} "
        f"--on-overload {chosen.on_overload}"
    )
    text = f"{chosen.model} {chosen.tier}, {way(chosen.runtime, chosen.threads)}, {_WHEN_LATE[chosen.on_overload]}"
    yield Finding("Use", "ok", f"{text}: from now on the default of rtsep run, play and demo ({choice.path()})", by_hand)
    device = f"{chosen.period} frames at {chosen.rate} Hz, the model's own rate"
    server, _ = jack_server()
    if server is None:
        yield Finding("JACK period", "ok", device, f"jackd -d alsa -r {chosen.rate} -p {chosen.period}")
    elif server.rate != chosen.rate:
        why = f"{device}; the server runs at {server.rate} Hz, and resampling costs a hop of latency"
        yield warn("JACK period", why, f"Start it again: jackd -d alsa -r {chosen.rate} -p {chosen.period}")
    elif server.block < chosen.period:
        why = f"{device}; the server's {server.block} are shorter than this machine wakes up for in time"
        yield warn("JACK period", why, f"jack_bufsize {chosen.period}")
    else:
        yield ok("JACK period", f"{device}; the server runs at {server.block}")
    force = "pw-metadata -n settings 0 clock.force-"
    yield Finding("PipeWire quantum", "ok", device, f"{force}quantum {chosen.period}; {force}rate {chosen.rate}")
