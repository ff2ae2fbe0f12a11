"""A multichannel Wiener filter: masks say how much of a bin is a stem's, places in the stereo field say which part of it.

A mask divides both channels of a bin by one number each. Where the voice stands in the middle and guitars at the sides, the two
channels together know more: with a spatial covariance R_s per stem (2 x 2, trace one) and shares w_s that add up to one, stem s
of the bin x is w_s R_s (sum of w R)^-1 x (Duong, Vincent and Gribonval, "Under-determined reverberant audio source separation
using a full-rank spatial covariance model", IEEE TASLP 2010). The stems add up to x whatever the covariances are.

Offline the covariances are fitted to the whole song. Here they are followed: each bin of each stem averages what the masks gave
it over the last `MEMORY_S`, the more the surer a mask was, and neighbouring bins are pooled, as an instrument seldom stands at
one place with one overtone and elsewhere with the next. `FLOOR` keeps the filter close to the masks where places tell little.

What it gains is in `tools/training/README.md`.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numba import njit
from numpy.typing import NDArray

from rtsep.dsp.stft import Spectra

CHANNELS = 2

MEMORY_S = 10.0
"""Time constant of the averages."""

FLOOR = np.float32(0.1)
"""Added to both diagonal elements of every covariance: some of each stem may come from anywhere."""

POOLED = 0.06
"""Bins on either side that are averaged, as a part of the bin's number; at least one."""

ZERO, HALF, ONE, INFINITE = (np.float32(value) for value in (0.0, 0.5, 1.0, np.inf))
FAINTEST = np.float32(1e-25)
"""Averages below are nothing, so that no memory becomes a denormal number, which processors are slow at."""


@njit(nogil=True, error_model="numpy", cache=True)
def _learn(masks, spectrum, covariances, keep):  # type: ignore[no-untyped-def]
    """Move the averages on. Silence teaches nothing, and broken input would be remembered for ever."""
    for s in range(masks.shape[0]):
        for f in range(masks.shape[2]):
            x0, x1 = spectrum[0, f], spectrum[1, f]
            p0, p1 = x0.real * x0.real + x0.imag * x0.imag, x1.real * x1.real + x1.imag * x1.imag
            if not ZERO < p0 + p1 < INFINITE:
                continue
            a, b = masks[s, 0, f] * masks[s, 0, f], masks[s, 1, f] * masks[s, 1, f]
            cross = x0 * x1.conjugate()
            _follow(covariances, s, 0, f, a * a * p0, keep)
            _follow(covariances, s, 1, f, b * b * p1, keep)
            _follow(covariances, s, 2, f, a * b * cross.real, keep)
            _follow(covariances, s, 3, f, a * b * cross.imag, keep)


@njit(nogil=True, error_model="numpy", inline="always")
def _follow(covariances, s, k, f, new, keep):  # type: ignore[no-untyped-def]
    average = new + keep * (covariances[s, k, f] - new)
    covariances[s, k, f] = average if abs(average) > FAINTEST else ZERO


@njit(nogil=True, error_model="numpy", cache=True)
def _pool(covariances, firsts, lasts, sums, places):  # type: ignore[no-untyped-def]
    """Average over neighbouring bins, to a trace of one, and add the floor. What was never heard may stand anywhere."""
    bins = covariances.shape[2]
    for s in range(covariances.shape[0]):
        for f in range(bins):
            for k in range(4):
                sums[f + 1, k] = sums[f, k] + covariances[s, k, f]
        for f in range(bins):
            first, last = firsts[f], lasts[f]
            trace = np.float32(sums[last, 0] - sums[first, 0] + sums[last, 1] - sums[first, 1])
            known, floor = (ONE / trace, FLOOR) if trace > FAINTEST else (ZERO, FLOOR + HALF)
            for k in range(4):
                places[s, k, f] = known * np.float32(sums[last, k] - sums[first, k]) + (floor if k < 2 else ZERO)


