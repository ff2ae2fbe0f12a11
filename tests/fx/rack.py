"""A model with effects, without processes: what tests turn knobs on."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np

from rtsep.config import FxTable
from rtsep.fx.plan import FxPlan, make_plan
from rtsep.fx.separator import SeparatorWithEffects
from rtsep.models import registry
from rtsep.models.separator import Audio
from rtsep.realtime import layout as at

RATE = 44100


class Rack:
    """The passthrough model with a chain per stem."""

    def __init__(self, tier: str = "12ms", header: Any = None, **chains: list[dict[str, Any]]) -> None:
        inner = registry.load("passthrough", tier)
        self.inner = registry.load("passthrough", tier)
        plan = make_plan(msgspec.convert(chains, FxTable), stems=inner.spec.stems, hop=inner.spec.hop, rate=RATE)
        assert plan is not None
        self.plan: FxPlan = plan
        self.words = np.zeros(at.PARAMS, np.float32)
        self.knobs = {param.name: param for param in self.plan.params()}
        for param in self.knobs.values():
            self.words[param.word] = param.default
        self.reports: list[str] = []
        self.header = np.zeros(at.HEADER_WORDS, np.int64) if header is None else header
        self.header[at.FREEWHEEL] = 1  # a busy machine makes no effect late
        self.separator = SeparatorWithEffects(
            inner, self.plan, words=self.words, header=self.header, epoch=5, report=self.reports.append
        )
        self.state = self.separator.init_state()

    def set(self, name: str, value: float) -> None:
        self.words[self.knobs[name].word] = value

    def play(self, mix: Audio) -> dict[str, Audio]:
        """Run whole hops of `[2, frames]` through; returns `[2, frames]` per stem."""
        hop = self.separator.spec.hop
        out = [self.separator.step(mix[:, k : k + hop], self.state).copy() for k in range(0, mix.shape[1] - hop + 1, hop)]
        joined = np.concatenate(out, axis=2)
        return dict(zip(self.separator.spec.stems, joined, strict=True))


def noise(frames: int = 44032, level: float = 0.1) -> Audio:
    return (np.random.default_rng(9).standard_normal((2, frames)) * level).astype(np.float32)
