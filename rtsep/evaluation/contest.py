"""Who takes part in an evaluation, and on which songs."""

from __future__ import annotations

from collections.abc import Sequence

from rtsep.errors import UsageError, WeightsError
from rtsep.evaluation.scores import Contestant
from rtsep.models import registry
from rtsep.training.corpus import SongFiles

ANCHOR = ("spleeter-2stems", "offline")
"""A published separator on whole files, beside which every score stands."""


def enter(names: Sequence[str], runtime: str, *, live: bool, spleeter: bool) -> list[Contestant]:
    """Load the contestants.

    Args:
        names: `NAME` or `NAME:TIER`; empty for the default model.
        runtime: "auto", "onnx" or "torch".
        live: whether a missing tier means the live one.
        spleeter: add Spleeter on the whole file, unless its weights are not on this machine.

    Raises:
        ModelError: an unknown model or tier.
        WeightsError: a named model's weights are absent.
    """
    entries = []
    for name in names or [registry.DEFAULT_MODEL]:
        model, _, tier = name.partition(":")
        card, chosen = registry.find(model, tier or None, live=live)
        entries.append((card.name, chosen.name))
    made = [Contestant(f"{model}:{tier}", registry.load(model, tier, runtime=runtime)) for model, tier in entries]
    if spleeter and ANCHOR not in entries:
        try:
            made.append(Contestant(":".join(ANCHOR), registry.load(*ANCHOR, runtime=runtime)))
        except WeightsError:
            return made
    return made


def common_rate(contestants: Sequence[Contestant]) -> int:
    """Return the rate in Hz at which all contestants work.

    Raises:
        UsageError: they differ, so that their scores would not compare.
    """
    rates = {contestant.separator.spec.rate for contestant in contestants}
    if len(rates) != 1:
        listed = ", ".join(map(str, sorted(rates)))
        raise UsageError(f"These models work at different rates ({listed} Hz); score them one by one.")
    return rates.pop()


def usual_split(songs: Sequence[SongFiles]) -> str | None:
    """Return the split one scores on: test, else valid, else everything."""
    splits = {song.split for song in songs}
    return next((split for split in ("test", "valid") if split in splits), None)
