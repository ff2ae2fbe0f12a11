"""Remembers, across the death of the process, which plug-in was running when it died.

Before foreign code runs, its number and the epoch of this process are written to the shared segment, and 0 afterwards. A process
that starts and finds the number of an effect of the epoch right before its own knows that this effect brought its predecessor
down (or hung until it was ended), and bans it. A predecessor that was ended on purpose lies two epochs back. Of one that
somebody or the system killed, the supervisor takes the number away: no code ends by SIGKILL through a fault of its own.

A plug-in may also crash in a thread of its own, or eat all memory, where nobody can be blamed. So if `DEATHS` processes with
plug-ins have died in a row, none of which lived for `CALM_S`, all plug-ins are left out.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from rtsep.clock import MONOTONIC, Clock
from rtsep.realtime import layout as at

DEATHS = 2
CALM_S = 60.0


class Sentry:
    """The words of the segment that outlive a process. Inference thread."""

    def __init__(self, header: NDArray[np.int64], epoch: int, *, plugins: bool, clock: Clock = MONOTONIC) -> None:
        """Find out how the process before this one ended.

        Args:
            header: of the segment.
            epoch: of this process.
            plugins: whether plug-ins are to be loaded into it.
            clock: tells the time.
        """
        self._header = header
        self._epoch = epoch
        self._clock, self._calm_ns = clock, clock.now_ns() + round(CALM_S * 1e9)
        last, loaded = int(header[at.FX_RUNNING]), int(header[at.FX_LOADED])
        blamed = last != 0 and last >> 8 == epoch - 1
        if blamed:
            header[at.FX_BANNED] |= np.int64(1) << np.int64((last & 0xFF) - 1)
        elif loaded and loaded == epoch - 1:
            header[at.FX_DEATHS] += 1
        else:
            header[at.FX_DEATHS] = 0
        header[at.FX_RUNNING] = 0
        header[at.FX_LOADED] = epoch if plugins else 0

    def banned(self, number: int) -> str:
        """Why effect `number`, from 1, is not to be loaded, if it is a plug-in; else nothing."""
        if int(self._header[at.FX_BANNED]) >> (number - 1) & 1:
            return "has crashed"
        if int(self._header[at.FX_DEATHS]) >= DEATHS:
            return "may be why the model's process has died again and again"
        return ""

    def look(self) -> None:
        """Notice that this process lives; call it with every hop."""
        if self._header[at.FX_DEATHS] and self._header[at.FX_DEATHS] < DEATHS and self._clock.now_ns() > self._calm_ns:
            self._header[at.FX_DEATHS] = 0

    @contextlib.contextmanager
    def watching(self, number: int) -> Iterator[None]:
        """Note that effect `number` runs, 0 for code of our own."""
        if number:
            self._header[at.FX_RUNNING] = self._epoch << 8 | number
        try:
            yield
        finally:
            if number:
                self._header[at.FX_RUNNING] = 0
