"""Resampling by a rational factor, with every frame's time known exactly.

Output frame m lies at input time p = m * a / b, where a / b = input rate / output rate in lowest terms. It is the
sum of the 2N input frames around p, weighed by a Kaiser-windowed sinc (Smith and Gossett 1984):

    y[m] = sum over i of x[i] * h(i - p),    i = floor(p) - N + 1 … floor(p) + N.

The fractional part of p takes only b values, so the weights are a table of b rows. Since the kernel is centred on p
there is no delay between the two time axes; a stream just cannot know y[m] before x[floor(p) + N] has come. Nothing is
rounded, so the axes never drift apart, and however the input is cut into blocks, the output is the same.

N covers `ZEROS` zero crossings of the slower rate's sinc, which cuts at 92 % of its Nyquist frequency.

Worked example: 48000 to 44100 Hz, a / b = 160 / 147, N = ceil(24 * 160 / 147) = 27 frames. Output frame 2 lies at
p = 2.177: it needs input up to frame 29, which is to wait 0.56 ms.

Unlike libsamplerate's or soxr's, the delay is an exact number that can be declared; 50 to 200 multiplications a
frame is the price.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Floats = NDArray[np.float32]

ZEROS = 24
CUTOFF = 0.92
KAISER_BETA = 9.0


def reach(from_rate: int, to_rate: int) -> int:
    """Return N, the input frames that must have come after the time of an output frame before it is known."""
    return math.ceil(ZEROS * max(1.0, from_rate / to_rate))


class Resampler:
    """A pair of rates. Keeps no signal: that is in the state."""

    def __init__(self, from_rate: int, to_rate: int) -> None:
        common = math.gcd(from_rate, to_rate)
        self.numerator, self.denominator = from_rate // common, to_rate // common
        self.reach = reach(from_rate, to_rate)
        self._weights = kernel_table(self.numerator, self.denominator, self.reach)

    def init_state(self, batch: tuple[int, ...], start: int = 0) -> dict[str, Any]:
        """Return the state before a stream whose first frame has the time `start`, with silence before that.

        Args:
            batch: axes before the last.
            start: input time of the first frame to come; output always begins with frame 0.
        """
        return {"signal": np.zeros((*batch, 2 * self.reach), np.float32), "end": start, "next": 0}

    def push(self, block: Floats, state: dict[str, Any]) -> Floats:
        """Take the next input frames and return every output frame that has become known, `[..., any number]`."""
        signal = np.concatenate([state["signal"], block], axis=-1)
        end: int = state["end"] + block.shape[-1]
        first: int = state["next"]
        # The newest known output frame m has floor(m * a / b) + N = end - 1.
        stop = max(first, ((end - self.reach) * self.denominator - 1) // self.numerator + 1)
        times = np.arange(first, stop, dtype=np.int64) * self.numerator
        output: Floats = np.zeros((*signal.shape[:-1], len(times)), np.float32)
        if len(times):
            starts = times // self.denominator - self.reach + 1 - (end - signal.shape[-1])
            pieces = sliding_window_view(signal, 2 * self.reach, axis=-1)[..., starts, :]
            np.einsum("...nt,nt->...n", pieces, self._weights[times % self.denominator], out=output)
        oldest = stop * self.numerator // self.denominator - self.reach + 1  # still needed by output frame `stop`
        state["signal"] = signal[..., min(oldest - end, 0) + signal.shape[-1] :].copy()
        state["end"], state["next"] = end, stop
        return output


@functools.lru_cache(maxsize=8)
def kernel_table(numerator: int, denominator: int, reach: int) -> Floats:
    """Return the weights `[denominator, 2 * reach]` of each fractional time; every row adds up to one."""
    cutoff = CUTOFF * min(1.0, denominator / numerator)  # of the input's Nyquist frequency
    fractions = np.arange(denominator)[:, None] / denominator
    distance = np.arange(1 - reach, reach + 1)[None, :] - fractions
    window = np.i0(KAISER_BETA * np.sqrt(np.clip(1.0 - (distance / reach) ** 2, 0.0, None)))
    kernel = np.sinc(cutoff * distance) * window
    weights: Floats = (kernel / kernel.sum(axis=1, keepdims=True)).astype(np.float32)
    return weights
