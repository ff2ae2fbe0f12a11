"""A pretrained net that is good at vocals, and our own, which divides what it leaves into drums, bass and other.

The card says which tiers of the two play together (`configs/models/cascade.toml`); `rtsep.models.side_by_side` says how. Before,
the second net heard what the first one left, in a row. That is 0.2 dB worse at a longer latency: masks on one transform wait for
no resynthesis, and the time saved is better spent on longer windows and a look-ahead for the vocals.
"""

from __future__ import annotations

import msgspec

from rtsep.errors import ConfigError
from rtsep.models import bandnet_loader, registry, spleeter
from rtsep.models.card import ModelCard, TierCard
from rtsep.models.separator import Separator, SeparatorSpec
from rtsep.models.side_by_side import SideBySide
from rtsep.models.spleeter_shape import HOP
from rtsep.stems import STEMS


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a tier of the card may say.

    Attributes:
        first: model and tier of Spleeter; the tier says how often it runs, how far it looks ahead and, at hops like its
            own, how long the synthesis window is.
        second: those of our own net.
    """

    first: tuple[str, str]
    second: tuple[str, str]


def describe(card: ModelCard, tier: TierCard) -> SeparatorSpec:
    """Return what a tier promises.

    Raises:
        ConfigError: the two nets do not fit each other.
    """
    settings = tier.read(Settings)
    first, second = registry.describe(*settings.first), registry.describe(*settings.second)
    where = f'Tier "{tier.name}" of {card.name}'
    if first.rate != second.rate or set(first.stems) != {"vocals", "other"} or second.stems != STEMS:
        raise ConfigError(f"{where}: the first model must give vocals and other, and the second all four stems at the same rate.")
    slide = registry.find(*settings.first)[1].read(spleeter.Settings).slide
    every = slide.hop // HOP
    if second.hop != HOP if every > 1 or slide.lookahead else HOP % second.hop:
        raise ConfigError(
            f"{where}: hops of {second.hop} frames do not fit beside {every} masks of Spleeter per run; "
            f"{HOP} do, or a part of it beside one mask without look-ahead."
        )
    return SeparatorSpec(
        name=card.name,
        tier=tier.name,
        rate=second.rate,
        hop=second.hop * every,
        stems=STEMS,
        latency_terms=first.latency_terms if second.hop == HOP else second.latency_terms,
        licence=card.licence,
        weights_sha256=f"{first.weights_sha256}+{second.weights_sha256}",
        channels=second.channels,
    )


def build(card: ModelCard, tier: TierCard, runtime: str) -> Separator:
    """Load both models.

    Raises:
        WeightsError: the weights of one are absent or damaged.
    """
    settings, spec = tier.read(Settings), describe(card, tier)
    window = spleeter.open_window(*registry.find(*settings.first), runtime)
    net, config = bandnet_loader.open_frames(registry.find(*settings.second)[1], runtime)
    return SideBySide(window, net, config, spec)


def missing(card: ModelCard) -> str:
    """Say what the models lack; empty if they can start."""
    settings = [tier.read(Settings) for tier in card.tiers]
    models = {model for each in settings for model, _ in (each.first, each.second)}
    return next((lack for model in sorted(models) if (lack := registry.missing(model))), "")
