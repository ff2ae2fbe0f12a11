"""Time as something that is handed in: the system's monotonic clock, or a virtual one that tests and soak runs wind forward.

On a virtual clock nothing is awaited: whoever waits or computes moves the time, and everything that was due meanwhile happens
at its own moment, in order. One thread thus plays audio callback and model as if they ran side by side: while a slow step
"takes" 30 ms, the callbacks of those 30 ms run. Hours pass in seconds and every run is the same.

Wall-clock time is never used: it jumps when the system is put right, and the monotonic clock does not run while a laptop sleeps.
"""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections.abc import Callable
from typing import Protocol


class Clock(Protocol):
    """Where time comes from."""

    def now_ns(self) -> int:
        """Nanoseconds since some moment in the past; never goes back. Any thread."""
        ...

    def wait(self, event: threading.Event, limit_ns: int) -> bool:
        """Return when the event is set or the limit has passed; returns whether it is set."""
        ...


class MonotonicClock:
    """The system's monotonic clock."""

    def now_ns(self) -> int:
        """Nanoseconds since the machine was started."""
        return time.monotonic_ns()

    def wait(self, event: threading.Event, limit_ns: int) -> bool:
        """Sleep until the event is set, for the limit at the longest."""
        return event.wait(max(0, limit_ns) / 1e9)


MONOTONIC = MonotonicClock()


class VirtualClock:
    """Time that moves only when it is moved. One thread."""

    def __init__(self) -> None:
        self._now_ns = 0
        self._due: list[tuple[int, int, Callable[[], None]]] = []
        self._order = itertools.count()

    def now_ns(self) -> int:
        """Virtual nanoseconds since the clock was made."""
        return self._now_ns

    def wait(self, event: threading.Event, limit_ns: int) -> bool:
        """Let the limit pass, unless the event is set already."""
        if not event.is_set():
            self.advance(limit_ns)
        return event.is_set()

    def at(self, moment_ns: int, action: Callable[[], None]) -> None:
        """Have something happen at a moment, or at the next advance if that has passed."""
        heapq.heappush(self._due, (moment_ns, next(self._order), action))

    def every(self, period_s: float, action: Callable[[], None]) -> None:
        """Have something happen again and again, first one period from now; the rounding of a period does not add up."""
        began, count = self._now_ns, itertools.count(1)

        def plan() -> None:
            self.at(began + round(next(count) * period_s * 1e9), happen)

        def happen() -> None:
            plan()
            action()

        plan()

    def advance(self, duration_ns: int) -> None:
        """Move time forward; what is due meanwhile happens in order, each at its own moment."""
        until = self._now_ns + max(0, duration_ns)
        while self._due and self._due[0][0] <= until:
            moment, _, action = heapq.heappop(self._due)
            self._now_ns = max(self._now_ns, moment)
            action()
        self._now_ns = max(self._now_ns, until)

    def advance_to_next(self) -> None:
        """Move time to whatever is due next; nothing happens if nothing is."""
        if self._due:
            self.advance(self._due[0][0] - self._now_ns)
