"""The inference process: one thread that turns hops of the input ring into hops of the stem rings.

It has an interpreter of its own, so no work of the control process (web page, MIDI, terminal) can hold it up: as a thread,
77 % of hops were late under load; as a process, none with real-time priority. The loop waits on a semaphore that the audio thread
posts at each hop edge, and counts a heartbeat ten times a second.

If it falls behind by more than `PATIENCE_MS` of what is being heard, it jumps to the newest hop with a fresh state rather than
compute what nobody will hear. After a jump the first `latency` frames of output belong to input it has not seen; they are not
published.
"""

from __future__ import annotations

import ctypes
import math
import os
import resource
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from typing import cast

import msgspec
import numpy as np

from rtsep.clock import MONOTONIC, Clock
from rtsep.engine.real_time import calm_garbage, lock_memory, raise_priority
from rtsep.engine.request import WorkerEvent, WorkerRequest
from rtsep.engine.rtkit import Lease
from rtsep.errors import ModelError, RtsepError
from rtsep.models import registry
from rtsep.models.runtime import use_threads
from rtsep.models.separator import Separator
from rtsep.realtime import exchange
from rtsep.realtime import layout as at
from rtsep.realtime.atomics import flush_to_zero
from rtsep.realtime.segment import Segment
from rtsep.stems import STEMS

PATIENCE_MS = 250
_WAIT_NS = 100_000_000
_WARM_UP_STEPS = 3


class Inference:
    """A separator at work on a segment. Pure of processes and waiting: tests call `run_available` on their own clock."""

    def __init__(self, segment: Segment, separator: Separator, epoch: int, clock: Clock = MONOTONIC) -> None:
        self.segment, self.separator, self.epoch, self.clock = segment, separator, epoch, clock
        spec = separator.spec
        header = segment.header
        promised = (int(header[at.RATE]), int(header[at.HOP]), int(header[at.MODEL_LATENCY]))
        if promised != (spec.rate, spec.hop, spec.latency):
            raise ModelError(
                f'Model "{spec.name}" loaded with rate, hop and latency {spec.rate}, {spec.hop}, {spec.latency}; '
                f"the engine was laid out for {promised}. The card and the code disagree: please report it."
            )
        self._slots = np.array([STEMS.index(name) for name in spec.stems], np.int64)
        self._mix = np.zeros((at.CHANNELS, spec.hop), np.float32)
        self._patience = max(2, math.ceil(spec.rate * PATIENCE_MS / 1000 / spec.hop))
        self._settling = math.ceil(spec.latency / spec.hop)
        self._state = separator.init_state()
        for _ in range(_WARM_UP_STEPS):
            separator.step(self._mix, self._state)
        self._state = separator.init_state()
        exchange.warm_up(spec.channels, spec.hop)
        self.next_hop = 0
        self._first_whole = 0
        header[at.NEXT_HOP] = 0

    def announce(self) -> None:
        """Say that stems will come: a model that is late from the start begins at the present, not at the beginning."""
        if self._behind() > 0:
            self._jump()
        self.segment.header[at.FIRST_HOP] = self._first_whole
        self.segment.header[at.READY] = self.epoch

    def run_available(self, limit: int | None = None) -> int:
        """Compute the hops that are complete, at most `limit` of them, and return how many."""
        done = 0
        while (limit is None or done < limit) and exchange.hops_ready(self.segment.header) > self.next_hop:
            if self._behind() > self._patience:
                self._jump()
                self.segment.header[at.RESYNCS] += 1
            self._run_hop()
            done += 1
        return done

    def _behind(self) -> int:
        """Hops that have been due for hearing and are not computed."""
        header = self.segment.header
        heard = int(header[at.OUT_POS]) - int(header[at.LATENCY])
        return (heard + int(header[at.MODEL_LATENCY])) // int(header[at.HOP]) - self.next_hop

    def _jump(self) -> None:
        header = self.segment.header
        newest = int(exchange.hops_ready(header)) - 1
        due = self.next_hop + self._behind()
        if header[at.FREEWHEEL]:  # the host waits: begin early enough that what is due now is whole
            self.next_hop = max(self.next_hop, due - self._settling)
        else:
            self.next_hop = max(self.next_hop, due if header[at.PLAYING] else newest)
        self._first_whole = self.next_hop + self._settling
        self._state = self.separator.init_state()

    def _run_hop(self) -> None:
        segment, header, hop = self.segment, self.segment.header, self.next_hop
        started_ns = self.clock.now_ns()
        if hop == int(header[at.RESET_HOP]) and hop > 0:  # a DAW starts to play anew: what came before is not part of it
            self._state = self.separator.init_state()
            self._first_whole = hop
        exchange.read_hop(header, segment.source, hop, self._mix)
        stems = self.separator.step(self._mix, self._state)
        if not exchange.write_stems(header, segment.stems, hop, stems, self._slots):
            header[at.BAD_HOPS] += 1
            self._state = self.separator.init_state()
            self._first_whole = hop + 1 + self._settling
        elif hop >= self._first_whole:
            exchange.publish(header, segment.tags, self.epoch, hop)
        self.next_hop = hop + 1
        exchange.finish(header, hop)
        self._count(self.clock.now_ns() - started_ns)

    def _count(self, elapsed_ns: int) -> None:
        header = self.segment.header
        header[at.HOPS] += 1
        header[at.HOP_NS_SUM] += elapsed_ns
        header[at.HOP_NS_MAX] = max(int(header[at.HOP_NS_MAX]), elapsed_ns)
        ratio = max(1.0, elapsed_ns / at.HISTOGRAM_FIRST_NS)
        bin_number = min(at.HISTOGRAM_BINS - 1, int(math.log(ratio) / math.log(at.HISTOGRAM_RATIO)))
        header[at.HISTOGRAM + bin_number] += 1


