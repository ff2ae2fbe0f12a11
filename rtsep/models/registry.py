"""From a name to a separator.

`catalogue` and `describe` read only cards and never import torch or ONNX Runtime, so listings stay instant; `load`
imports the one module that the card names.
"""

from __future__ import annotations

import importlib
from types import ModuleType

from rtsep.errors import ModelError, WeightsError, nearest
from rtsep.models import weights
from rtsep.models.card import ModelCard, TierCard, read_cards
from rtsep.models.resampled import ResampledFile, ResampledSeparator, resampled_spec
from rtsep.models.separator import Separator, SeparatorSpec, WholeFileSeparator
from rtsep.stems import STEMS

DEFAULT_MODEL = "spleeter-2stems"
RUNTIMES = ("auto", "onnx", "torch")


def catalogue() -> list[ModelCard]:
    """Return the cards of all models, the default first."""
    return sorted(read_cards(), key=lambda card: (card.name != DEFAULT_MODEL, card.name))


def find(model: str | None = None, tier: str | None = None, *, live: bool = True) -> tuple[ModelCard, TierCard]:
    """Return the card and the tier that the names stand for.

    Args:
        model: name, or None for the default model.
        tier: name, or None for the model's default tier.
        live: which default tier: live, or for files.

    Raises:
        ModelError: there is no such model or tier.
    """
    wanted_model = model or DEFAULT_MODEL
    cards = {card.name: card for card in catalogue()}
    if wanted_model not in cards:
        raise ModelError(
            f'There is no model "{wanted_model}".{nearest(wanted_model, cards)} Models: {", ".join(cards)}. '
            "More about them: rtsep models."
        )
    card = cards[wanted_model]
    tiers = {candidate.name: candidate for candidate in card.tiers}
    wanted_tier = tier or (card.live_tier if live else card.file_tier)
    if wanted_tier not in tiers:
        raise ModelError(
            f'Model "{card.name}" has no tier "{wanted_tier}".{nearest(wanted_tier, tiers)} '
            f"Tiers: {', '.join(tiers)}. More about them: rtsep models."
        )
    return card, tiers[wanted_tier]


def describe(model: str | None = None, tier: str | None = None, *, rate: int | None = None, live: bool = True) -> SeparatorSpec:
    """Return what `load` would promise with the same arguments, without loading anything.

    Raises:
        ModelError: there is no such model or tier, or no such rate.
    """
    card, chosen = find(model, tier, live=live)
    spec: SeparatorSpec = _loader(card).describe(card, chosen)
    return resampled_spec(spec, spec.rate if rate is None else rate, whole_file=chosen.whole_file)


def load(
    model: str | None = None, tier: str | None = None, *, rate: int | None = None, runtime: str = "auto", live: bool = True
) -> Separator | WholeFileSeparator:
    """Build a separator, ready to step.

    Args:
        model: name, or None for the default model.
        tier: name, or None for the model's default tier.
        rate: Hz at which it shall take and give audio; None for the model's own rate.
        runtime: "onnx", "torch", or "auto": ONNX Runtime, unless there is a CUDA device for torch.
        live: which default tier is meant: live, or for files.

    Raises:
        ModelError: unknown model, tier or runtime, or a rate that no device has.
        WeightsError: the weights are absent or damaged.
    """
    if runtime not in RUNTIMES:
        raise ModelError(f'There is no runtime "{runtime}".{nearest(runtime, RUNTIMES)} Runtimes: {", ".join(RUNTIMES)}.')
    card, chosen = find(model, tier, live=live)
    wanted_rate = describe(model, tier, rate=rate, live=live).rate
    separator = _loader(card).build(card, chosen, runtime)
    if wanted_rate == card.rate:
        native: Separator | WholeFileSeparator = separator
        return native
    return ResampledFile(separator, wanted_rate) if chosen.whole_file else ResampledSeparator(separator, wanted_rate)


def prepare(model: str, *, progress: weights.Progress, download: bool = False, force: bool = False) -> None:
    """Make a model's weights ready, and verify them; nothing to do for weights that ship with rtsep.

    Args:
        model: name.
        progress: told what takes a while.
        download: whether they may be fetched.
        force: make them anew.

    Raises:
        ModelError: there is no such model.
        WeightsError: the weights are absent, damaged, or cannot be written.
    """
    card, _ = find(model)
    if card.package:
        _loader(card).prepare(card, progress=progress, download=download, force=force)


def verify(model: str) -> None:
    """Check all weights of a model, changing nothing.

    Args:
        model: name.

    Raises:
        ModelError: there is no such model.
        WeightsError: the weights are absent or damaged.
    """
    card, _ = find(model)
    if card.package:
        _loader(card).verify(card)
        return
    for tier in card.tiers:  # weights that ship with rtsep are checked when they are loaded
        _loader(card).build(card, tier, "onnx")


def missing(model: str) -> str:
    """Say what is not on this machine that a model needs; empty if it can start. Quick: no weights are read.

    Raises:
        ModelError: there is no such model.
    """
    card, _ = find(model)
    look = getattr(_loader(card), "missing", None)
    try:
        for tier in card.tiers:
            describe(card.name, tier.name)
        return str(look(card)) if look else ""
    except WeightsError as error:
        return str(error)


def check_stems(names: list[str], spec: SeparatorSpec) -> None:
    """Check that a separator offers every named stem.

    Raises:
        ModelError: one is unknown, or this model does not make it.
    """
    for name in names:
        if name not in spec.stems:
            why = f'Model "{spec.name}" makes no stem' if name in STEMS else "There is no stem"
            raise ModelError(f'{why} "{name}".{nearest(name, spec.stems)} Stems: {", ".join(spec.stems)}.')


def _loader(card: ModelCard) -> ModuleType:
    return importlib.import_module(card.loader)
