"""Utterance SDR of validation songs while training, with the weights as they would ship."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rtsep.evaluation.sdr import utterance_sdr
from rtsep.models.bandnet import BandNet
from rtsep.stems import STEMS
from rtsep.training.corpus import Pcm, Song
from rtsep.training.separation import separate_song
from rtsep.training.stft import LowDelayStft

AUDIBLE_ENERGY = 1e-3
"""A stem with less energy over the excerpt is silence, whose SDR says nothing."""


def song_scores(model: BandNet, stft: LowDelayStft, song: Song, seconds: float, rate: int) -> dict[str, float]:
    """Utterance SDR in dB of each known, audible stem over the first `seconds` of a song."""
    truth = stem_waves(song, seconds, rate)
    estimates = separate_song(model, stft, np.sum(list(truth.values()), axis=0, dtype=np.float32))
    return {stem: utterance_sdr(truth[stem], estimates[STEMS.index(stem)]) for stem in scored_stems(song, truth)}


def stem_waves(song: Song, seconds: float, rate: int) -> dict[str, NDArray[np.float32]]:
    """The first `seconds` of each stem that a song has, `[2, frames]`."""
    frames = min(song.frames, int(seconds * rate))
    return {stem: _stereo(pcm[:frames]) for stem, pcm in song.stems.items()}


def scored_stems(song: Song, truth: dict[str, NDArray[np.float32]]) -> list[str]:
    """Names of the stems that are known for themselves and can be heard."""
    return [
        stem for stem in STEMS if stem in truth and stem not in song.merged and float(np.sum(truth[stem] ** 2)) > AUDIBLE_ENERGY
    ]


def mean_scores(scores: Sequence[dict[str, float]]) -> dict[str, float]:
    """Mean over songs per stem, and their mean as `mean`; stems that no song has are left out."""
    means = {stem: float(np.mean(values)) for stem in STEMS if (values := [row[stem] for row in scores if stem in row])}
    return means | {"mean": float(np.mean(list(means.values())))} if means else {}


def _stereo(pcm: Pcm) -> NDArray[np.float32]:
    wave = np.asarray(pcm, np.float32).T / 32768.0
    return np.repeat(wave, 2, 0) if len(wave) == 1 else wave
