"""Levels of what was played, for everybody who shows them: the page, OSC, the terminal.

Every reader has meters of its own and reads the ring of what was played (`Segment.played`) from where it read last, so readers
neither wait for each other nor take anything away. Whoever is slower than the ring misses what was overwritten meanwhile; that
shows in the integrated loudness only. Never the audio thread.
"""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray

from rtsep.dsp.loudness import LoudnessMeter, TruePeakMeter
from rtsep.realtime import layout as at
from rtsep.realtime.segment import Segment
from rtsep.stems import STEMS

NAMES = ("mix", *STEMS)
"""Pairs of outputs in the order of their rows: pair i has rows 2 i and 2 i + 1."""

LEVELS = at.OUTPUTS + at.CHANNELS
_RMS_S = 0.3
_SETTLE = 16
"""Frames after a gap that only fill the filter of the true peak: a step that nobody heard must not count."""


class Levels(msgspec.Struct, frozen=True):
    """What the meters say. Rows are the outputs in order and then the two inputs; full scale is 1."""

    peaks: NDArray[np.float64]
    """Largest sample since the last reading, `[LEVELS]`."""
    rms: NDArray[np.float64]
    """Over 300 ms, `[LEVELS]`."""
    true_peaks: NDArray[np.float64]
    """Largest value between the samples since the last reading, `[2 pairs]`."""
    loudness: NDArray[np.float64]
    """Momentary, short-term and integrated in LUFS, `[pairs, 3]`."""
    limiter: float
    """Gain of the limiter now, 1 while it does nothing."""
    clipped: int
    """Bit c is set once output c has reached full scale."""


class Meters:
    """Reads the levels of a running engine. One thread each."""

    def __init__(self, segment: Segment, *, pairs: int = len(NAMES)) -> None:
        """Begin at what is played next.

        Args:
            segment: of the engine.
            pairs: how many of `NAMES` get a true peak and loudness, which cost more than peak and RMS.
        """
        self._segment = segment
        rate = int(segment.header[at.RATE])
        self._loudness = [LoudnessMeter(rate) for _ in range(pairs)]
        self._true_peak = TruePeakMeter(at.CHANNELS * pairs)
        self._power = np.zeros(LEVELS)
        self._begun = False
        self._keep_per_frame = float(np.exp(-1.0 / (_RMS_S * rate)))
        self.position = int(segment.header[at.OUT_POS])
        """Frames read so far."""

    def read(self) -> Levels:
        """Take in what was played since the last reading."""
        header = self._segment.header
        end = int(header[at.OUT_POS])
        first = max(self.position, end - at.PLAYED // 2)
        gap, self.position = not self._begun or first > self.position, end
        self._begun = self._begun or end > first
        heard = np.concatenate([self._segment.played[:, np.arange(first, end) & (at.PLAYED - 1)], self._inputs(first, end)])
        if end > first:
            keep = self._keep_per_frame ** (end - first)
            self._power = keep * self._power + (1.0 - keep) * np.mean(heard.astype(np.float64) ** 2, axis=1)
        for pair, meter in enumerate(self._loudness):
            meter.feed(heard[at.CHANNELS * pair : at.CHANNELS * (pair + 1)])
        between = heard[: at.CHANNELS * len(self._loudness)]
        if gap:
            self._true_peak.feed(between[:, :_SETTLE])
            self._true_peak.take()
            between = between[:, _SETTLE:]
        self._true_peak.feed(between)
        return Levels(
            peaks=np.abs(heard).max(axis=1, initial=0.0).astype(np.float64),
            rms=np.sqrt(self._power),
            true_peaks=self._true_peak.take(),
            loudness=np.array([(meter.momentary, meter.short_term, meter.integrated) for meter in self._loudness]),
            limiter=float(self._segment.meters[at.LIMITER_GAIN]),
            clipped=int(header[at.CLIPPED]),
        )

    def reset_loudness(self) -> None:
        """Begin a new integration."""
        for meter in self._loudness:
            meter.reset()

    def _inputs(self, first: int, end: int) -> NDArray[np.float32]:
        """Newest input, as many frames as were played."""
        ring = self._segment.source
        written = int(self._segment.header[at.OUT_POS if self._segment.header[at.PLAYING] else at.IN_W])
        taken: NDArray[np.float32] = ring[:, np.arange(written - (end - first), written) & (ring.shape[1] - 1)]
        return taken
