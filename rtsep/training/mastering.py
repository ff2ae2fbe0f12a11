"""What is done to the stems of a mix together: room for the kick, and one compressor over all.

Both return a gain per frame, so that stems that go through the same one still add up to the mix.
"""

from __future__ import annotations

import numpy as np
import pedalboard
from numpy.typing import NDArray

from rtsep.training.augment import Rng, Stereo
from rtsep.units import db_to_gain

GLUE_STEP = 256
"""Frames over which the level is measured for `duck` and `glue`; gains glide from one such block to the next."""


def _block_levels(x: Stereo) -> NDArray[np.float64]:
    """RMS level of each block of `GLUE_STEP` frames, both sides together."""
    padded = np.pad(x, ((0, 0), (0, -x.shape[1] % GLUE_STEP)))
    levels: NDArray[np.float64] = np.sqrt(np.mean(padded.reshape(2, -1, GLUE_STEP).astype(np.float64) ** 2, (0, 2)))
    return levels


def _follow(levels: NDArray[np.float64], attack: float, release: float) -> NDArray[np.float64]:
    """Smooth levels as a compressor does; both factors are per block, 0 follows at once."""
    followed, level = np.empty_like(levels), 0.0
    for index, now in enumerate(levels):
        level = now + (attack if now > level else release) * (level - now)
        followed[index] = level
    return followed


def _glide(gains: NDArray[np.float64], frames: int) -> NDArray[np.float32]:
    middles = (np.arange(gains.size) + 0.5) * GLUE_STEP
    return np.interp(np.arange(frames), middles, gains).astype(np.float32)


def duck(drums: Stereo, rng: Rng, rate: int) -> NDArray[np.float32]:
    """Gain `[frames]` of what makes room for every kick, by 3 dB up to silence: the pumping of dance music."""
    kick = pedalboard.LowpassFilter(120.0)(np.ascontiguousarray(drums), rate)
    levels = _follow(_block_levels(kick), 0.0, float(np.exp(-GLUE_STEP / (rate * rng.uniform(0.05, 0.25)))))
    loudest = float(np.quantile(levels, 0.98)) + 1e-6
    return _glide(1.0 - rng.uniform(0.3, 1.0) * np.clip(levels / loudest, 0.0, 1.0), drums.shape[1])


def glue(mix: Stereo, rng: Rng, rate: int) -> NDArray[np.float32]:
    """Gain `[frames]` of a compressor over the whole mix: one gain for all stems, so that they still add up."""
    second = rate / GLUE_STEP
    attack, release = np.exp(-1.0 / (second * rng.uniform(0.003, 0.05))), np.exp(-1.0 / (second * rng.uniform(0.05, 0.5)))
    levels = _follow(_block_levels(mix), float(attack), float(release))
    threshold = db_to_gain(rng.uniform(-9.0, 3.0)) * (float(np.sqrt(np.mean(mix * mix))) + 1e-6)
    slope = 1.0 - 1.0 / rng.uniform(1.5, 8.0)
    return _glide(np.maximum(levels / threshold, 1.0) ** -slope, mix.shape[1])
