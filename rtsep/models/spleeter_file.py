"""Spleeter for a whole file: every transform is judged with its past and its future.

The nets see segments of 512 transforms (11.9 s), the length they were trained on, each starting half a segment
after the one before, so that every transform is judged twice; a triangle of weights trusts the middle of a segment
more than its ends. The last segment ends where the file does and nothing is padded there: silence after the music
would spoil the last 16 transforms. Shorter files use the longest segment that fits; under 64 transforms (1.5 s)
the file counts as a stream that has just begun. Where the vocals stand is followed from the first transform to the last, as live.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rtsep.dsp.windows import WindowPair
from rtsep.models.level import block_powers, follow, init_level
from rtsep.models.runtime import Net
from rtsep.models.separator import Audio, SeparatorSpec
from rtsep.models.spleeter_shape import BINS, FFT, HOP, STEP
from rtsep.models.spleeter_stream import CHANNELS, fill_past, magnitudes_of, masked, vocals_divider

Weights = NDArray[np.float32]
"""`[transforms]` of a segment, 0 … 1."""


class SpleeterFile:
    """A `WholeFileSeparator`."""

    def __init__(self, net: Net, pair: WindowPair, longest: int, spec: SeparatorSpec) -> None:
        """Take the parts.

        Args:
            net: magnitudes `[1, 2, n, BINS]` to vocal masks of the same shape, for any n that `STEP` divides.
            pair: Hann windows.
            longest: transforms the net sees at most.
            spec: what is promised.
        """
        self.spec = spec
        self._net = net
        self._pair = pair
        self._longest = longest

    def separate(self, mix: Audio) -> Audio:
        """Return `[stems, channels, frames]` of `mix: [channels, frames]`."""
        frames = mix.shape[1]
        count = -(-(frames + FFT - HOP) // HOP)  # transforms that touch the file; the k-th ends at (k + 1) * HOP
        padded = np.pad(mix, ((0, 0), (FFT - HOP, count * HOP - frames)))
        gain = np.float32(follow(block_powers(padded[:, FFT - HOP :]), init_level(memory=count)))
        length = max(STEP, min(self._longest, count // STEP * STEP))
        starts, weights = segments(count, length)
        masks = np.zeros((CHANNELS, count, BINS), np.float32)
        for start, weight in zip(starts, weights, strict=True):
            missing = max(0, -start)
            audio = padded[:, (start + missing) * HOP : (start + length - 1) * HOP + FFT]
            seen = np.zeros((1, CHANNELS, length, BINS), np.float32)
            seen[0, :, missing:] = magnitudes_of(audio) * gain
            fill_past(seen[0], np.arange(length) >= missing)
            masks[:, start + missing : start + length] += (self._net(seen)[0] * weight[:, None])[:, missing:]
        vocals, filtered = np.zeros_like(padded), vocals_divider()
        places = filtered.init_state()
        for start in range(0, count, length):
            stop = min(count, start + length)
            span = slice(start * HOP, (stop - 1) * HOP + FFT)
            vocals[:, span] += masked(padded[:, span], masks[:, start:stop], self._pair, filtered, places)
        stems = np.empty((len(self.spec.stems), *mix.shape), np.float32)
        stems[0] = vocals[:, FFT - HOP : FFT - HOP + frames]
        np.subtract(mix, stems[0], out=stems[1])
        return stems


def segments(count: int, length: int) -> tuple[list[int], list[Weights]]:
    """Place half-overlapping segments on a file.

    Worked example: 1000 transforms in segments of 512 start at 0, 256 and 488; transform 300 is weighed 212 : 45
    between the first two.

    Args:
        count: transforms in the file.
        length: transforms in a segment.

    Returns:
        The first transform of each segment (negative if the file is shorter than one), and for each segment
        `[length]` weights; those of one transform add up to one.
    """
    starts = [*range(0, count - length, length // 2), count - length]
    triangle = np.minimum(np.arange(length) + 1, length - np.arange(length)).astype(np.float32)
    offset = max(0, -starts[0])
    total = np.zeros(count + offset, np.float32)
    for start in starts:
        total[start + offset : start + offset + length] += triangle
    weights: list[Weights] = [(triangle / total[start + offset : start + offset + length]).astype(np.float32) for start in starts]
    return starts, weights
