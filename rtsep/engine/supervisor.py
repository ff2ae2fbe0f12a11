"""Keeps an inference process alive: starts it, watches its heartbeat, replaces it when it ends or stands still.

The audio thread never waits for any of this: while there is no live process, no hop is published and the dry mix is heard.
"""

from __future__ import annotations

import enum
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable

import msgspec

from rtsep.engine.request import WorkerEvent, WorkerRequest
from rtsep.realtime import layout as at
from rtsep.realtime.segment import Segment

BACK_OFF_S = (0.2, 1.0, 2.0, 4.0, 8.0)
"""Waits before the first, second, … restart; after the last one the model is given up."""

STALL_S = 1.0
"""A heartbeat older than this means that the process hangs."""

HEALTHY_S = 60.0
"""A process that ran this long starts the count of restarts anew."""

_POLL_S = 0.05


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

    def __init__(self, segment: Segment, request: WorkerRequest, *, on_event: Callable[[str], None] | None = None) -> None:
        self.segment = segment
        self.state = WorkerState.LOADING
        self.reason = ""
        self.restarts = 0
        self._request = request
        self._tell = on_event or (lambda _text: None)
        self._process: subprocess.Popen[bytes] | None = None
        self._last_error = WorkerEvent(event="")
        self._stopping = threading.Event()
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._watch, name="rtsep-supervisor", daemon=True)

    def start(self) -> None:
        """Start the first process and the watch over it. Returns at once."""
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
        failures = 0
        while not self._stopping.is_set():
            began = time.monotonic()
            self._start_process()
            why = self._until_it_fails()
            self._end_process(grace_s=0.0)
            if self._stopping.is_set():
                return
            failures = 1 if time.monotonic() - began > HEALTHY_S else failures + 1
            if self._last_error.permanent or failures > len(BACK_OFF_S):
                self._become(WorkerState.FAILED, f"{why} The dry mix goes on.")
                return
            wait_s = BACK_OFF_S[failures - 1]
            self._become(WorkerState.RESTARTING, f"{why} Restarting the model in {wait_s:g} s; the dry mix goes on.")
            self.restarts += 1
            self._stopping.wait(wait_s)

    def _start_process(self) -> None:
        header = self.segment.header
        header[at.READY] = 0
        header[at.EPOCH] += 1
        request = msgspec.structs.replace(self._request, epoch=int(header[at.EPOCH]))
        self._last_error = WorkerEvent(event="")
        command = [sys.executable, "-m", "rtsep.engine.worker", msgspec.json.encode(request).decode()]
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
            elif event.event == "error":
                self._last_error = event
        if stream:
            stream.close()

    def _until_it_fails(self) -> str:
        """Watch the running process; returns a sentence on how it ended."""
        process, header = self._process, self.segment.header
        beat, seen = -1, time.monotonic()
        while process is not None and not self._stopping.wait(_POLL_S):
            code = process.poll()
            if code is not None:
                time.sleep(_POLL_S)  # let the last words arrive
                return self._last_error.text or f"The model process ended with code {code}."
            now = time.monotonic()
            if int(header[at.BEAT]) != beat or int(header[at.READY]) != int(header[at.EPOCH]):
                beat, seen = int(header[at.BEAT]), now
            elif now - seen > STALL_S:
                return f"The model gave no sign of life for {STALL_S:g} s."
        return ""

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
