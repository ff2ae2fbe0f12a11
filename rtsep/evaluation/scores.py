"""Score separators on songs: one row per song, estimate and stem."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from rtsep.engine.pipeline import separate_array
from rtsep.evaluation import references
from rtsep.evaluation.bsseval import median_sdr
from rtsep.evaluation.sdr import utterance_sdr
from rtsep.evaluation.songs import TrueSong
from rtsep.models.separator import Audio, Separator, WholeFileSeparator
from rtsep.stems import STEMS

AUDIBLE_ENERGY = 1e-3
"""A true stem with less energy over the song is silence, whose SDR says nothing."""

MIXTURE, ORACLE = "mixture", "ideal ratio mask"


class Score(msgspec.Struct, frozen=True):
    """How close one estimate of one stem of one song came.

    Attributes:
        song: its name.
        method: model and tier, or the name of a reference.
        stem: what was estimated.
        utterance_sdr_db: SDR over the whole song.
        bsseval_sdr_db: median of one-second BSSEval v4 SDR; None if it was not asked for.
    """

    song: str
    method: str
    stem: str
    utterance_sdr_db: float
    bsseval_sdr_db: float | None = None


@dataclass(frozen=True)
class Contestant:
    """A separator under the name that the report gives it."""

    name: str
    separator: Separator | WholeFileSeparator


@dataclass(frozen=True)
class Separation:
    """A song, separated: what plots are drawn from."""

    song: TrueSong
    method: str
    truth: dict[str, Audio]
    estimates: dict[str, Audio]


def separations(song: TrueSong, contestants: Sequence[Contestant]) -> Iterator[Separation]:
    """Separate a song by each contestant and by the references; live separators get it hop by hop, as one hears it."""
    everything = song.truth(STEMS)
    if len(everything) > 1:
        yield Separation(song, MIXTURE, everything, references.mixture(song.mix, everything))
    if set(everything) == set(STEMS):  # a mask needs all that is in the mix
        yield Separation(song, ORACLE, everything, references.ideal_ratio_mask(song.mix, everything))
    for contestant in contestants:
        names = contestant.separator.spec.stems
        truth = song.truth(names)
        stems = separate_array(song.mix, contestant.separator)
        # Truth and estimates share the order of stems; a two-stem model's second one goes by the name its truth has.
        labels = list(truth) if len(names) == 2 else list(names)
        estimates = {label: wave for label, wave in zip(labels, stems, strict=True) if label in truth}
        yield Separation(song, contestant.name, truth, estimates)


def score(separation: Separation, bsseval: bool) -> list[Score]:
    """Score every audible stem of a separation."""
    truth = {stem: wave for stem, wave in separation.truth.items() if float(np.sum(wave**2)) > AUDIBLE_ENERGY}
    medians = median_sdr(truth, separation.estimates, separation.song.rate) if bsseval else {}
    return [
        Score(
            separation.song.name,
            separation.method,
            stem,
            utterance_sdr(wave, separation.estimates[stem]),
            medians.get(stem),
        )
        for stem, wave in truth.items()
    ]


def summary(
    scores: Sequence[Score], value: Callable[[Score], float | None], over: Callable[[list[float]], float]
) -> dict[str, dict[str, float]]:
    """Summarise over songs.

    Args:
        scores: of all songs.
        value: which figure.
        over: mean or median.

    Returns:
        dB by method, then by stem; `mean` is that over the four stems and is there only if all four are.
    """
    methods: dict[str, dict[str, list[float]]] = {}
    for row in scores:
        if (number := value(row)) is not None:
            methods.setdefault(row.method, {}).setdefault(row.stem, []).append(number)
    table = {method: {stem: over(values) for stem, values in stems.items()} for method, stems in methods.items()}
    for stems in table.values():
        if set(STEMS) <= set(stems):
            stems["mean"] = float(np.mean([stems[stem] for stem in STEMS]))
    return table
