"""Analysis and synthesis windows for a short-time Fourier transform that looks far back but answers soon.

Frame n of a transform with hop H ends (exclusive) at input frame (n + 1)H and covers the K frames before that.
The analysis window `a` weighs them, the synthesis window `s` weighs the inverse transform, and overlap-add
returns the input if

    sum over n of a[m + nH] * s[m + nH] = 1    for every m in 0 … H-1.                                    (1)

Nothing in (1) asks `s` to be as long as `a`. If `s` is zero except on the last Ns frames, the oldest frame that
the newest transform still touches lies Ns back, so the delay is Ns whatever K is: a long `a` buys frequency
resolution, a short `s` buys latency (Mauler and Martin 2007; Wood and Rouat 2019 for separation).

`low_delay_pair` chooses the product p = a * s first. With V = Ns - H, the overlap of neighbouring synthesis
windows, it is

    p = sin² rise over V | ones over H - V | cos² fall over V        (Ns frames, V <= H)

and (1) holds because the fall of frame n coincides with the rise of frame n + 1: cos² + sin² = 1. The analysis
window is a slow sine rise over K - V and a cosine fall over V; then s = p / a. In the fall p / a is again a
cosine, and in the rise `a` is larger than p, so s stays near 1 and never magnifies what a mask did to the spectrum.

Worked example: K = 4096, H = 1024, Ns = 2048 at 44.1 kHz. V = 1024, p is a plain Hann window over the last 2048
frames; bins are 10.8 Hz apart as in a 93 ms transform, the delay is 46 ms.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class WindowPair(NamedTuple):
    """Windows that reconstruct perfectly at `hop`.

    Attributes:
        analysis: `[K]` float32.
        synthesis: `[Ns]` float32, for the last Ns frames of the inverse transform (Ns <= K).
        hop: frames between transforms.
    """

    analysis: NDArray[np.float32]
    synthesis: NDArray[np.float32]
    hop: int

    @property
    def latency(self) -> int:
        """Offset in frames of the overlap-added output against the input: Ns - hop."""
        return len(self.synthesis) - self.hop


def low_delay_pair(length: int, hop: int, synthesis_length: int) -> WindowPair:
    """Return a long analysis window with a short synthesis window.

    Args:
        length: analysis frames K.
        hop: frames H between transforms.
        synthesis_length: frames Ns of the synthesis window, H < Ns <= 2H and Ns <= K.

    Raises:
        ValueError: the three lengths do not admit perfect reconstruction.
    """
    overlap = synthesis_length - hop
    if not (0 < overlap <= hop and synthesis_length <= length):
        need = "need hop < synthesis length <= min(2 * hop, length)"
        raise ValueError(f"{need}, got {length=} {hop=} {synthesis_length=}")
    fade_in = np.sin(0.5 * np.pi * (np.arange(overlap) + 0.5) / overlap)
    rise = length - overlap
    analysis = np.concatenate([np.sin(0.5 * np.pi * (np.arange(rise) + 0.5) / rise), fade_in[::-1]])
    product = np.concatenate([fade_in**2, np.ones(hop - overlap), fade_in[::-1] ** 2])
    synthesis = product / analysis[length - synthesis_length :]
    return WindowPair(analysis.astype(np.float32), synthesis.astype(np.float32), hop)


def hann_pair(length: int, hop: int) -> WindowPair:
    """Return a Hann analysis window with its least-squares synthesis window `a / sum of a²` (Griffin and Lim 1984).

    Args:
        length: frames K of both windows.
        hop: frames H between transforms, a divisor of K, at most K/2.

    Raises:
        ValueError: the hop does not divide the length at least twice.
    """
    if length % hop or length < 2 * hop:
        raise ValueError(f"need a hop that divides the length at least twice, got {length=} {hop=}")
    analysis = hann(length)
    energy = (analysis**2).reshape(-1, hop).sum(axis=0)
    synthesis = analysis / np.tile(energy, length // hop)
    return WindowPair(analysis.astype(np.float32), synthesis.astype(np.float32), hop)


def hann(length: int) -> NDArray[np.float64]:
    """Return the periodic Hann window of `length` frames."""
    return np.sin(np.pi * np.arange(length) / length) ** 2
