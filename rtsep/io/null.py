"""A device without a device: blocks driven by a clock of our own, like JACK's dummy driver.

`render` pushes a whole recording through an engine block by block, as fast as the model goes and without holes (freewheel).
`NullBackend` paces silence at the stream's rate, so that `rtsep run --backend null` shows what this machine holds.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator

import numpy as np

from rtsep.clock import MONOTONIC, Clock
from rtsep.engine.session import Engine, StreamFormat
from rtsep.models.separator import Audio
from rtsep.realtime import layout as at
from rtsep.realtime.block import process


def render(engine: Engine, mix: Audio, *, block: int | None = None) -> Iterator[Audio]:
    """Play a recording through the engine and yield what comes out, `[OUTPUTS, block]` float32 each time.

    The engine's latency is not removed: as many frames come out as go in, then `latency.frames` more of the tail.

    Args:
        engine: started; freewheeling if there shall be no holes.
        mix: `[2, frames]` float32.
        block: frames per callback, by default the stream's.
    """
    n = block or engine.stream.block
    tail = engine.latency.frames
    padded = np.concatenate([mix, np.zeros((at.CHANNELS, tail + (-(mix.shape[1] + tail)) % n), np.float32)], axis=1)
    end = mix.shape[1] + tail
    outs = np.zeros((at.OUTPUTS, n), np.float32)
    for start in range(0, end, n):
        process(engine.context.words, np.ascontiguousarray(padded[:, start : start + n]), outs, n)
        yield outs[:, : min(n, end - start)].copy()


class NullBackend:
    """Silence in (or a recording again and again), nothing out, at the pace of a clock: real time unless another is given."""

    name = "null"

    def __init__(self, rate: int = 44_100, block: int = 256, clock: Clock = MONOTONIC, *, loop: Audio | None = None) -> None:
        """Take what to play.

        Args:
            rate: Hz.
            block: frames per callback.
            clock: sets the pace.
            loop: `[2, frames]` float32, at least a block; silence by default.
        """
        self._format = StreamFormat(rate, block)
        self._loop = np.zeros((at.CHANNELS, block), np.float32) if loop is None else loop
        self._clock = clock
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def open(self) -> StreamFormat:
        """Say what it runs at; never fails."""
        return self._format

    def start(self, engine: Engine) -> None:
        """Pace blocks in a thread of its own."""
        self._stop.clear()
        self._thread = threading.Thread(target=self._run, args=(engine,), name="rtsep-null", daemon=True)
        self._thread.start()

    def _run(self, engine: Engine) -> None:
        n, rate = self._format.block, self._format.rate
        turns = self._loop.shape[1] // n
        heard = [np.ascontiguousarray(self._loop[:, turn * n : (turn + 1) * n]) for turn in range(turns)]
        outs = np.zeros((at.OUTPUTS, n), np.float32)
        began_ns, blocks = self._clock.now_ns(), 0
        while not self._stop.is_set():
            process(engine.context.words, heard[blocks % turns], outs, n)
            blocks += 1
            ahead_ns = began_ns + blocks * n * 1_000_000_000 // rate - self._clock.now_ns()
            if ahead_ns > 0:
                self._clock.wait(self._stop, ahead_ns)

    def stop(self) -> None:
        """End the thread."""
        self._stop.set()
        if self._thread:
            self._thread.join()
