"""The plug-ins, built once, and a bridge of each test's own."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def plugins() -> Path:
    """Folder with the built plug-ins."""
    if not Path("/usr/share/dpf").is_dir() or shutil.which("g++") is None:
        pytest.skip("building plug-ins needs the Debian packages dpf-source, g++, make and pkg-config")
    built = subprocess.run([ROOT / "tools" / "build_plugin"], capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    return Path(built.stdout.strip())


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A meeting place of the test's own; plug-ins start no bridge by themselves."""
    folder = tmp_path / "bridge"
    folder.mkdir(mode=0o700)
    monkeypatch.setenv("RTSEP_BRIDGE_DIR", str(folder))
    monkeypatch.setenv("RTSEP_BRIDGE_COMMAND", "")
    return folder


class Bridge:
    """`rtsep bridge` as a process; `program` is what Python runs in the place of `rtsep`."""

    def __init__(self, place: Path, *options: str, program: tuple[str, str] = ("-m", "rtsep.cli")) -> None:
        self._place = place
        self._command = [sys.executable, *program, "bridge", *options]
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        """Return when it waits for plug-ins."""
        with (self._place / "log").open("ab") as log:
            self._process = subprocess.Popen(self._command, stderr=log)
        _until(self._runs)

    def _runs(self) -> bool:
        assert self._process is not None and self._process.poll() is None, (self._place / "log").read_text()
        lock = self._place / "bridge.lock"
        # Asking the kernel: whoever tried the lock would hold it for a moment, and a bridge that starts just then would give way.
        held = [line.split() for line in Path("/proc/locks").read_text().splitlines()] if lock.exists() else []
        return any(f"{self._process.pid}" in row and row[-3].endswith(f":{lock.stat().st_ino}") for row in held)

    def kill(self) -> None:
        """End it as a crash would."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def stop(self) -> int:
        """End it as a user would; returns its exit code."""
        assert self._process is not None
        self._process.terminate()
        return self._process.wait(10)

    @property
    def said(self) -> str:
        """What it wrote so far."""
        return (self._place / "log").read_text()


@pytest.fixture
def bridge(place: Path) -> Iterator[Bridge]:
    """A bridge with the passthrough model."""
    running = Bridge(place, "--model", "passthrough")
    yield running
    running.stop()


def _until(condition: Callable[[], bool], limit_s: float = 20.0) -> None:
    end = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


@pytest.fixture
def until() -> Callable[..., None]:
    """Wait for a condition."""
    return _until


@pytest.fixture
def music() -> NDArray[np.float32]:
    """Two seconds of 16-bit noise, `[2, frames]`: its half, quarter and eighths add up without rounding."""
    rng = np.random.default_rng(6)
    return (rng.integers(-(2**15), 2**15, (2, 2 * 44100)) / 2**15).astype(np.float32)
