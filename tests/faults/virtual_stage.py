"""A whole engine on a virtual clock: device callbacks, audio thread code, inference and its restarts, in one thread.

The device plays a signal of which every sample tells its own number, so that a sample which is lost, doubled or moved is found
wherever it is.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import cast

import numpy as np
from numpy.typing import NDArray

from rtsep.clock import VirtualClock
from rtsep.engine.restarts import RestartPolicy
from rtsep.engine.session import Engine, StreamFormat
from rtsep.engine.worker import Inference
from rtsep.models import registry
from rtsep.models.separator import Audio, Separator
from rtsep.realtime import layout as at
from rtsep.realtime.block import process
from tests.faults.fault_plan import FaultPlan, FaultySeparator, PlannedFailure

Signal = Callable[[int, int], Audio]
"""From first frame and count to `[2, count]` float32."""


def counting(first: int, count: int) -> Audio:
    """Noise by frame number (Knuth's multiplicative hash) on 24 bits, so exact in float32; no frame is like its neighbours."""
    number = np.arange(first, first + count, dtype=np.uint64)
    hashed = (number * np.uint64(2_654_435_761) & np.uint64(0xFFFFFFFF)) >> np.uint64(8)
    left = hashed.astype(np.float32) * np.float32(2**-23) - np.float32(1)
    return np.stack([left, -left])


def tone(frequency_hz: float, level: float, rate: int) -> Signal:
    """A sine on both channels."""

    def signal(first: int, count: int) -> Audio:
        t = np.arange(first, first + count) / rate
        wave = (level * np.sin(2 * np.pi * frequency_hz * t)).astype(np.float32)
        return np.stack([wave, wave])

    return signal


class Stage:
    """An engine that is played on until a moment, then looked at.

    Attributes:
        clock: virtual; starts at 0.
        engine: laid out, its own inference process never started.
        inference: the model's side, in this thread.
        restarts: how often the model was replaced after it raised.
    """

    def __init__(
        self,
        plan: FaultPlan | None = None,
        *,
        model: str = "passthrough",
        tier: str = "46ms",
        rate: int = 44_100,
        block: int = 256,
        signal: Signal = counting,
    ) -> None:
        self.plan = plan or FaultPlan()
        self.clock = VirtualClock()
        self.engine = Engine(StreamFormat(rate, block), model=model, tier=tier)
        self.header = self.engine.segment.header
        self.latency = self.engine.latency.frames
        self.hop = self.engine.spec.hop
        self.rate, self.block = rate, block
        self.restarts = 0
        self._policy = RestartPolicy()
        separator = cast(Separator, registry.load(model, tier, rate=rate))
        self.separator = FaultySeparator(separator, self.plan, self.clock)
        self._signal = signal
        self._callback = 0
        self._played: list[Audio] = []
        self._wet: list[float] = []
        self.moments_s: list[float] = []
        """Virtual time of each callback that ran."""
        self.inference = self._new_inference()
        self.clock.every(block / rate / (1 + self.plan.drift_ppm * 1e-6), self._device_cycle)

    def _new_inference(self) -> Inference:
        self.header[at.READY] = 0
        self.header[at.EPOCH] += 1
        self.separator.disarm()
        inference = Inference(self.engine.segment, self.separator, int(self.header[at.EPOCH]), self.clock)
        self.separator.arm()
        inference.announce()
        return inference

    def _device_cycle(self) -> None:
        self._callback += 1
        if self._callback - 1 in self.plan.dropped:
            self.header[at.XRUNS] += 1
            return
        mix = self._signal(int(self.header[at.IN_W]), self.block)
        outs = np.full((at.OUTPUTS, self.block), np.nan, np.float32)
        process(self.engine.context.words, np.ascontiguousarray(mix), outs, self.block)
        self._played.append(outs)
        self._wet.append(float(self.engine.context.mixer[at.M_WET]))
        self.moments_s.append(self.clock.now_ns() / 1e9)

    def play(self, seconds: float) -> None:
        """Let so much virtual time pass."""
        until_ns = self.clock.now_ns() + round(seconds * 1e9)
        while self.clock.now_ns() < until_ns:
            try:
                if self.inference.run_available(limit=1) == 0:
                    self.clock.advance_to_next()
            except PlannedFailure:
                wait_s = self._policy.wait_s(0.0, permanent=False)
                if wait_s is None:
                    self.clock.advance(until_ns - self.clock.now_ns())
                    return
                self.clock.wait(threading.Event(), round(wait_s * 1e9))
                self.restarts += 1
                self.inference = self._new_inference()

    @property
    def heard(self) -> Audio:
        """Everything that came out so far, `[OUTPUTS, frames]`."""
        return np.concatenate(self._played, axis=1)

    def expected(self) -> Audio:
        """What the mix would be without any separation: the input, later by the latency."""
        frames = sum(part.shape[1] for part in self._played)
        silence = np.zeros((at.CHANNELS, min(frames, self.latency)), np.float32)
        if frames <= self.latency:
            return silence
        return np.concatenate([silence, self._signal(0, frames - self.latency)], axis=1)

    def dry(self) -> NDArray[np.bool_]:
        """Which frames were heard dry, wholly or in part, by whole blocks."""
        return np.repeat(np.array(self._wet) < 1.0, self.block)
