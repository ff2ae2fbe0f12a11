"""Programme loudness by ITU-R BS.1770-4 and EBU R 128, and the true peak, of a stereo stream in pieces of any size.

Each channel passes the K filter (a shelf for the head, then a high-pass), made for any sample rate from the analogue prototypes
behind the coefficients that the standard gives for 48 kHz. Mean squares are kept per 100 ms; four of them make a gating block
(400 ms, overlapping by 75 %), thirty the short term (3 s). The integrated loudness is the mean of the blocks above -70 LUFS and
then above the mean of those minus 10 LU. Blocks are kept as a histogram of 0.1 LU, so memory does not grow; the error is below
0.05 LU.

The true peak is the largest sample after four-fold oversampling by a windowed sinc of 12 taps per phase (BS.1770-4, annex 2).
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

_OFFSET_LU = -0.691
_FLOOR_LUFS, _TOP_LUFS, _PER_LU = -70.0, 10.0, 10
_PHASES, _TAPS = 4, 12
SILENT_LUFS = -120.0
"""Shown when there is nothing to speak of."""

Biquad = tuple[float, float, float, float, float]


def k_filter(rate: int) -> tuple[Biquad, Biquad]:
    """Shelf and high-pass as `(b0, b1, b2, a1, a2)` with a0 = 1."""
    gain, q = 10 ** (3.999843853973347 / 20), 0.7071752369554196
    k = math.tan(math.pi * 1681.974450955533 / rate)
    vb = gain**0.4996667741545416
    a0 = 1.0 + k / q + k * k
    shelf = (
        (gain + vb * k / q + k * k) / a0,
        2.0 * (k * k - gain) / a0,
        (gain - vb * k / q + k * k) / a0,
        2.0 * (k * k - 1.0) / a0,
        (1.0 - k / q + k * k) / a0,
    )
    q = 0.5003270373238773
    k = math.tan(math.pi * 38.13547087602444 / rate)
    a0 = 1.0 + k / q + k * k
    return shelf, (1.0, -2.0, 1.0, 2.0 * (k * k - 1.0) / a0, (1.0 - k / q + k * k) / a0)


@njit(nogil=True, cache=True)
def _filter_and_square(block, filters, state, sums, filled, period, out):  # type: ignore[no-untyped-def]
    """Filter `[2, n]`, add squares up, and put the mean square of each complete 100 ms into `out`; returns fill and count."""
    done = 0
    for k in range(block.shape[1]):
        for c in range(block.shape[0]):
            x = np.float64(block[c, k])
            for f in range(2):
                y = filters[f, 0] * x + state[c, f, 0]
                state[c, f, 0] = filters[f, 1] * x - filters[f, 3] * y + state[c, f, 1]
                state[c, f, 1] = filters[f, 2] * x - filters[f, 4] * y
                x = y
            sums[0] += x * x
        filled += 1
        if filled == period:
            out[done] = sums[0] / period
            sums[0] = 0.0
            filled = 0
            done += 1
    return filled, done


def _lufs(power: float) -> float:
    return SILENT_LUFS if power <= 1e-12 else _OFFSET_LU + 10.0 * math.log10(power)


class LoudnessMeter:
    """Momentary, short-term and integrated loudness in LUFS."""

    def __init__(self, rate: int) -> None:
        self._period = round(rate / 10)
        self._filters = np.array(k_filter(rate))
        self._state = np.zeros((2, 2, 2))
        self._sums = np.zeros(1)
        self._filled = 0
        self._recent: list[float] = []
        self._blocks = np.zeros(round((_TOP_LUFS - _FLOOR_LUFS) * _PER_LU), np.int64)
        centres = _FLOOR_LUFS + (np.arange(len(self._blocks)) + 0.5) / _PER_LU
        self._powers = 10.0 ** ((centres - _OFFSET_LU) / 10.0)

    def feed(self, block: NDArray[np.float32]) -> None:
        """Take the next `[2, frames]`, full scale ±1."""
        out = np.zeros(block.shape[1] // self._period + 1)
        self._filled, done = _filter_and_square(
            np.ascontiguousarray(block), self._filters, self._state, self._sums, self._filled, self._period, out
        )
        for power in out[:done]:
            self._recent = [*self._recent[-29:], float(power)]
            if len(self._recent) >= 4:
                level = self.momentary
                if level >= _FLOOR_LUFS:
                    self._blocks[min(len(self._blocks) - 1, int((level - _FLOOR_LUFS) * _PER_LU))] += 1

    @property
    def momentary(self) -> float:
        """Of the last 400 ms."""
        return _lufs(sum(self._recent[-4:]) / 4)

    @property
    def short_term(self) -> float:
        """Of the last 3 s."""
        return _lufs(sum(self._recent) / 30)

    @property
    def integrated(self) -> float:
        """Of everything since the start, gated."""
        total = int(self._blocks.sum())
        if total == 0:
            return SILENT_LUFS
        relative = _lufs(float(self._blocks @ self._powers) / total) - 10.0
        first = max(0, math.ceil((relative - _FLOOR_LUFS) * _PER_LU))
        kept = self._blocks[first:]
        return _lufs(float(kept @ self._powers[first:]) / int(kept.sum()))

    def reset(self) -> None:
        """Begin a new integration."""
        self._blocks[:] = 0


def _interpolator() -> NDArray[np.float64]:
    """Windowed sinc, `[phases, taps]`; each phase sums to 1."""
    n = np.arange(_PHASES * _TAPS) - (_PHASES * _TAPS - 1) / 2
    taps = np.sinc(n / _PHASES) * np.kaiser(len(n), 5.0)
    phases = taps.reshape(_TAPS, _PHASES).T
    result: NDArray[np.float64] = phases / phases.sum(axis=1, keepdims=True)
    return result


class TruePeakMeter:
    """Largest absolute value between the samples, since it was last taken."""

    def __init__(self, channels: int) -> None:
        self._taps = _interpolator()
        self._past = np.zeros((channels, _TAPS - 1), np.float32)
        self._peak = np.zeros(channels)

    def feed(self, block: NDArray[np.float32]) -> None:
        """Take the next `[channels, frames]`."""
        joined = np.concatenate([self._past, block], axis=1)
        self._past = joined[:, joined.shape[1] - (_TAPS - 1) :]
        for c, samples in enumerate(joined):
            if len(samples) >= _TAPS:
                highest = max(float(np.abs(np.convolve(samples, phase, "valid")).max()) for phase in self._taps)
                self._peak[c] = max(self._peak[c], highest)

    def take(self) -> NDArray[np.float64]:
        """Return the peaks, linear `[channels]`, and begin anew."""
        peak, self._peak = self._peak, np.zeros_like(self._peak)
        return peak
