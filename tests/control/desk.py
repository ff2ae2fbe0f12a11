"""A mixer without devices or model: stems are put into the rings by the test, blocks are rendered by the real compiled code."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rtsep.control.params import ParamStore
from rtsep.realtime import layout as at
from rtsep.realtime.block import process
from rtsep.realtime.segment import Context, Segment
from rtsep.stems import STEMS

RATE = 48_000
HOP = 256
BLOCK = 128
Array = NDArray[np.float32]


class Desk:
    """Stems and input that last as long as the test; every hop counts as computed."""

    def __init__(self, stems: Array, *, source: Array | None = None) -> None:
        """Lay out a segment for `stems` `[4, 2, frames]`; `source` `[2, frames]` is their sum unless given."""
        self.segment = Segment.create(rate=RATE, hop=HOP, model_latency=0, latency=0, stems=STEMS)
        self.params = ParamStore(self.segment.params)
        self.context = Context(self.segment)
        self.position = 0
        self._source = stems.sum(axis=0) if source is None else source
        frames = stems.shape[2]
        self.segment.stems[:, :frames] = stems.reshape(-1, frames)
        self.segment.header[[at.EPOCH, at.READY]] = 1
        for hop in range(at.TAGS):
            self.segment.tags[hop] = at.tag(1, hop)

    def play(self, frames: int) -> Array:
        """Render the next frames, `[OUTPUTS, frames]`, block by block; outputs are poisoned first."""
        parts = []
        while frames > 0:
            n = min(BLOCK, frames)
            outs = np.full((at.OUTPUTS, n), np.nan, np.float32)
            block = np.ascontiguousarray(self._source[:, self.position : self.position + n])
            process(self.context.words, block, outs, n)
            parts.append(outs)
            self.position += n
            frames -= n
        return np.concatenate(parts, axis=1)


def four_stems(frames: int, seed: int = 0, level: float = 0.1) -> Array:
    """Noise for every stem and channel, `[4, 2, frames]`."""
    return (level * np.random.default_rng(seed).standard_normal((len(STEMS), 2, frames))).astype(np.float32)
