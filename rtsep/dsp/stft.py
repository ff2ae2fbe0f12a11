"""A short-time Fourier transform that runs hop by hop, forwards and back, in float32 numpy.

The two pure halves, `spectra` and `overlap_add`, know only windows. `StreamingStft` adds the two memories a
stream needs, in a plain dict: the last K - H input frames and the Ns - H output frames that later transforms will
still add to. Feeding one hop or a thousand per call gives the same numbers, because both halves treat each
transform alone.

All axes before the last are batch: channels going in, stems and channels coming out.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from rtsep.dsp.windows import WindowPair

Floats = NDArray[np.float32]
Spectra = NDArray[np.complex64]
"""`[..., transforms, K/2 + 1]` complex64."""


def spectra(signal: Floats, window: Floats, hop: int) -> Spectra:
    """Transform every whole window of a signal.

    Args:
        signal: `[..., (n - 1) * hop + K]` float32.
        window: `[K]` float32 analysis window.
        hop: frames between transforms.

    Returns:
        `[..., n, K/2 + 1]`.
    """
    windows = sliding_window_view(signal, len(window), axis=-1)[..., ::hop, :]
    return np.fft.rfft(windows * window).astype(np.complex64, copy=False)


def overlap_add(transforms: Spectra, pair: WindowPair) -> Floats:
    """Return to the time domain.

    Args:
        transforms: `[..., n, K/2 + 1]`.
        pair: the windows; only the last Ns frames of each inverse transform are made use of.

    Returns:
        `[..., (n - 1) * hop + Ns]` float32; the first and the last Ns - hop frames still lack their neighbours.
    """
    length, kept, hop = len(pair.analysis), len(pair.synthesis), pair.hop
    pieces = np.fft.irfft(transforms, length)[..., length - kept :] * pair.synthesis
    count = pieces.shape[-2]
    signal = np.zeros((*pieces.shape[:-2], (count - 1) * hop + kept), np.float32)
    for index in range(count):
        signal[..., index * hop : index * hop + kept] += pieces[..., index, :]
    return signal


class StreamingStft:
    """Analysis and synthesis of a stream; the caller changes the spectra in between.

    Unchanged spectra come back as the input delayed by `pair.latency` frames.
    """

    def __init__(self, pair: WindowPair) -> None:
        self.pair = pair
        self.bins = len(pair.analysis) // 2 + 1

    def init_state(self, inputs: tuple[int, ...], outputs: tuple[int, ...]) -> dict[str, Any]:
        """Return the memory of a stream that has heard only silence.

        Args:
            inputs: batch axes of the signal that is analysed, for example `(channels,)`.
            outputs: batch axes of the spectra that are synthesised, for example `(stems, channels)`.
        """
        return {
            "history": np.zeros((*inputs, len(self.pair.analysis) - self.pair.hop), np.float32),
            "tail": np.zeros((*outputs, self.pair.latency), np.float32),
        }

    def analyse(self, block: Floats, state: dict[str, Any]) -> Spectra:
        """Transform the next `[..., n * hop]` frames into `[..., n, bins]`; `state["history"]` moves on."""
        signal = np.concatenate([state["history"], block], axis=-1)
        state["history"][...] = signal[..., signal.shape[-1] - state["history"].shape[-1] :]
        return spectra(signal, self.pair.analysis, self.pair.hop)

    def synthesise(self, transforms: Spectra, state: dict[str, Any]) -> Floats:
        """Return the next `[..., n * hop]` finished frames of `[..., n, bins]`; `state["tail"]` moves on."""
        signal = overlap_add(transforms, self.pair)
        signal[..., : self.pair.latency] += state["tail"]
        finished = transforms.shape[-2] * self.pair.hop
        state["tail"][...] = signal[..., finished:]
        return signal[..., :finished]
