"""What an engine needs to run with the effects of a rig, in one place: worker, latency, and knobs where they belong."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from rtsep.config import FxTable, Rig
from rtsep.control.params import ParamStore, add_params
from rtsep.engine.supervisor import WORKER
from rtsep.fx.mailbox import PluginStates
from rtsep.fx.plan import FxPlan, make_plan
from rtsep.fx.worker import command
from rtsep.models import registry
from rtsep.models.separator import LatencyTerm
from rtsep.realtime.segment import Segment

_RATE = 44_100
"""Hz, where no device has been asked; knobs have the same names at any rate."""


class Prepared(msgspec.Struct, frozen=True):
    """Effects that were checked and measured; `plan` is None without any."""

    plan: FxPlan | None = None

    @property
    def worker(self) -> Sequence[str]:
        """For `Engine(worker=…)`."""
        return command(self.plan) if self.plan else WORKER

    @property
    def extra_latency(self) -> tuple[LatencyTerm, ...]:
        """For `Engine(extra_latency=…)`."""
        return self.plan.latency_terms if self.plan else ()

    def set_knobs(self, store: ParamStore) -> None:
        """Make the knobs known by name and put them where the rig says."""
        params = self.plan.params() if self.plan else []
        add_params(params)
        for param in params:
            store.set(param.name, param.default)

    def states(self, segment: Segment) -> PluginStates:
        """States of the plug-ins of an engine that runs with these effects."""
        names, folder = (self.plan.state_names(), self.plan.mailbox) if self.plan else ({}, "")
        return PluginStates(names, Path(folder), segment.header)


def prepare(table: FxTable, *, model: str, tier: str, rate: int, live: bool = True) -> Prepared:
    """Check and measure the effects of a rig for a model; quick unless there are VST3 plug-ins.

    Args:
        table: `[fx]` of the rig.
        model: name, empty for the default.
        tier: name, empty for the default.
        rate: Hz of the stream.
        live: which default tier.

    Raises:
        ConfigError, ModelError, PluginError: see `make_plan`.
    """
    card, chosen = registry.find(model or None, tier or None, live=live)
    spec = registry.describe(card.name, chosen.name, rate=rate)
    return Prepared(make_plan(table, stems=spec.stems, hop=spec.hop, rate=spec.rate))


def declare_knobs(rig: Rig) -> int:
    """Check the effects of a rig and make their knobs known by name, where there is no engine to do it.

    Returns:
        How many effects there are.

    Raises:
        ConfigError, ModelError, PluginError: see `make_plan`.
    """
    plan = prepare(rig.fx, model=rig.engine.model, tier=rig.engine.tier, rate=_RATE).plan
    add_params(plan.params() if plan else [])
    return len(plan.numbered()) if plan else 0
