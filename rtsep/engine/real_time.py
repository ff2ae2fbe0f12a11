"""What a process asks of the system so that nothing but its own work takes time. Each works without privileges or says so.

* Priority: `SCHED_FIFO` below JACK's clients (5) and server (10); allowed by `rtprio` in /etc/security/limits.d or CAP_SYS_NICE.
  Where neither allows it, `rtsep.engine.rtkit` asks the desktop's service for it.
* Memory: what is mapped now is locked, so that no page is fetched from disk in the middle of a hop; allowed by `memlock`.
  Future pages are left alone: with a limit, the allocation that goes past it would fail.
* Garbage: what lives now is taken out of the collector's sight, so that a full collection looks at little (`gc.freeze`).
"""

from __future__ import annotations

import ctypes
import gc
import os

PRIORITY = 4
_MCL_CURRENT_ON_FAULT = 1 | 4  # what is mapped now, page by page as it is first used: libraries are not read in whole


def raise_priority() -> bool:
    """Ask for real-time priority for this thread; returns whether it was granted."""
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(PRIORITY))
    except (OSError, AttributeError):
        return False  # rtkit may; without it works too, and `rtsep doctor` says how to allow it
    return True


def lock_memory() -> bool:
    """Keep every page that this process has now in memory; returns whether that was granted."""
    lock = getattr(ctypes.CDLL(None), "mlockall", None)
    return lock is not None and lock(_MCL_CURRENT_ON_FAULT) == 0


def calm_garbage() -> None:
    """Collect once more, then look no more at what lives now."""
    gc.collect()
    gc.freeze()
