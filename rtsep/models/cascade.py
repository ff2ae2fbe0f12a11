"""Two separators at once: one that is good at vocals, and one that divides what it leaves into the other stems.

At the lowest latencies both hear the mix, side by side (`rtsep.models.side_by_side`). In a row they do better: the second one
hears the accompaniment that the first one gives out, hop by hop as it comes, and the latencies add up. Meanwhile the vocals wait
in a delay line. Where the second one still finds vocals, the two disagree; half of it joins the vocals and half `other`, which
costs either less than all of it would (measured on seven songs: vocals +0.2 dB, other +0.3 dB). Stems add up to the delayed
input because both stages' do.

Worked example: the first with hop 2048 and latency 1024, the second with hop 512 and latency 512. A step of 2048 frames runs the
second four times; the latency is 1536 frames, heard after 3584 = 81 ms at 44.1 kHz.
"""

from __future__ import annotations

from typing import cast

import msgspec
import numpy as np

from rtsep.errors import ConfigError
from rtsep.models import bandnet_loader, registry, spleeter
from rtsep.models.card import ModelCard, TierCard
from rtsep.models.separator import Audio, LatencyTerm, Separator, SeparatorSpec, State
from rtsep.models.side_by_side import SideBySide
from rtsep.models.spleeter_shape import HOP

KEPT = ("drums", "bass")
"""Stems taken from the second separator as they are."""

DISPUTED = 0.5
"""Share of what only the second stage takes for vocals that goes to the vocals; the rest goes to `other`."""


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a tier of the card may say.

    Attributes:
        first: model and tier of Spleeter.
        second: those of our own net.
        together: both hear the mix, on one transform (`rtsep.models.side_by_side`), instead of one after the other.
    """

    first: tuple[str, str]
    second: tuple[str, str]
    together: bool = False


class Cascade:
    """A `Separator` of vocals, drums, bass and other."""

    def __init__(self, first: Separator, second: Separator, spec: SeparatorSpec) -> None:
        """Take the stages: the first of (vocals, other), the second of all four stems."""
        self.spec = spec
        self._first, self._second = first, second
        self._vocals, self._rest = (first.spec.stems.index(stem) for stem in ("vocals", "other"))
        self._kept = [second.spec.stems.index(stem) for stem in KEPT]
        self._doubt, self._remainder = (second.spec.stems.index(stem) for stem in ("vocals", "other"))

    def init_state(self) -> State:
        """Return the states of both stages and the delay line of the vocals, all silent."""
        delay = np.zeros((self.spec.channels, self._second.spec.latency), np.float32)
        return {"first": self._first.init_state(), "second": self._second.init_state(), "vocals": delay}

    def step(self, mix: Audio, state: State) -> Audio:
        """Separate one hop, see `Separator.step`."""
        hop = self._second.spec.hop
        found = self._first.step(mix, state["first"])
        vocals = np.concatenate((state["vocals"], found[self._vocals]), 1)
        stems = np.empty((len(self.spec.stems), *mix.shape), np.float32)
        stems[0] = vocals[:, : self.spec.hop]
        state["vocals"] = vocals[:, self.spec.hop :]
        for start in range(0, self.spec.hop, hop):
            part = slice(start, start + hop)
            divided = self._second.step(np.ascontiguousarray(found[self._rest][:, part]), state["second"])
            stems[1:3, :, part] = divided[self._kept]
            returned = np.float32(DISPUTED) * divided[self._doubt]
            stems[0, :, part] += returned
            stems[3, :, part] = divided[self._remainder] + (divided[self._doubt] - returned)
        return stems


def describe(card: ModelCard, tier: TierCard) -> SeparatorSpec:
    """Return what a tier promises.

    Raises:
        ConfigError: the stages do not fit each other.
    """
    settings = tier.read(Settings)
    first, second = registry.describe(*settings.first), registry.describe(*settings.second)
    if first.rate != second.rate or first.hop % second.hop or set(first.stems) != {"vocals", "other"}:
        raise ConfigError(
            f'Tier "{tier.name}" of {card.name}: the first stage must give vocals and other, at the rate of the second '
            "and in hops that are a multiple of the second's."
        )
    if settings.together:
        if first.hop != HOP or HOP % second.hop:
            raise ConfigError(
                f'Tier "{tier.name}" of {card.name}: together, the first model runs at every transform ({HOP} frames; its hop is '
                f"{first.hop}) and the second's hop ({second.hop}) divides that. Take Spleeter's 46ms, or leave out `together`."
            )
        return _spec(card, tier, (first, second), second.hop, second.latency_terms)
    terms = [LatencyTerm(f"{stage.name}: {term.name}", term.frames) for stage in (first, second) for term in stage.latency_terms]
    return _spec(card, tier, (first, second), first.hop, tuple(terms))


def _spec(
    card: ModelCard, tier: TierCard, models: tuple[SeparatorSpec, SeparatorSpec], hop: int, terms: tuple[LatencyTerm, ...]
) -> SeparatorSpec:
    return SeparatorSpec(
        name=card.name,
        tier=tier.name,
        rate=models[0].rate,
        hop=hop,
        stems=("vocals", *KEPT, "other"),
        latency_terms=terms,
        licence=card.licence,
        weights_sha256="+".join(model.weights_sha256 for model in models),
        channels=models[0].channels,
    )


def build(card: ModelCard, tier: TierCard, runtime: str) -> Separator:
    """Load both models.

    Raises:
        WeightsError: the weights of one are absent or damaged.
    """
    settings, spec = tier.read(Settings), describe(card, tier)
    if not settings.together:
        first, second = (cast(Separator, registry.load(*stage, runtime=runtime)) for stage in (settings.first, settings.second))
        return Cascade(first, second, spec)
    net, config = bandnet_loader.open_frames(registry.find(*settings.second)[1], runtime)
    return SideBySide(spleeter.open_window(*registry.find(*settings.first), runtime), net, config, spec)


def missing(card: ModelCard) -> str:
    """Say what the stages lack; empty if they can start."""
    settings = [tier.read(Settings) for tier in card.tiers]
    stages = {model for each in settings for model, _ in (each.first, each.second)}
    return next((lack for model in sorted(stages) if (lack := registry.missing(model))), "")