@njit(nogil=True, error_model="numpy", cache=True)
def _divide(masks, spectrum, places, stems):  # type: ignore[no-untyped-def]
    """Filter every bin by the shares of the masks and the places of the stems."""
    count = masks.shape[0]
    for f in range(masks.shape[2]):
        x0, x1 = spectrum[0, f], spectrum[1, f]
        p0, p1 = x0.real * x0.real + x0.imag * x0.imag, x1.real * x1.real + x1.imag * x1.imag
        left, right, real, imag, power = ZERO, ZERO, ZERO, ZERO, ZERO
        for s in range(count):
            share = masks[s, 0, f] * p0 + masks[s, 1, f] * p1
            power += share
            left += share * places[s, 0, f]
            right += share * places[s, 1, f]
            real += share * places[s, 2, f]
            imag += share * places[s, 3, f]
        if not FAINTEST < power < INFINITE:
            for s in range(count):
                stems[s, 0, f], stems[s, 1, f] = masks[s, 0, f] * x0, masks[s, 1, f] * x1
            continue
        scale = ONE / power
        left, right, real, imag = scale * left, scale * right, scale * real, scale * imag
        scale /= left * right - real * real - imag * imag
        middle = np.complex64(complex(real, imag))
        y0, y1 = scale * (right * x0 - middle * x1), scale * (left * x1 - middle.conjugate() * x0)
        for s in range(count):
            share = masks[s, 0, f] * p0 + masks[s, 1, f] * p1
            r = np.complex64(complex(places[s, 2, f], places[s, 3, f]))
            stems[s, 0, f] = share * (places[s, 0, f] * y0 + r * y1)
            stems[s, 1, f] = share * (r.conjugate() * y0 + places[s, 1, f] * y1)


def keep(hop: int, rate: int) -> np.float32:
    """What an average keeps of itself over a hop."""
    return np.float32(np.exp(-hop / (rate * MEMORY_S)))


def pooled(bins: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First bin that each bin is averaged with, and the one after the last."""
    numbers = np.arange(bins)
    width = 1 + (POOLED * numbers).astype(np.int64)
    return np.maximum(numbers - width, 0), np.minimum(numbers + width + 1, bins)


class Divider(Protocol):
    """Turns masks of spectra into stems, transform by transform."""

    def init_state(self) -> dict[str, Any]:
        """Return the memory of a stream that has heard only silence."""
        ...

    def split(self, masks: NDArray[np.float32], spectrum: Spectra, state: dict[str, Any]) -> Spectra:
        """Divide one transform.

        Args:
            masks: `[stems, channels, bins]` float32, 0 … 1, adding up to one in every bin.
            spectrum: `[channels, bins]` complex64. Bins that are not finite are masked and not learnt from.
            state: from `init_state`, updated in place.

        Returns:
            `[stems, channels, bins]` complex64, adding up to `spectrum`.
        """
        ...


def divider(stems: int, channels: int, bins: int, hop: int, rate: int) -> Divider:
    """Return what suits the number of channels: places are known of two."""
    return SpatialWiener(stems, bins, hop, rate) if channels == CHANNELS else Masking()


class Masking:
    """A `Divider` that multiplies."""

    def init_state(self) -> dict[str, Any]:
        """Return nothing: it remembers nothing."""
        return {}

    def split(self, masks: NDArray[np.float32], spectrum: Spectra, state: dict[str, Any]) -> Spectra:
        """Divide one transform, see `Divider.split`."""
        del state
        return masks * spectrum


class SpatialWiener:
    """A `Divider` for stereo."""

    def __init__(self, stems: int, bins: int, hop: int, rate: int) -> None:
        """Take what it works on; compiles the filter, so that no hop waits for that."""
        self._stems, self._bins = stems, bins
        self._keep = keep(hop, rate)
        self._firsts, self._lasts = pooled(bins)
        self._sums, self._places = np.zeros((bins + 1, 4)), np.zeros((stems, 4, bins), np.float32)
        self.split(np.zeros((stems, CHANNELS, bins), np.float32), np.zeros((CHANNELS, bins), np.complex64), self.init_state())

    def init_state(self) -> dict[str, Any]:
        """Return the memory of a stream that has heard only silence."""
        return {"covariances": np.zeros((self._stems, 4, self._bins), np.float32)}

    def split(self, masks: NDArray[np.float32], spectrum: Spectra, state: dict[str, Any]) -> Spectra:
        """Divide one transform, see `Divider.split`.

        `state["covariances"]`, `[stems, 4, bins]`, moves on: left, right, real and imaginary part of left times the conjugate of
        right.
        """
        masks, spectrum = np.ascontiguousarray(masks, np.float32), np.ascontiguousarray(spectrum, np.complex64)
        stems = np.empty((self._stems, *spectrum.shape), np.complex64)
        _learn(masks, spectrum, state["covariances"], self._keep)
        _pool(state["covariances"], self._firsts, self._lasts, self._sums, self._places)
        _divide(masks, spectrum, self._places, stems)
        return stems
