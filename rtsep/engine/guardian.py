"""Starts a performance again when its process dies: a small parent that does nothing but wait for it.

Whatever can bring an engine down is in the engine's own process: drivers, `libjack`, and the memory for which the system's
out-of-memory killer comes. The parent has loaded none of it (17 MB in all). It forks before anything is imported, once for each
life, so a new life is not an attempt to repair the old one. An end that was meant is passed on and never undone: Ctrl-C, SIGTERM,
the end of the music, wrong usage, no device at the start.

The engine runs in a session of its own, so signals reach it once, through the parent; and Ctrl-Z does not stop the music. When
the parent is killed, the engine ends as by SIGTERM.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from types import FrameType
from typing import Any

import msgspec

from rtsep.engine.restarts import RestartPolicy
from rtsep.errors import RtsepError

CRASHED = 70
"""Exit code of an engine that raised what it should not have (EX_SOFTWARE of sysexits.h)."""

_PASSED_ON = {signal.SIGINT: signal.SIGINT, signal.SIGTERM: signal.SIGTERM, signal.SIGHUP: signal.SIGTERM}
_PR_SET_PDEATHSIG = 1
_LOOK_S = 0.05


class Life:
    """One life of an engine, and what the ones before it have left behind: facts by name, in memory that the parent holds.

    Attributes:
        number: 0 for the first.
    """

    def __init__(self, number: int, descriptor: int) -> None:
        self.number = number
        from threading import Lock  # not at the top: the parent loads nothing that it does not need

        self._descriptor, self._one_writer = descriptor, Lock()
        whole, _, _ = os.pread(descriptor, os.fstat(descriptor).st_size, 0).partition(b"\0")
        try:
            self._facts: dict[str, Any] = msgspec.json.decode(whole or b"{}", type=dict[str, Any])
        except msgspec.MsgspecError:  # killed while it wrote
            self._facts = {}

    def recall(self, name: str, default: Any) -> Any:
        """What was kept under a name, in this life or an earlier one."""
        return self._facts.get(name, default)

    def keep(self, name: str, value: Any) -> None:
        """Leave something that JSON can say to the lives to come. Any thread."""
        with self._one_writer:
            if name not in self._facts or self._facts[name] != value:
                self._facts[name] = value
                os.pwrite(self._descriptor, msgspec.json.encode(self._facts) + b"\0", 0)


def is_possible() -> bool:
    """Whether this system can fork and tells a child that its parent has died: Linux."""
    return sys.platform == "linux"


def keep_alive(perform: Callable[[Life], int], *, tell: Callable[[str], None]) -> int:
    """Perform in a child process, again if that dies. Returns in both processes, in the child after its performance.

    Call it before any thread is started and before anything large is imported.

    Args:
        perform: one life; returns its exit code.
        tell: takes sentences for the player.

    Returns:
        The exit code: of the last life, or 128 + the signal that ended it.
    """
    return _Guardian(perform, tell).watch()


class _Guardian:
    def __init__(self, perform: Callable[[Life], int], tell: Callable[[str], None]) -> None:
        self._perform, self._tell = perform, tell
        self._child = 0
        self._ending = False
        self._before = {number: signal.getsignal(number) for number in _PASSED_ON}

    def watch(self) -> int:
        memory = os.memfd_create("rtsep-life")
        policy = RestartPolicy()
        number = 0
        while True:
            began_s = time.monotonic()
            self._fork()
            if self._child == 0:
                return self._live(Life(number, memory))
            code = os.waitstatus_to_exitcode(os.waitpid(self._child, 0)[1])
            if self._ending or not died(code, number):
                return code if code >= 0 else 128 - code
            how = f"was ended by {signal.Signals(-code).name}" if code < 0 else "could not start" if code != CRASHED else "failed"
            wait_s = policy.wait_s(time.monotonic() - began_s, permanent=False)
            if wait_s is None:
                self._tell(f"The engine {how} again and again and is not started any more. Check this machine with: rtsep doctor")
                return code if code >= 0 else 128 - code
            self._tell(f"The engine {how}. It starts again in {wait_s:g} s, with model, faders and connections as they were.")
            if not self._wait(wait_s):
                return 0
            number += 1

    def _fork(self) -> None:
        """Begin a life; no signal is lost between two lives, nor handled by the parent's handlers in the child."""
        parent = os.getpid()
        sys.stdout.flush()
        sys.stderr.flush()
        signal.pthread_sigmask(signal.SIG_BLOCK, _PASSED_ON)
        self._child = os.fork()
        for number, handler in self._before.items():
            if handler is not signal.SIG_IGN:  # as under nohup
                signal.signal(number, self._pass_on if self._child else handler)
        if self._child == 0:
            os.setsid()
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
            if os.getppid() != parent:
                os.kill(os.getpid(), signal.SIGTERM)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _PASSED_ON)

    def _live(self, life: Life) -> int:
        try:
            return self._perform(life)
        except (RtsepError, BrokenPipeError):
            raise
        except Exception:  # a fault of ours: on stage, what helps is another start
            traceback.print_exc()
            return CRASHED

    def _pass_on(self, number: int, _frame: FrameType | None) -> None:
        self._ending = True
        try:
            os.kill(self._child, _PASSED_ON[signal.Signals(number)])
        except ProcessLookupError:  # it has ended
            return

    def _wait(self, seconds: float) -> bool:
        """Let time pass; returns whether to go on."""
        until_s = time.monotonic() + seconds
        while not self._ending and time.monotonic() < until_s:
            time.sleep(_LOOK_S)
        return not self._ending


def died(code: int, number: int) -> bool:
    """Whether an exit code (or minus a signal) of a life means that nobody wanted it to end.

    Args:
        code: as from `os.waitstatus_to_exitcode`.
        number: of the life. In the first one, an error is the user's to read; in a later one, what is missing may come back.
    """
    if code < 0:
        return -code not in _PASSED_ON
    return code == CRASHED or (number > 0 and code == RtsepError.exit_code)
