"""Measures a plug-in again for another hop or rate, after a change of tier or device while music plays.

The latency of all effects together was told to everybody at the start and stays. A plug-in that is less late now waits for the
rest in its queue:

    latency = offset + shortage  =>  shortage' = planned latency - new offset

One that is later than planned cannot be had without moving every stem; that takes a new start.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from rtsep.fx import vst3
from rtsep.fx.alignment import Alignment
from rtsep.fx.plan import EffectPlan


def refit(plan: EffectPlan, *, hop: int, rate: int, state: bytes) -> EffectPlan:
    """Plan a plug-in for another hop or rate, as late as before. Loads it in a process of its own, which takes about a second.

    Args:
        plan: made for what was before.
        hop: frames per call.
        rate: Hz.
        state: that it begins with.

    Raises:
        PluginError: it crashed or hung, or is later than planned.
    """
    info = vst3.probe(Path(plan.path), hop=hop, rate=rate, settings=plan.settings, state=state)
    before, now = plan.alignment.latency, info.alignment.latency
    if now > before:
        raise vst3.PluginError(
            f'Effect "{plan.label}" is {now} frames late at this tier and was planned for {before}. '
            "To have it, start again with this tier."
        )
    alignment = Alignment(offset=info.alignment.offset, shortage=before - info.alignment.offset)
    return msgspec.structs.replace(plan, alignment=alignment, reported_latency=info.reported_latency)
