"""The audio thread's code and the model's side of the rings in one thread: a block is played, then the model computes."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from rtsep.control.params import ParamStore
from rtsep.engine.latency import live_budget
from rtsep.engine.worker import Inference
from rtsep.models.passthrough import Passthrough
from rtsep.models.separator import Audio, LatencyTerm, Separator, SeparatorSpec
from rtsep.realtime import layout as at
from rtsep.realtime.block import process
from rtsep.realtime.callbacks import SCRATCH_FLOATS
from rtsep.realtime.segment import Context, Segment
from rtsep.stems import STEMS

RATE = 44_100


def fractions(hop: int, delay: int = 0) -> Passthrough:
    """A separator into halves, quarters and eighths with any hop and delay."""
    spec = SeparatorSpec(
        name="passthrough",
        tier=f"{hop}",
        rate=RATE,
        hop=hop,
        stems=STEMS,
        latency_terms=(LatencyTerm("delay", delay),) if delay else (),
        licence="none",
    )
    return Passthrough(spec)


class Deck:
    """An engine without processes and devices.

    Attributes:
        latency: frames from input to output.
        computing: whether the model computes after each block; switch it off to make hops late.
    """

    def __init__(self, separator: Separator | None = None, *, block: int = 128) -> None:
        self.separator: Separator = separator or fractions(256)
        self.budget = live_budget(self.separator.spec, block)
        self.latency = self.budget.frames
        self.segment = Segment.create(
            rate=RATE,
            hop=self.separator.spec.hop,
            model_latency=self.separator.spec.latency,
            latency=self.latency,
            stems=self.separator.spec.stems,
        )
        self.header = self.segment.header
        self.params = ParamStore(self.segment.params)
        self.context = Context(self.segment, SCRATCH_FLOATS)
        self.header[at.EPOCH] = 1
        self.inference = Inference(self.segment, self.separator, epoch=1)
        self.inference.announce()
        self.computing = True
        self._block = block

    def play(self, mix: Audio, blocks: Iterable[int] | None = None) -> Audio:
        """Play `[2, frames]` in blocks of given lengths (the usual one by default); returns `[OUTPUTS, frames]`."""
        parts = []
        start = 0
        lengths = iter(blocks or [])
        while start < mix.shape[1]:
            n = min(next(lengths, self._block), mix.shape[1] - start)
            outs = np.full((at.OUTPUTS, n), np.nan, np.float32)
            process(self.context.words, np.ascontiguousarray(mix[:, start : start + n]), outs, n)
            parts.append(outs)
            start += n
            if self.computing:
                self.inference.run_available()
        return np.concatenate(parts, axis=1)


def noise(frames: int, seed: int = 0) -> Audio:
    """Gaussian noise at -20 dBFS, `[2, frames]`."""
    return (0.1 * np.random.default_rng(seed).standard_normal((2, frames))).astype(np.float32)


def constant(frames: int, value: float = 1.0) -> Audio:
    """The same value on both channels: every change of a gain is seen as it is."""
    return np.full((2, frames), value, np.float32)


def delayed(mix: Audio, latency: int) -> Audio:
    """`[2, frames]` as it leaves after `latency` frames of silence."""
    return np.concatenate(
        [np.zeros((2, min(latency, mix.shape[1])), np.float32), mix[:, : max(0, mix.shape[1] - latency)]], axis=1
    )
