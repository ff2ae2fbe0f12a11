"""Remembers, across the death of the process, which plug-in was running when it died.

Before foreign code runs, its number and the epoch of this process are written to the shared segment, and 0 afterwards. A process
that starts and finds the number of an effect of the epoch right before its own knows that this effect brought its predecessor
down (or hung until it was ended), and bans it. A predecessor that was ended on purpose lies two epochs back.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from rtsep.realtime import layout as at


class Sentry:
    """The words of the segment that outlive a process. Inference thread."""

    def __init__(self, header: NDArray[np.int64], epoch: int) -> None:
        self._header = header
        self._epoch = epoch
        last = int(header[at.FX_RUNNING])
        if last and last >> 8 == epoch - 1:
            header[at.FX_BANNED] |= np.int64(1) << np.int64((last & 0xFF) - 1)
        header[at.FX_RUNNING] = 0

    def banned(self, number: int) -> bool:
        """Whether effect `number`, from 1, has crashed before."""
        return bool(int(self._header[at.FX_BANNED]) >> (number - 1) & 1)

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
