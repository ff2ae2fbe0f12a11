"""How late this machine wakes a thread that asked for a moment: what decides how short the device's period may be.

A thread like that of an audio device sleeps from one moment to the next on the monotonic clock, with real-time priority if it is
granted, while the model computes beside it. A period is short enough for the machine if hardly a wake-up is late by half of it.
"""

from __future__ import annotations

import threading
import time

import numpy as np

from rtsep.engine.real_time import raise_priority

PERIODS = (64, 128, 256, 512, 1024)
"""Frames per callback, from which one is recommended."""

_EVERY_S = 0.001
_SHARE = 0.999


class WakeWatch:
    """Counts lateness while it runs: `with WakeWatch() as watch: …`, then `watch.late_ms()`."""

    def __init__(self) -> None:
        self._late_s: list[float] = []
        self._stop = False
        self._thread = threading.Thread(target=self._run, name="rtsep-wakes", daemon=True)

    def _run(self) -> None:
        raise_priority()
        due = time.monotonic()
        while not self._stop:
            due += _EVERY_S
            time.sleep(max(0.0, due - time.monotonic()))
            now = time.monotonic()
            self._late_s.append(now - due)
            due = max(due, now - _EVERY_S)  # one long delay is one, not many

    def __enter__(self) -> WakeWatch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop = True
        self._thread.join()

    @property
    def count(self) -> int:
        """Wake-ups so far."""
        return len(self._late_s)

    def late_ms(self) -> float:
        """Lateness that one wake-up in a thousand exceeds, in ms; 0 if there was none."""
        return 1000.0 * float(np.quantile(self._late_s, _SHARE)) if self._late_s else 0.0


def shortest_period(late_ms: float, rate: int) -> int:
    """The shortest of `PERIODS` that lasts at least twice as long as wake-ups are late; the longest if none does."""
    return next((period for period in PERIODS if 1000.0 * period / rate >= 2.0 * late_ms), PERIODS[-1])
