"""What the page is shown 30 times a second, as one binary frame: parameters, meters and a column of each spectrum.

Everything is read from the shared memory of the engine, so it makes no difference who moved a fader, and a client that misses
frames misses nothing: the next one says all. All numbers are little-endian float32 unless said otherwise, in this order:

    number of the frame
    parameters in the order of `PARAMS`, in their units
    peak of the 10 outputs and 2 inputs, linear, since the last frame
    RMS of the same, linear, over 300 ms
    true peak of the 10 outputs, linear, since the last frame
    loudness of mix and stems, momentary, short-term and integrated each, in LUFS
    limiter gain
    spectra: 6 rows (input, stems before their faders, then the mix as it is heard) of `BANDS` bytes, 0 … 255 for -100 … 0 dBFS
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rtsep.control.meters import Meters
from rtsep.control.params import PARAMS, ParamStore
from rtsep.realtime import layout as at
from rtsep.realtime.segment import Segment

RATE_HZ = 30
BANDS = 96
WINDOW = 4096
_LOW_HZ, _HIGH_HZ = 40.0, 18_000.0
_FLOOR_DB = -100.0
ROWS = 2 + at.SLOTS


class FrameMaker:
    """Reads a segment and makes frames. One thread, never the audio thread."""

    def __init__(self, segment: Segment) -> None:
        self._segment = segment
        self._params = ParamStore(segment.params)
        rate = int(segment.header[at.RATE])
        self._meters = Meters(segment)
        self._number = 0
        self._window = np.hanning(WINDOW).astype(np.float32)
        edges = np.geomspace(_LOW_HZ, min(_HIGH_HZ, 0.48 * rate), BANDS + 1) * WINDOW / rate
        self._first = np.floor(edges[:-1]).astype(int)
        self._last = np.maximum(self._first + 1, np.ceil(edges[1:]).astype(int))

    def frame(self) -> bytes:
        """Make the next frame."""
        levels = self._meters.read()
        self._number += 1
        numbers = [
            self._number,
            *(self._params.get(name) for name in PARAMS),
            *levels.peaks,
            *levels.rms,
            *levels.true_peaks,
            *levels.loudness.ravel(),
            levels.limiter,
        ]
        return np.array(numbers, "<f4").tobytes() + self._spectra(self._meters.position).tobytes()

    def reset_loudness(self) -> None:
        """Begin a new integration."""
        self._meters.reset_loudness()

    def _spectra(self, end: int) -> NDArray[np.uint8]:
        """Band levels of input, stems and mix at the moment that is heard, `[ROWS, BANDS]`."""
        tau = end - int(self._segment.header[at.LATENCY])
        capacity = self._segment.source.shape[1]
        places = np.arange(tau - WINDOW, tau) & (capacity - 1)
        mix = self._segment.played[: at.CHANNELS, np.arange(end - WINDOW, end) & (at.PLAYED - 1)]
        rows = np.concatenate([self._segment.source[:, places], self._segment.stems[:, places], mix])
        mono = rows.reshape(ROWS, at.CHANNELS, WINDOW).mean(axis=1) * self._window
        power = np.abs(np.fft.rfft(mono, axis=1)) ** 2 / (WINDOW / 4) ** 2
        sums = np.concatenate([np.zeros((len(power), 1)), np.cumsum(power, axis=1)], axis=1)
        bands = sums[:, self._last] - sums[:, self._first]
        level_db = 10.0 * np.log10(np.maximum(bands, 1e-10))
        levels: NDArray[np.uint8] = np.clip(255.0 * (1.0 - level_db / _FLOOR_DB), 0, 255).astype(np.uint8)
        return levels
