"""The tones of music with drums: Fitzgerald, "Harmonic/percussive separation using median filtering", DAFx 2010.

In a magnitude spectrogram a tone is a line along time and a stroke a line across frequency. A median along either direction keeps
the lines of that direction only. Long windows first keep what is steady in time by a margin; short ones then drop what still
strikes.
"""

from __future__ import annotations

import numba
import numpy as np
from attacks import RATE, Audio, decibels, find_attacks
from numpy.typing import NDArray
from scipy import signal

TONES_S = 30.0
TONES_CUT_HZ = 220.0
TONES_LEFT_DB = -4.0
"""Passages that lose more than this on the way consist of what the filters cannot tell apart."""
TONES_AUDIBLE_DB = -30.0
"""The attack of a plucked note leaves a stroke of its own; drums that are fainter than this do no harm as a label."""
STRIKES_PER_S = 0.25
MARGIN = 2.0


@numba.njit
def median_rows(x: NDArray[np.float32], width: int) -> NDArray[np.float32]:
    """Running median over an odd `width` along each row; rows are continued by their ends. A sorted window is kept up to date."""
    half = width // 2
    out = np.empty_like(x)
    window = np.empty(width, x.dtype)
    for row in range(x.shape[0]):
        last = x.shape[1] - 1
        for k in range(width):
            window[k] = x[row, min(max(k - half - 1, 0), last)]
        window.sort()
        for column in range(x.shape[1]):
            gone, new = x[row, max(column - half - 1, 0)], x[row, min(column + half, last)]
            at = np.searchsorted(window, gone)
            while at + 1 < width and window[at + 1] < new:
                window[at] = window[at + 1]
                at += 1
            while at > 0 and window[at - 1] > new:
                window[at] = window[at - 1]
                at -= 1
            window[at] = new
            out[row, column] = window[half]
    return out


def masked(x: Audio, size: int, over_time: int, over_bins: int, *, harmonic: bool) -> Audio:
    """Keep what is steady in time by `MARGIN` (`harmonic`), or drop what is steady in frequency by `MARGIN` (otherwise).

    Both channels share the mask. `over_time` and `over_bins` are the medians' widths in transforms
    (a quarter of `size` apart) and bins.
    """
    _, _, spectrum = signal.stft(x.T, RATE, nperseg=size, noverlap=size - size // 4)
    magnitude = np.abs(spectrum).sum(0).astype(np.float32)
    steady = median_rows(magnitude, over_time) ** 2
    struck = np.ascontiguousarray(median_rows(np.ascontiguousarray(magnitude.T), over_bins).T) ** 2
    if harmonic:
        mask = steady / (steady + MARGIN**2 * struck + 1e-14)
    else:
        mask = 1.0 - struck / (struck + MARGIN**2 * steady + 1e-14)
    _, y = signal.istft(spectrum * mask, RATE, nperseg=size, noverlap=size - size // 4)
    return np.asarray(y.T[: len(x)], np.float32)


def high_passed(x: Audio, cut_hz: float) -> Audio:
    """Take out what lies below `cut_hz`, by 48 dB per octave."""
    return np.asarray(signal.sosfilt(signal.butter(8, cut_hz, "high", fs=RATE, output="sos"), x, axis=0), np.float32)


def tones_of(x: Audio) -> Audio | None:
    """Return the tones of a passage with drums, or None if drums remain audible or too little remains."""
    before = high_passed(x, TONES_CUT_HZ)
    tones = masked(before, 8192, 7, 31, harmonic=True)
    tones = high_passed(masked(tones, 1024, 17, 9, harmonic=False), TONES_CUT_HZ)
    left = decibels(float(np.mean(tones**2)) / max(float(np.mean(before**2)), 1e-12))
    attacks = find_attacks(tones, TONES_AUDIBLE_DB)
    return tones if left > TONES_LEFT_DB and attacks.strikes_per_s <= STRIKES_PER_S and attacks.sounding > 0.9 else None
