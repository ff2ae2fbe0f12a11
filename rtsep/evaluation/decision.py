"""From figures to a choice: which tier, computed by what, and what to do when it is late. Pure: takes figures, measures nothing.

* Tier: the model's own default if it holds. If not, more latency buys less load, so the next slower tier that holds is taken,
  and a faster one only if there is none.
* Way (runtime and threads): ONNX Runtime on one thread, or torch where there is CUDA, unless another way makes a tier hold that
  does not, or takes less than two thirds of the time. A second thread must earn its place, as it waits for whatever else runs.
* Overload: a tier that needs at most half of the time is late only when others are in the way, which one more hop of latency
  bridges (`grow`). One that needs more gives way to a cheaper tier if one holds (`tier`). Else nothing helps, and it is left
  `dry`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from rtsep.evaluation.load import TierLoad

_WORTH = 2 / 3
_HALF = 0.5


def best_tier(default: str, loads: Sequence[TierLoad]) -> TierLoad | None:
    """The tier to use.

    Args:
        default: the model's own choice.
        loads: of one model, lowest latency first.

    Returns:
        Its figures, or None if no tier holds.
    """
    names = [load.tier for load in loads]
    start = names.index(default) if default in names else 0
    order = [*range(start, len(loads)), *range(start - 1, -1, -1)]
    return next((loads[i] for i in order if loads[i].verdict == "holds"), None)


def best_way(usual: TierLoad, others: Sequence[TierLoad]) -> TierLoad:
    """The runtime and number of threads for a tier.

    Args:
        usual: the tier, computed as usual.
        others: the same tier, computed in other ways.
    """
    best = min((load for load in others if load.verdict == "holds"), key=lambda load: load.p99_ms, default=usual)
    return best if usual.verdict != "holds" or best.p99_ms < _WORTH * usual.p99_ms else usual


def when_late(chosen: TierLoad, loads: Sequence[TierLoad]) -> Literal["dry", "grow", "tier"]:
    """What to do when the tier is late again and again.

    Args:
        chosen: the tier in use.
        loads: of its model, lowest latency first.
    """
    if chosen.real_time_factor <= _HALF:
        return "grow"
    slower = loads[[load.tier for load in loads].index(chosen.tier) + 1 :]
    cheaper = any(load.verdict == "holds" and load.real_time_factor < chosen.real_time_factor for load in slower)
    return "tier" if cheaper else "dry"
