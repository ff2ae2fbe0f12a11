"""Analysis of a spoken clip: WORLD's frames (Morise, Yokomori & Ozawa 2016) and where its vowels lie."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyworld
from numpy.typing import NDArray
from scipy import ndimage, signal
from speech import RATE, Mono

FRAME_S = 0.005
LOWEST_HZ, HIGHEST_HZ = 65.0, 600.0
VOWEL_DROP_DB = 5.0
"""The core of a vowel, which singing stretches, ends where the level has fallen by this much."""


@dataclass
class Spoken:
    """A clip and its frames, one per `FRAME_S`.

    f0: Hz, 0 where unvoiced. level_db: of 0.3 to 3.5 kHz. cores: first and last frame of every vowel's core, in order.
    """

    wave: Mono
    f0: Mono
    level_db: Mono
    cores: list[tuple[int, int]]


def analyse(x: Mono) -> Spoken:
    """Find pitch and vowels of a clean clip."""
    f0, times = pyworld.dio(x, RATE, f0_floor=LOWEST_HZ, f0_ceil=HIGHEST_HZ, frame_period=1000.0 * FRAME_S, speed=3)
    f0 = pyworld.stonemask(x, f0, times, RATE)
    voiced = f0 > 0.0
    f0 = np.where(voiced, ndimage.median_filter(f0, 5), 0.0)
    # Errors by an octave: anything far from the clip's median is folded back.
    if voiced.any():
        middle = np.median(f0[voiced])
        f0 = np.where(f0 > 1.75 * middle, f0 / 2.0, np.where((f0 < 0.57 * middle) & voiced, 2.0 * f0, f0))
    band = signal.sosfilt(signal.butter(2, (300.0, 3500.0), "band", fs=RATE, output="sos"), x)
    power = ndimage.uniform_filter1d(band * band, int(0.02 * RATE))
    level_db = 10.0 * np.log10(power[np.minimum((times * RATE).astype(int), len(x) - 1)] + 1e-9)
    return Spoken(x, f0, level_db, _cores(f0, level_db))


def _cores(f0: Mono, level_db: Mono) -> list[tuple[int, int]]:
    smooth = ndimage.gaussian_filter1d(level_db, 3.0)
    loudness = np.where(f0 > 0.0, smooth, smooth - 20.0)
    peaks, _ = signal.find_peaks(loudness, distance=int(0.11 / FRAME_S), prominence=2.0, height=float(loudness.max()) - 22.0)
    cores: list[tuple[int, int]] = []
    for peak in peaks:
        inside = (loudness > loudness[peak] - VOWEL_DROP_DB) & (f0 > 0.0)
        outside = np.flatnonzero(~inside)
        first = int(outside[outside < peak].max(initial=-1)) + 1
        last = int(outside[outside > peak].min(initial=len(f0))) - 1
        if cores:
            first = max(first, cores[-1][1] + 4)
        if last - first >= 5 and f0[peak] > 0.0:
            cores.append((first, last))
    return cores


def envelopes(spoken: Spoken) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Spectral envelope (CheapTrick) and aperiodicity (D4C) of the clip: two arrays `[frames, bins]`."""
    times = np.arange(len(spoken.f0)) * FRAME_S
    size = pyworld.get_cheaptrick_fft_size(RATE, LOWEST_HZ)
    envelope = pyworld.cheaptrick(spoken.wave, spoken.f0, times, RATE, fft_size=size)
    aperiodicity = pyworld.d4c(spoken.wave, spoken.f0, times, RATE, fft_size=size)
    return envelope, aperiodicity
