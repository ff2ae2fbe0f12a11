"""Keeps an inference process alive: starts it, watches its heartbeat, replaces it when it ends, stands still or shall change.

The audio thread never waits for any of this: while there is no live process, no hop is published and the dry mix is heard.
"""

from __future__ import annotations

import enum
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence

import msgspec

from rtsep.clock import MONOTONIC, Clock
from rtsep.engine.request import WorkerEvent, WorkerRequest
from rtsep.engine.restarts import Heartbeat, RestartPolicy
from rtsep.realtime import layout as at
from rtsep.realtime.segment import Segment

_POLL_S = 0.05

WORKER = (sys.executable, "-m", "rtsep.engine.worker")
"""Command line of an inference process; the request follows as one more argument."""


class WorkerState(enum.Enum):
    """Condition of the inference process as told to the user."""

    LOADING = "loading"
    RUNNING = "running"
    RESTARTING = "restarting"
    FAILED = "failed"
    STOPPED = "stopped"


class Supervisor:
    """Owner of the inference process. Control threads only.

    Attributes:
        state: condition now.
        reason: sentence on why it is not running, empty while it is.
        restarts: how often a process was replaced.
    """

    def __init__(
        self,
        segment: Segment,
        request: WorkerRequest,
        *,
        on_event: Callable[[str], None] | None = None,
        clock: Clock = MONOTONIC,
        command: Sequence[str] = WORKER,
    ) -> None:
        self.segment = segment
        self.state = WorkerState.LOADING
        self.reason = ""
        self.restarts = 0
        self._request = request
        self._clock = clock
        self._command = tuple(command)
        self._tell = on_event or (lambda _text: None)
        self._process: subprocess.Popen[bytes] | None = None
        self._last_error = WorkerEvent(event="")
        self._stopping = threading.Event()
        self._swap: tuple[WorkerRequest, Callable[[], None]] | None = None
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._watch, name="rtsep-supervisor", daemon=True)

    def start(self) -> None:
        """Start the first process and the watch over it. Returns at once; a second call does nothing."""
        if not self._thread.is_alive() and self.state is WorkerState.LOADING:
            self._thread.start()

    def wait_until_running(self, limit_s: float) -> bool:
        """Wait until stems come or cannot come; returns whether they come."""
        with self._changed:
            self._changed.wait_for(lambda: self.state in (WorkerState.RUNNING, WorkerState.FAILED, WorkerState.STOPPED), limit_s)
        return self.state is WorkerState.RUNNING

    def stop(self) -> None:
        """End the process and the watch; within a second, by force if it must be."""
        self._stopping.set()
        self.segment.header[at.STOP] = 1
        self.segment.wake()
        if self._thread.is_alive():
            self._thread.join()
        self._end_process(grace_s=0.5)
        self._become(WorkerState.STOPPED)

    def swap(self, request: WorkerRequest, lay_out: Callable[[], None]) -> None:
        """Replace the model by another one; dry is heard until it has loaded. Returns at once.

        Args:
            request: for the new process.
            lay_out: rewrites the segment's words for it, called when the old process has ended.
        """
        header = self.segment.header
        header[at.READY] = 0
        header[at.EPOCH] += 1  # what the old one has published is no longer played, whatever the words now mean
        self._become(WorkerState.LOADING)
        self._swap = (request, lay_out)
        self.segment.wake()

    @property
    def pid(self) -> int | None:
        """Process id of the inference process."""
        return self._process.pid if self._process else None

    def _become(self, state: WorkerState, reason: str = "") -> None:
        with self._changed:
            self.state, self.reason = state, reason
            self._changed.notify_all()
        if reason:
            self._tell(reason)

    def _watch(self) -> None:
        policy = RestartPolicy()
        while not self._stopping.is_set():
            began_ns = self._clock.now_ns()
            self._start_process()
            why = self._until_it_fails()
            self._end_process(grace_s=0.0)
            if self._stopping.is_set():
                return
            if self._swap is None:
                wait_s = policy.wait_s((self._clock.now_ns() - began_ns) / 1e9, permanent=self._last_error.permanent)
                if wait_s is None:
                    self._give_up(why)
                else:
                    self._become(WorkerState.RESTARTING, f"{why} Restarting the model in {wait_s:g} s; the dry mix goes on.")
                    self.restarts += 1
                    self._wait(wait_s)
            if self._swap is not None:
                self._request, lay_out = self._swap
                self._swap = None
                lay_out()
                policy = RestartPolicy()

    def _give_up(self, why: str) -> None:
        """Wait for the end, or for another model to be asked for."""
        self.segment.header[at.GIVEN_UP] = 1
        self._become(WorkerState.FAILED, f"{why} The dry mix goes on.")
        while self._swap is None and not self._wait(_POLL_S):
            pass

    def _start_process(self) -> None:
        header = self.segment.header
        header[at.READY] = 0
        header[at.GIVEN_UP] = 0
        header[at.EPOCH] += 1
        request = msgspec.structs.replace(self._request, epoch=int(header[at.EPOCH]))
        self._last_error = WorkerEvent(event="")
        command = [*self._command, msgspec.json.encode(request).decode()]
        single = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=[request.descriptor],
            env={**os.environ, **single},
            start_new_session=True,
        )
        threading.Thread(target=self._listen, args=(self._process,), daemon=True).start()

    def _listen(self, process: subprocess.Popen[bytes]) -> None:
        stream = process.stdout
        for line in stream or ():
            try:
                event = msgspec.json.decode(line, type=WorkerEvent)
            except msgspec.MsgspecError:
                continue  # something a library printed
            if event.event == "ready":
                self._become(WorkerState.RUNNING)
            elif event.event == "note":
                self._tell(event.text)
            elif event.event == "error":
                self._last_error = event
        if stream:
            stream.close()

    def _until_it_fails(self) -> str:
        """Watch the running process; returns a sentence on how it ended."""
        process, header = self._process, self.segment.header
        heart = Heartbeat(self._clock.now_ns() / 1e9)
        while process is not None and self._swap is None and not self._wait(_POLL_S):
            code = process.poll()
            if code is not None:
                self._wait(_POLL_S)  # let the last words arrive
                if code == -signal.SIGKILL:  # somebody's or the system's doing, whatever code ran at that moment
                    header[at.FX_RUNNING] = 0
                return self._last_error.text or _how_it_ended(code)
            loaded = int(header[at.READY]) == int(header[at.EPOCH])
            if why := heart.hangs(self._clock.now_ns() / 1e9, int(header[at.BEAT]), loaded):
                return why
        return ""

    def _wait(self, seconds: float) -> bool:
        """Let time pass; returns whether the engine stops meanwhile."""
        return self._clock.wait(self._stopping, round(seconds * 1e9))

    def _end_process(self, grace_s: float) -> None:
        process = self._process
        if process is None:
            return
        try:
            process.wait(grace_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdin:
            process.stdin.close()


def _how_it_ended(code: int) -> str:
    if code >= 0:
        return f"The model process ended with code {code}."
    out_of_memory = " The system may have run out of memory." if code == -signal.SIGKILL else ""
    return f"The model process was ended by {signal.Signals(-code).name}.{out_of_memory}"
