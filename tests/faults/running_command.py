"""`rtsep run` in processes of its own, as a player starts it: a parent, the engine, and the model."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

from tests.faults.test_process_faults import eventually


def children_of(pid: int) -> list[int]:
    """Process ids of the children that a process has now."""
    children = []
    with contextlib.suppress(OSError):  # it, or one of its threads, has ended
        for task in Path(f"/proc/{pid}/task").iterdir():
            children += [int(child) for child in (task / "children").read_text().split()]
    return children


def alive(pid: int) -> bool:
    """Whether there is such a process."""
    return Path(f"/proc/{pid}").exists()


class RunningCommand:
    """`rtsep run`, its talk collected."""

    def __init__(self, *options: str, home: Path | None = None) -> None:
        command = [sys.executable, "-m", "rtsep.cli", "run", "--model", "passthrough", *options]
        where = {"RTSEP_HOME": str(home), "NUMBA_CACHE_DIR": os.environ["NUMBA_CACHE_DIR"]} if home else {}
        self._env = {**os.environ, **where}
        # Tests may run under nohup, where SIGHUP is ignored, and so would it be by what they start.
        before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=self._env)
        signal.signal(signal.SIGHUP, before)
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr
        self.lines.extend(iter(self.process.stderr.readline, ""))

    def says(self, text: str, times: int = 1) -> bool:
        """Wait until so many lines hold a text."""
        return eventually(lambda: sum(text in line for line in self.lines) >= times)

    def ctl(self, *words: str) -> str:
        """What `rtsep ctl` answers."""
        command = [sys.executable, "-m", "rtsep.cli", "ctl", *words]
        return subprocess.run(command, capture_output=True, text=True, check=False, env=self._env).stdout

    def left(self) -> dict[str, object]:
        """The facts that the parent holds for an engine to come."""
        for descriptor in Path(f"/proc/{self.process.pid}/fd").iterdir():
            if "memfd:rtsep-life" in str(descriptor.readlink()):
                facts: dict[str, object] = json.loads(descriptor.read_bytes().partition(b"\0")[0] or b"{}")
                return facts
        return {}

    def engine(self) -> int:
        """Process id of the engine that lives now."""
        assert eventually(lambda: len(children_of(self.process.pid)) == 1)
        return children_of(self.process.pid)[0]

    def family(self) -> list[int]:
        """Process ids of the engine and, once it is there, its model."""
        engine = self.engine()
        assert eventually(lambda: bool(children_of(engine)))
        return [engine, *children_of(engine)]

    def end(self) -> None:
        """End it by force, if it has not ended."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._reader.join()
        for stream in (self.process.stdout, self.process.stderr):
            assert stream
            stream.close()
