"""How late an effect is, and a queue that makes it as late as it is, always.

pedalboard gives back what an effect has ready, which need not be as much as went in: a limiter that looks ahead may keep its
first frames to itself (and is then on time) or give zeros first (and is late), depending on the block size. So both are
measured, with the very hop that will be used:

    offset    output frame k is input frame k - offset
    shortage  frames that are missing at worst, m hops fed: max over m of (m * hop - frames that came)

A queue that begins with `shortage` zeros then never runs dry, and the effect as a whole is `offset + shortage` frames late.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import numpy as np

from rtsep.models.separator import Audio

_HOPS = 24
_SURE = 0.9


class Alignment(msgspec.Struct, frozen=True):
    """Timing of an effect at one hop and rate, in frames."""

    offset: int = 0
    shortage: int = 0

    @property
    def latency(self) -> int:
        """Delay behind the queue."""
        return self.offset + self.shortage


def measure(process: Callable[[Audio], Audio], hop: int, reported: int) -> Alignment:
    """Measure an effect by sending noise through it.

    The offset is where input and output correlate best if the output is recognisably the input (correlation above 0.9, as of
    equalizers and limiters at rest); of an effect that changes too much, such as a long reverb, it is 0 or what it reports,
    whichever correlates better.

    Args:
        process: takes `[2, hop]`, returns `[2, any]`.
        hop: frames per call.
        reported: latency the effect claims.
    """
    hops = max(_HOPS, -(-(reported + 4096) // hop) + 4)
    noise = np.random.default_rng(0).standard_normal((2, hops * hop)).astype(np.float32) * np.float32(0.02)
    parts, came, shortage = [], 0, 0
    for m in range(hops):
        out = process(noise[:, m * hop : (m + 1) * hop])
        parts.append(out)
        came += out.shape[1]
        shortage = max(shortage, (m + 1) * hop - came)
    return Alignment(offset=_offset(noise[0], np.concatenate(parts, axis=1)[0], reported), shortage=shortage)


def _offset(source: Audio, out: Audio, reported: int) -> int:
    n = min(source.size, out.size)
    size = 2 * n
    spectrum = np.fft.rfft(out[:n], size) * np.conj(np.fft.rfft(source[:n], size))
    correlation = np.fft.irfft(spectrum, size)[: n // 2]
    best = int(np.argmax(np.abs(correlation)))
    shifted, original = out[best:n], source[: n - best]
    power = float(np.sqrt((shifted**2).sum() * (original**2).sum()))
    if power > 0.0 and abs(float(shifted @ original)) / power > _SURE:
        return best
    if reported < correlation.size and abs(correlation[reported]) > abs(correlation[0]):
        return reported
    return 0


class Delay:
    """A delay line of `[2, n]` blocks of any length."""

    def __init__(self, frames: int) -> None:
        self._line = np.zeros((2, frames), np.float32)

    def __call__(self, block: Audio) -> Audio:
        """Return as many frames as come, `frames` late."""
        if self._line.shape[1] == 0:
            return block
        joined = np.concatenate([self._line, block], axis=1)
        self._line = joined[:, block.shape[1] :]
        return joined[:, : block.shape[1]]


class Queue:
    """Blocks of any length in, blocks of one length out."""

    def __init__(self, alignment: Alignment) -> None:
        self._held = np.zeros((2, alignment.shortage), np.float32)

    def exchange(self, came: Audio, n: int) -> Audio | None:
        """Put in what came and take n frames, or None if there are not as many: the effect is not what was measured."""
        joined = np.concatenate([self._held, came], axis=1)
        if joined.shape[1] < n:
            return None
        self._held = joined[:, n:]
        return joined[:, :n]
