"""What each real-time manner of the engine is worth on this machine: with and without, side by side in one run.

    semaphore     how soon a waiting Python thread hears of a hop: the engine's semaphore against polling every 0.5 ms
    priority      the same, with every core taken by others: SCHED_FIFO against the usual schedule (if it is granted)
    touched       writing a block into memory that was written before, against memory that is used for the first time
    locked        reading a file that is mapped, as libraries and weights are, after the system was asked to put it out: locked
                  against not
    flush audio   a decaying filter on silence in the audio thread's compiled code: denormals flushed to zero against kept
    flush model   a layer of a net on the same, in ONNX Runtime
    frozen        a full garbage collection with the objects of a loaded model frozen against not

Figures are microseconds; only the ratios mean anything on another day.
"""

from __future__ import annotations

import ctypes
import gc
import mmap
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from statistics import fmean, median

import msgspec
import numpy as np
import onnx
from numba import njit
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from rtsep import paths
from rtsep.engine.real_time import PRIORITY
from rtsep.engine.worker import Semaphore
from rtsep.models.runtime import onnx_net
from rtsep.realtime.atomics import flush_to_zero, restore_float_mode

_EVENTS = 300
_PAUSE_S = 0.004
_POLL_S = 0.0005
_MADV_PAGEOUT = 21


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


def _medians(times: list[float]) -> list[float]:
    """Every five in a row as their median: what the processor does, without what the system does now and then."""
    return [median(times[start : start + 5]) for start in range(0, len(times), 5)]


def _compare(name: str, with_us: list[float], without_us: list[float]) -> Manner:
    return Manner(name, fmean(with_us), max(with_us), fmean(without_us), max(without_us))


_POSTER = """
import ctypes, mmap, sys, time
memory = mmap.mmap(int(sys.argv[1]), 0)
words = (ctypes.c_int64 * 16).from_buffer(memory)
post = ctypes.CDLL(None).sem_post
for _ in range(int(sys.argv[2])):
    time.sleep(float(sys.argv[3]))
    words[8] = time.perf_counter_ns()
    words[9] += 1
    post(ctypes.byref(words))
"""
"""A process that posts as the audio process does: memory of two cache lines, a semaphore, then moment and number of the post."""


def _wake_times(wait: Callable[[Semaphore, NDArray[np.int64]], None], *, priority: bool = False) -> list[float]:
    """Microseconds from each of many posts of another process to the moment at which a thread of this one runs.

    Of another process because otherwise the poster holds the GIL that the waiter needs, and loses its core with it.
    """
    times: list[float] = []
    descriptor = os.memfd_create("rtsep-manners")
    os.truncate(descriptor, mmap.PAGESIZE)
    words = np.frombuffer(mmap.mmap(descriptor, 0), np.int64)
    address = int(words.ctypes.data)
    ctypes.CDLL(None).sem_init(ctypes.c_void_p(address), 1, 0)
    semaphore = Semaphore(address)

    def waiter() -> None:
        if priority:
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(PRIORITY))
        for _ in range(_EVENTS):
            wait(semaphore, words)
            times.append((time.perf_counter_ns() - int(words[8])) / 1e3)

    thread = threading.Thread(target=waiter)
    thread.start()
    command = [sys.executable, "-c", _POSTER, str(descriptor), str(_EVENTS), str(_PAUSE_S)]
    subprocess.run(command, pass_fds=[descriptor], check=True)
    thread.join()
    os.close(descriptor)
    return times


def _hear(semaphore: Semaphore, _words: NDArray[np.int64]) -> None:
    semaphore.wait(60_000_000_000)


def _poll(_semaphore: Semaphore, words: NDArray[np.int64]) -> None:
    while words[9] == words[10]:
        time.sleep(_POLL_S)
    words[10] += 1


def semaphore() -> Manner:
    """Semaphore against polling."""
    return _compare("semaphore", _wake_times(_hear), _wake_times(_poll))


