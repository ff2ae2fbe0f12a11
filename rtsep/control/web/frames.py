"""What the page is shown 30 times a second, as one binary frame: parameters, meters and a column of each spectrum.

Everything is read from the shared memory of the engine, so it makes no difference who moved a fader, and a client that misses
frames misses nothing: the next one says all. All numbers are little-endian float32 unless said otherwise, in this order:

    number of the frame
    parameters in the order of `PARAMS`, in their units
    peak of the 10 outputs and 2 inputs, linear, since the last frame
    RMS of the same, linear, over 300 ms
    true peak of the mix left and right; limiter gain; loudness momentary, short-term, integrated in LUFS
    spectra: 5 rows (input, then stems before their faders) of `BANDS` bytes, 0 … 255 for -100 … 0 dBFS
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rtsep.control.params import PARAMS, ParamStore
from rtsep.dsp.loudness import LoudnessMeter, TruePeakMeter
from rtsep.realtime import layout as at
from rtsep.realtime.segment import Segment

RATE_HZ = 30
BANDS = 96
WINDOW = 4096
_LOW_HZ, _HIGH_HZ = 40.0, 18_000.0
_FLOOR_DB = -100.0
_RMS_S = 0.3


class FrameMaker:
    """Reads a segment and makes frames. One thread, never the audio thread."""

    def __init__(self, segment: Segment) -> None:
        self._segment = segment
        self._params = ParamStore(segment.params)
        rate = int(segment.header[at.RATE])
        self._loudness, self._true_peak = LoudnessMeter(rate), TruePeakMeter(at.CHANNELS)
        self._position = int(segment.header[at.OUT_POS])
        self._number = 0
        self._power = np.zeros(at.OUTPUTS + at.CHANNELS)
        self._keep_per_frame = float(np.exp(-1.0 / (_RMS_S * rate)))
        self._window = np.hanning(WINDOW).astype(np.float32)
        edges = np.geomspace(_LOW_HZ, min(_HIGH_HZ, 0.48 * rate), BANDS + 1) * WINDOW / rate
        self._first = np.floor(edges[:-1]).astype(int)
        self._last = np.maximum(self._first + 1, np.ceil(edges[1:]).astype(int))

    def frame(self) -> bytes:
        """Make the next frame."""
        end = int(self._segment.header[at.OUT_POS])
        first = max(self._position, end - at.PLAYED // 2)
        self._position = end
        heard = np.concatenate([self._segment.played[:, np.arange(first, end) & (at.PLAYED - 1)], self._inputs(first, end)])
        self._loudness.feed(heard[: at.CHANNELS])
        self._true_peak.feed(heard[: at.CHANNELS])
        peaks = np.abs(heard).max(axis=1, initial=0.0)
        if end > first:
            keep = self._keep_per_frame ** (end - first)
            self._power = keep * self._power + (1.0 - keep) * np.mean(heard.astype(np.float64) ** 2, axis=1)
        self._number += 1
        meters = self._loudness
        numbers = [
            self._number,
            *(self._params.get(name) for name in PARAMS),
            *peaks,
            *np.sqrt(self._power),
            *self._true_peak.take(),
            float(self._segment.meters[at.LIMITER_GAIN]),
            meters.momentary,
            meters.short_term,
            meters.integrated,
        ]
        return np.array(numbers, "<f4").tobytes() + self._spectra(end).tobytes()

    def reset_loudness(self) -> None:
        """Begin a new integration."""
        self._loudness.reset()

    def _inputs(self, first: int, end: int) -> NDArray[np.float32]:
        """Newest input, as many frames as were played."""
        ring = self._segment.source
        written = int(self._segment.header[at.OUT_POS if self._segment.header[at.PLAYING] else at.IN_W])
        taken: NDArray[np.float32] = ring[:, np.arange(written - (end - first), written) & (ring.shape[1] - 1)]
        return taken

    def _spectra(self, end: int) -> NDArray[np.uint8]:
        """Band levels of input and stems at the moment that is heard, `[5, BANDS]`."""
        tau = end - int(self._segment.header[at.LATENCY])
        capacity = self._segment.source.shape[1]
        places = np.arange(tau - WINDOW, tau) & (capacity - 1)
        rows = np.concatenate([self._segment.source[:, places], self._segment.stems[:, places]])
        mono = rows.reshape(1 + at.SLOTS, at.CHANNELS, WINDOW).mean(axis=1) * self._window
        power = np.abs(np.fft.rfft(mono, axis=1)) ** 2 / (WINDOW / 4) ** 2
        sums = np.concatenate([np.zeros((len(power), 1)), np.cumsum(power, axis=1)], axis=1)
        bands = sums[:, self._last] - sums[:, self._first]
        level_db = 10.0 * np.log10(np.maximum(bands, 1e-10))
        levels: NDArray[np.uint8] = np.clip(255.0 * (1.0 - level_db / _FLOOR_DB), 0, 255).astype(np.uint8)
        return levels
