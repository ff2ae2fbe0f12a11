"""What the chains of effects in rigs cost per hop, without a model: noise as stems, at the hop and rate of the rig's model.

Processor time of the thread that computes is counted, which other programs hardly change.
"""

from __future__ import annotations

import time
from pathlib import Path

import msgspec
import numpy as np

from rtsep.config import FxTable, load_rig
from rtsep.errors import ConfigError, RtsepError
from rtsep.fx.plan import make_plan
from rtsep.fx.separator import SeparatorWithEffects
from rtsep.models import registry
from rtsep.models.separator import Audio, SeparatorSpec, State
from rtsep.paths import configs
from rtsep.realtime import layout as at
from rtsep.units import frames_to_ms

_WARM_UP_HOPS = 20
_LEVEL = 0.1


class EffectsCost(msgspec.Struct, frozen=True, kw_only=True):
    """Of one rig. Times in milliseconds."""

    rig: str
    effects: int
    model: str
    hop_ms: float
    latency_ms: float
    p50_ms: float
    p99_ms: float

    @property
    def share(self) -> float:
        """Of one core."""
        return self.p50_ms / self.hop_ms


class _Noise:
    """Stems that cost nothing."""

    def __init__(self, spec: SeparatorSpec) -> None:
        self.spec = spec
        shape = (len(spec.stems), spec.channels, spec.hop)
        self._stems = (np.random.default_rng(0).standard_normal(shape) * _LEVEL).astype(np.float32)

    def init_state(self) -> State:
        return {}

    def step(self, mix: Audio, state: State) -> Audio:
        return self._stems


def ready_rigs() -> list[Path]:
    """Rigs with effects that ship."""
    return [path for path in sorted((configs() / "rigs").glob("*.toml")) if load_rig(path).fx != FxTable()]


def measure(rig: Path, *, seconds: float, rate: int = 44_100) -> EffectsCost:
    """Run the effects of a rig over some seconds of stems, as fast as it goes.

    Args:
        rig: its file.
        seconds: of music.
        rate: Hz.

    Raises:
        RtsepError: the rig or one of its effects cannot be used.
    """
    wanted = load_rig(rig)
    card, tier = registry.find(wanted.engine.model or None, wanted.engine.tier or None)
    spec = registry.describe(card.name, tier.name, rate=rate)
    plan = make_plan(wanted.fx, stems=spec.stems, hop=spec.hop, rate=spec.rate)
    if plan is None:
        raise ConfigError(f"{rig.name} has no effects: give it an [fx] table, or see configs/rigs/vocal-polish.toml.")
    words = np.zeros(at.PARAMS, np.float32)
    for param in plan.params():
        words[param.word] = param.to_raw(param.default)
    header = np.zeros(at.HEADER_WORDS, np.int64)
    taken_out: list[str] = []
    rack = SeparatorWithEffects(_Noise(spec), plan, words=words, header=header, epoch=1, report=taken_out.append)
    state, mix = rack.init_state(), np.zeros((spec.channels, spec.hop), np.float32)
    taken_ns = []
    for _ in range(_WARM_UP_HOPS + max(1, round(seconds * spec.rate / spec.hop))):
        began_ns = time.thread_time_ns()
        rack.step(mix, state)
        taken_ns.append(time.thread_time_ns() - began_ns)
    if taken_out:
        raise RtsepError(taken_out[0])
    p50, p99 = np.percentile(taken_ns[_WARM_UP_HOPS:], [50, 99]) / 1e6
    return EffectsCost(
        rig=rig.stem,
        effects=len(plan.numbered()),
        model=f"{card.name} {tier.name}",
        hop_ms=frames_to_ms(spec.hop, spec.rate),
        latency_ms=frames_to_ms(plan.latency, spec.rate),
        p50_ms=float(p50),
        p99_ms=float(p99),
    )