class Semaphore:
    """Waiting for the audio thread's post, with a time limit on the monotonic clock."""

    def __init__(self, address: int) -> None:
        self._wait = ctypes.CDLL(None).sem_clockwait
        self._address = ctypes.c_void_p(address)

    def wait(self, limit_ns: int) -> None:
        """Return after a post, or when the limit has passed."""
        until = time.monotonic_ns() + limit_ns
        spec = (ctypes.c_long * 2)(until // 1_000_000_000, until % 1_000_000_000)
        self._wait(self._address, time.CLOCK_MONOTONIC, spec)


Wrap = Callable[[Separator, Segment, WorkerRequest], Separator]
"""Makes another separator of one, in the inference process."""


def say(event: WorkerEvent) -> None:
    """Write an event for the supervisor."""
    sys.stdout.buffer.write(msgspec.json.encode(event) + b"\n")
    sys.stdout.buffer.flush()


def _end_with_parent() -> None:
    """Leave when the audio process closes our standard input, however it ended."""
    while os.read(0, 1):  # not through sys.stdin, whose lock would survive this thread at exit
        pass
    os._exit(0)


def serve(request: WorkerRequest, wrap: Wrap | None = None) -> None:
    """Load the model and compute hops until the engine stops. Never returns early: raises what went wrong."""
    say(WorkerEvent(event="loading", text=f"{request.model} {request.tier}"))
    segment = Segment(request.descriptor, request.capacity)
    header = segment.header
    use_threads(request.threads)
    separator = registry.load(request.model, request.tier, rate=request.rate, runtime=request.runtime)
    if not hasattr(separator, "step"):
        raise ModelError(
            f'Tier "{request.tier}" needs the whole file and cannot run live. Live tiers: rtsep models info {request.model}.'
        )
    live = cast(Separator, separator)
    inference = Inference(segment, wrap(live, segment, request) if wrap else live, request.epoch)
    flush_to_zero()
    calm_garbage()
    lease = Lease()
    if request.realtime:
        lock_memory()
        if not raise_priority():
            lease.ask(longest_s=inference.separator.spec.hop / request.rate)
    header[at.RESIDENT_KB] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    inference.announce()
    say(WorkerEvent(event="ready"))
    semaphore = Semaphore(segment.wake_address)
    while not header[at.STOP] and int(header[at.EPOCH]) == request.epoch:
        header[at.BEAT] += 1
        if inference.run_available(limit=1) == 0:
            semaphore.wait(_WAIT_NS)
        else:
            lease.rest()


def main(wrap: Wrap | None = None) -> int:
    """Entry of the inference process: a JSON request as the last argument.

    Args:
        wrap: puts something around the separator, such as effects.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the audio process's to handle
    request = msgspec.json.decode(sys.argv[-1].encode(), type=WorkerRequest)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        serve(request, wrap)
    except RtsepError as error:
        say(WorkerEvent(event="error", text=str(error), permanent=True))
        return 1
    except Exception as error:  # whatever a model raises is reported, then the supervisor decides
        traceback.print_exc()
        say(WorkerEvent(event="error", text=f"{type(error).__name__}: {error}"))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
