"""Four "stems" that are exact fractions of the mix: for tests, for set-up, to hear what the engine alone does.

½, ¼, ⅛ and ⅛ are powers of two, so each stem is exact in float32 (denormals aside). They add up to the mix bit by
bit if the smallest are added first, ((other + bass) + drums) + vocals: every partial sum is then a power of two
again, while ½ + ¼ = ¾ may need one bit more than float32 has. An optional delay makes the latency that a real model
declares visible without one.
"""

from __future__ import annotations

import msgspec
import numpy as np

from rtsep.models.card import ModelCard, TierCard
from rtsep.models.separator import Audio, LatencyTerm, SeparatorSpec, State
from rtsep.stems import STEMS

SHARES: dict[str, float] = {"vocals": 1 / 2, "drums": 1 / 4, "bass": 1 / 8, "other": 1 / 8}


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a tier of the card may say.

    Attributes:
        hop: frames per step.
        delay: frames of pure delay.
    """

    hop: int
    delay: int = 0


class Passthrough:
    """Give every stem its share of the mix, `delay` frames late."""

    def __init__(self, spec: SeparatorSpec) -> None:
        self.spec = spec
        self._shares = np.array([SHARES[stem] for stem in spec.stems], np.float32)[:, None, None]

    def init_state(self) -> State:
        """Return the delay line, `[channels, latency]` of silence."""
        return {"delay": np.zeros((self.spec.channels, self.spec.latency), np.float32)}

    def step(self, mix: Audio, state: State) -> Audio:
        """Return `[4, channels, hop]`: the delayed mix times each stem's share."""
        line = np.concatenate([state["delay"], mix], axis=1)
        state["delay"] = line[:, self.spec.hop :]
        stems: Audio = self._shares * line[:, : self.spec.hop]
        return stems


def describe(card: ModelCard, tier: TierCard) -> SeparatorSpec:
    """Return what a tier promises."""
    settings = tier.read(Settings)
    return SeparatorSpec(
        name=card.name,
        tier=tier.name,
        rate=card.rate,
        hop=settings.hop,
        stems=STEMS,
        latency_terms=(LatencyTerm("delay", settings.delay),) if settings.delay else (),
        licence=card.licence,
    )


def build(card: ModelCard, tier: TierCard, runtime: str) -> Passthrough:
    """Make the separator of a tier; there is nothing to run, so `runtime` does not matter."""
    return Passthrough(describe(card, tier))