def priority() -> Manner | None:
    """SCHED_FIFO against the usual schedule while every core is taken; None if the system does not grant it."""
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(PRIORITY))
    except OSError:
        return None
    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    hogs = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(2 * (os.cpu_count() or 1))]
    try:
        return _compare("priority", _wake_times(_hear, priority=True), _wake_times(_hear))
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


def locked() -> Manner | None:
    """Mapped memory that is locked against memory that the system has put out; None if it may not be locked."""
    size = 8 * 2**20
    library = ctypes.CDLL(None)
    with tempfile.TemporaryFile(dir=paths.cache()) as file:
        file.write(os.urandom(size))
        file.flush()
        os.fsync(file.fileno())  # what is not on disk yet cannot be put out
        with mmap.mmap(file.fileno(), size, flags=mmap.MAP_PRIVATE) as mapped:
            _read_times(mapped)
            where = ctypes.c_void_p(_address(mapped)), ctypes.c_size_t(size)
            library.madvise(*where, _MADV_PAGEOUT)
            without = _read_times(mapped)
            if library.mlock(*where) != 0:
                return None
            library.madvise(*where, _MADV_PAGEOUT)  # is refused for what is locked
            return _compare("locked", _read_times(mapped), without)


def _address(mapped: mmap.mmap) -> int:
    return int(np.frombuffer(mapped, np.uint8).ctypes.data)


def _read_times(mapped: mmap.mmap) -> list[float]:
    """Microseconds to read a byte of every page, for each 64 KiB."""
    times = []
    for start in range(0, len(mapped), 65_536):
        began = time.perf_counter_ns()
        for page in range(start, start + 65_536, mmap.PAGESIZE):
            mapped[page]
        times.append((time.perf_counter_ns() - began) / 1e3)
    return times


@njit(nogil=True, error_model="numpy", cache=True)
def _decay(state, frames, flushed):  # type: ignore[no-untyped-def]
    """A filter whose input has gone silent."""
    saved = flush_to_zero() if flushed else 0
    for _ in range(frames):
        for k in range(state.shape[0]):
            state[k] = state[k] * np.float32(0.9999) + state[(k + 1) % state.shape[0]] * np.float32(1e-5)
    if flushed:
        restore_float_mode(saved)


def flush_audio() -> Manner:
    """Denormals flushed to zero against kept, in compiled code."""

    def run(flushed: bool) -> list[float]:
        times = []
        for _ in range(160):
            state = np.full(64, 1e-39, np.float32)
            began = time.perf_counter_ns()
            _decay(state, 2000, flushed)
            times.append((time.perf_counter_ns() - began) / 1e3)
        return _medians(times[10:])

    return _compare("flush audio", run(True), run(False))


def flush_model() -> Manner:
    """Denormals flushed to zero against kept, in ONNX Runtime."""
    width = 512
    tiny = np.full((width, width), 1e-20, np.float32)  # times an input of 1e-20: every product is a denormal
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "layer",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, width])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, width])],
        [numpy_helper.from_array(tiny, "w")],
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "layer.onnx"
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
        kept = flush_to_zero()  # before ONNX Runtime switches the mode of this thread for good
        net = onnx_net(path)

    flushed: list[float] = []
    usual: list[float] = []
    for turn in range(400):
        if turn % 2:
            flush_to_zero()
        else:
            restore_float_mode(kept)
        began = time.perf_counter_ns()
        net(tiny[:1])
        (flushed if turn % 2 else usual).append((time.perf_counter_ns() - began) / 1e3)
    restore_float_mode(kept)
    return _compare("flush model", _medians(flushed[20:]), _medians(usual[20:]))


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
    for measure in (semaphore, priority, touched, locked, flush_audio, flush_model, frozen):
        one = measure()
        if one is None:
            print(f"| {measure.__name__} | not granted: see rtsep doctor | | | | |")
            continue
        times = f"{one.with_mean:.1f} | {one.with_max:.0f} | {one.without_mean:.1f} | {one.without_max:.0f}"
        print(f"| {one.name} | {times} | {one.ratio:.1f} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
