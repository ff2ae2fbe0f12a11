"""Chunks for the network: one piece of every lane at a time, made ahead by threads if asked.

Making a stretch is resampling and FFTs, which release the interpreter's lock, so threads are enough to keep a GPU fed and need no
copies between processes. Lanes advance one chunk at a time, whoever computes them: the sound does not depend on the workers.
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtsep.training.streams import Lane, Stretch

Piece = tuple[NDArray[np.float32], Stretch, bool]


@dataclass(frozen=True)
class Chunk:
    """A batch of consecutive pieces, one per lane; `fresh[lane]` says that the network is to forget what the lane gave before.

    stems: `[lanes, 4 or 5, 2, history + samples]`; groups, weights and power as in `Stretch`, with the lane as
    first axis.
    """

    stems: NDArray[np.float32]
    groups: NDArray[np.float32]
    weights: NDArray[np.float32]
    power: NDArray[np.float32]
    fresh: NDArray[np.bool_]


class Feed:
    """Gives chunk after chunk of its lanes."""

    def __init__(self, lanes: list[Lane], workers: int = 0) -> None:
        """Take the lanes; `workers` threads make the next chunk while this one is used (0: make it when it is asked for)."""
        self._lanes = lanes
        self.positions = [lane.position for lane in lanes]
        """Chunks of each lane that were given out; lanes themselves may be ahead."""
        self._pool = ThreadPoolExecutor(workers, "rtsep-lane") if workers else None
        self._ahead: list[Future[Piece]] = []

    def next(self) -> Chunk:
        """Advance every lane by one chunk."""
        if self._pool is None:
            pieces = [lane.next() for lane in self._lanes]
        else:
            pieces = [future.result() for future in self._ahead or self._submit(self._pool)]
            self._ahead = self._submit(self._pool)
        self.positions = [position + 1 for position in self.positions]
        return Chunk(
            np.stack([stems for stems, _, _ in pieces]),
            np.stack([stretch.groups for _, stretch, _ in pieces]),
            np.stack([stretch.weights for _, stretch, _ in pieces]),
            np.array([stretch.power for _, stretch, _ in pieces], np.float32),
            np.array([fresh for _, _, fresh in pieces]),
        )

    def _submit(self, pool: ThreadPoolExecutor) -> list[Future[Piece]]:
        return [pool.submit(lane.next) for lane in self._lanes]

    def close(self) -> None:
        """Let the threads end."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
