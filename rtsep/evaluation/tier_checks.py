"""Which tier this machine should use: each live tier is run for a moment, in real time, and judged by its deadlines.

The model's default tier is the advice if it holds. If not, more latency buys less load, so the next slower tier that holds is
taken, and a faster one only if there is none.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rtsep.errors import RtsepError
from rtsep.evaluation.findings import Finding, Status, fail, ok, warn
from rtsep.evaluation.load import TierLoad, live_tiers, measure
from rtsep.models import registry

SECONDS = 3.0
"""Music per tier; enough to tell a tier that holds from one that does not."""

_STATUS: dict[str, Status] = {"holds": "ok", "tight": "warn", "too slow": "warn"}


def benchmark() -> Iterator[Finding | TierLoad]:
    """Measure the live tiers of the default model one after the other; ends early, with a failure, if it does not start."""
    for model, tier in live_tiers(registry.find()[0].name):
        try:
            load = measure(model, tier, seconds=SECONDS)
        except RtsepError as error:
            yield fail(f"{model} {tier}", str(error))
            return
        yield load


def finding(load: TierLoad) -> Finding:
    """A measured tier as a line."""
    text = (
        f"{load.verdict}: hop p50 {load.p50_ms:.1f}, p99 {load.p99_ms:.1f} of {load.deadline_ms:.0f} ms, "
        f"late {load.late_hops} of {load.hops}, {load.latency_ms:.0f} ms from input to output"
    )
    return Finding(f"{load.model} {load.tier}", _STATUS[load.verdict], text)


def recommend(default: str, loads: Sequence[TierLoad]) -> str | None:
    """The tier to use.

    Args:
        default: the model's own choice.
        loads: lowest latency first.

    Returns:
        Its name, or None if no tier holds.
    """
    names = [load.tier for load in loads]
    start = names.index(default) if default in names else 0
    order = [*range(start, len(loads)), *range(start - 1, -1, -1)]
    return next((loads[i].tier for i in order if loads[i].verdict == "holds"), None)


def advice(loads: Sequence[TierLoad]) -> Finding:
    """The line that ends a check-up."""
    card, tier = registry.find()
    chosen = recommend(tier.name, loads)
    if chosen is None:
        text = f"no tier of {card.name} holds on this machine as busy as it is now"
        return warn("Use", text, "Close other programs and try again; files still work: rtsep separate SONG")
    return ok("Use", f"rtsep run --model {card.name} --tier {chosen}")
