"""What each real-time manner of the engine is worth on this machine: with and without, side by side in one run.

    semaphore     how soon a waiting Python thread hears of a hop: the engine's semaphore against polling every 0.5 ms
    priority      the same, with every core taken by others: SCHED_FIFO against the usual schedule (if it is granted)
    touched       writing a block into memory that was written before, against memory that is used for the first time
    flush         a decaying filter on silence: denormals flushed to zero against kept
    frozen        a full garbage collection with the objects of a loaded model frozen against not

Figures are microseconds; only the ratios mean anything on another day.
"""

from __future__ import annotations

import ctypes
import gc
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from statistics import fmean

import msgspec
import numpy as np
from numba import njit

from rtsep.engine.real_time import PRIORITY
from rtsep.engine.worker import Semaphore
from rtsep.realtime.atomics import flush_to_zero, restore_float_mode

_EVENTS = 300
_PAUSE_S = 0.004
_POLL_S = 0.0005


class Manner(msgspec.Struct, frozen=True):
    """One comparison; times in microseconds."""

    name: str
    with_mean: float
    with_max: float
    without_mean: float
    without_max: float

    @property
    def ratio(self) -> float:
        """How much longer it takes without, on average."""
        return self.without_mean / max(self.with_mean, 1e-3)


def _compare(name: str, with_us: list[float], without_us: list[float]) -> Manner:
    return Manner(name, fmean(with_us), max(with_us), fmean(without_us), max(without_us))


def _wake_times(wait: Callable[[], None], post: Callable[[], None], *, priority: bool = False) -> list[float]:
    """Microseconds from each of many posts to the moment at which the waiting thread runs."""
    posted = [0]
    times: list[float] = []

    def waiter() -> None:
        if priority:
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(PRIORITY))
        for _ in range(_EVENTS):
            wait()
            times.append((time.perf_counter_ns() - posted[0]) / 1e3)

    thread = threading.Thread(target=waiter)
    thread.start()
    while thread.is_alive():
        time.sleep(_PAUSE_S)
        posted[0] = time.perf_counter_ns()
        post()
    thread.join()
    return times


def _semaphore_wakes(*, priority: bool = False) -> list[float]:
    memory = np.zeros(8, np.int64)
    address = int(memory.ctypes.data)
    library = ctypes.CDLL(None)
    library.sem_init(ctypes.c_void_p(address), 0, 0)
    semaphore = Semaphore(address)
    return _wake_times(
        lambda: semaphore.wait(1_000_000_000), lambda: library.sem_post(ctypes.c_void_p(address)), priority=priority
    )


def semaphore() -> Manner:
    """Semaphore against polling."""
    word = [0, 0]

    def poll() -> None:
        while word[0] == word[1]:
            time.sleep(_POLL_S)
        word[1] = word[0]

    def post() -> None:
        word[0] += 1

    return _compare("semaphore", _semaphore_wakes(), _wake_times(poll, post))


def priority() -> Manner | None:
    """SCHED_FIFO against the usual schedule while every core is taken; None if the system does not grant it."""
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(PRIORITY))
    except OSError:
        return None
    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    hogs = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(2 * (os.cpu_count() or 1))]
    try:
        return _compare("priority", _semaphore_wakes(priority=True), _semaphore_wakes())
    finally:
        for hog in hogs:
            hog.kill()
            hog.wait()


def touched() -> Manner:
    """Memory that was written before against fresh memory, in blocks of 64 KiB."""
    blocks, floats = 400, 16_384
    memory = np.empty((blocks, floats), np.float32)  # from the system untouched, being large

    def write() -> list[float]:
        times = []
        for row in memory:
            began = time.perf_counter_ns()
            row[:] = 1.0
            times.append((time.perf_counter_ns() - began) / 1e3)
        return times

    fresh = write()
    return _compare("touched", write(), fresh)


@njit(nogil=True, error_model="numpy", cache=True)
def _decay(state, frames, flushed):  # type: ignore[no-untyped-def]
    """A filter whose input has gone silent."""
    saved = flush_to_zero() if flushed else 0
    for _ in range(frames):
        for k in range(state.shape[0]):
            state[k] = state[k] * np.float32(0.9999) + state[(k + 1) % state.shape[0]] * np.float32(1e-5)
    if flushed:
        restore_float_mode(saved)


def flush() -> Manner:
    """Denormals flushed to zero against kept."""

    def run(flushed: bool) -> list[float]:
        times = []
        for _ in range(60):
            state = np.full(64, 1e-39, np.float32)
            began = time.perf_counter_ns()
            _decay(state, 2000, flushed)
            times.append((time.perf_counter_ns() - began) / 1e3)
        return times[10:]

    return _compare("flush", run(True), run(False))


def frozen() -> Manner:
    """A full collection beside the objects of a loaded model, frozen against not."""
    alive = [{"name": str(n), "value": [n]} for n in range(200_000)]

    def collect() -> list[float]:
        times = []
        for _ in range(8):
            began = time.perf_counter_ns()
            gc.collect()
            times.append((time.perf_counter_ns() - began) / 1e3)
        return times

    without = collect()
    gc.freeze()
    try:
        return _compare("frozen", collect(), without)
    finally:
        gc.unfreeze()
        alive.clear()


def main() -> int:
    """Print every comparison as a line of a Markdown table."""
    print("| manner | with: mean µs | max | without: mean µs | max | without / with |\n|---|---|---|---|---|---|")
    for measure in (semaphore, priority, touched, flush, frozen):
        one = measure()
        if one is None:
            print(f"| {measure.__name__} | not granted: see rtsep doctor | | | | |")
            continue
        times = f"{one.with_mean:.1f} | {one.with_max:.0f} | {one.without_mean:.1f} | {one.without_max:.0f}"
        print(f"| {one.name} | {times} | {one.ratio:.1f} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
