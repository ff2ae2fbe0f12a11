"""How long an effect may take: a debt of time that grows with every slow hop and is paid off by fast ones.

    debt <- max(0, debt + time taken - SHARE * duration of the hop)

An effect that takes more than `SHARE` of the time, again and again, ends above `LIMIT_S`; one that is held up once for less
than that does not. A plug-in that takes 30 ms for hops of 11.6 ms goes after ten of them, one that needs 4 ms never.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from rtsep.clock import MONOTONIC, Clock
from rtsep.realtime import layout as at

SHARE = 0.5
LIMIT_S = 0.25


class Patience:
    """With one effect. Inference thread."""

    def __init__(self, hop_s: float, header: NDArray[np.int64], clock: Clock = MONOTONIC) -> None:
        """Nothing is owed yet.

        Args:
            hop_s: duration of a hop.
            header: of the segment; time does not count while the host waits for the model.
            clock: tells the time.
        """
        self._paid_s, self._header, self._clock = SHARE * hop_s, header, clock
        self._debt_s = 0.0

    def reset(self) -> None:
        """Forget all debts."""
        self._debt_s = 0.0

    @contextlib.contextmanager
    def measuring(self) -> Iterator[None]:
        """Count what happens inside as the work for one hop."""
        began_ns = self._clock.now_ns()
        yield
        taken_s = (self._clock.now_ns() - began_ns) / 1e9
        self._debt_s = 0.0 if self._header[at.FREEWHEEL] else max(0.0, self._debt_s + taken_s - self._paid_s)

    @property
    def exhausted(self) -> bool:
        """Whether it has taken too long for too long."""
        return self._debt_s > LIMIT_S
