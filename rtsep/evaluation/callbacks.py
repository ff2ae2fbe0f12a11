"""The compiled callback beside a plain Python one, while another thread of the same process burns the GIL.

Both do the same on a JACK server without sound card: put the input into a ring, take four stereo stems out of rings, ramp gains,
add the mix up, fill ten ports. The Python callback is what JACK-Client documents, with numpy doing the arithmetic. Each runs in a
process of its own with one more thread, a pure Python loop, which asks for the GIL all the time.

A cycle is *missed* if the server went on without the client. Both are counted the same way, outside the callbacks: the server's
frame clock says how many cycles there were, the client's own counter how many it served.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from typing import Any, Protocol

import msgspec
import numpy as np

from rtsep.errors import RtsepError
from rtsep.io.jack_client import JackBackend, load_library
from rtsep.io.jack_dummy import dummy_server
from rtsep.realtime import layout as at

PERIODS = (64, 128, 256, 512)
RATE = 44_100
KINDS = ("compiled", "python")
_ROUNDS = 2
"""Both kinds take turns this often, so that a busy spell of the machine does not hit one of them alone."""

_SETTLE_S = 0.5
_QUIET_S = 0.05


class MissedCycles(msgspec.Struct, frozen=True):
    """Cycles the server had, and cycles that went by without the client."""

    period: int
    cycles: dict[str, int]
    missed: dict[str, int]

    def share(self, kind: str) -> float:
        """Missed cycles of `compiled` or `python`, 0 … 1."""
        return self.missed[kind] / max(1, self.cycles[kind])

    @property
    def ratio(self) -> float:
        """Share missed by the compiled callback over that of the Python one; 0 is best."""
        theirs = self.share("python")
        return self.share("compiled") / theirs if theirs else float("nan")


class _Client(Protocol):
    def start(self) -> None: ...

    def stop(self) -> None: ...

    def served(self) -> int:
        """Callbacks so far."""
        ...


class PythonCallback:
    """A JACK client whose process callback is Python."""

    def __init__(self) -> None:
        capacity = 1 << 16
        self._client = load_library().Client("rtsep-python", no_start_server=True)
        self._ins = [self._client.inports.register(f"in_{c}") for c in range(at.CHANNELS)]
        self._outs = [self._client.outports.register(f"out_{c}") for c in range(at.OUTPUTS)]
        self._source = np.zeros((at.CHANNELS, capacity), np.float32)
        self._stems = np.zeros((at.SLOTS, at.CHANNELS, capacity), np.float32)
        self._gain = np.ones(at.SLOTS, np.float32)
        self._target = np.ones(at.SLOTS, np.float32)
        self._position = 0
        self._count = 0
        self._client.set_process_callback(self._process)

    def _process(self, n: int) -> None:
        capacity = self._source.shape[1]
        here = self._position % capacity  # periods and capacity are powers of two: a block never wraps
        for c, port in enumerate(self._ins):
            self._source[c, here : here + n] = port.get_array()
        behind = (self._position - 8 * n) % capacity
        ramps = np.linspace(self._gain, self._target, n, dtype=np.float32).T
        heard = self._stems[:, :, behind : behind + n] * ramps[:, None, :]
        for port, samples in zip(self._outs, (*heard.sum(axis=0), *heard.reshape(-1, n)), strict=True):
            port.get_array()[:] = samples
        self._gain[:] = self._target
        self._position += n
        self._count += 1

    def start(self) -> None:
        """Let the server call."""
        self._client.activate()

    def stop(self) -> None:
        """Leave the server."""
        self._client.deactivate()
        self._client.close()

    def served(self) -> int:
        """Callbacks so far."""
        return self._count


class CompiledCallback:
    """The engine as `rtsep run` has it on JACK, with its inference process."""

    def __init__(self) -> None:
        from rtsep.engine.session import Engine

        self._backend = JackBackend("rtsep-compiled")
        self._engine = Engine(self._backend.open(), model="passthrough")

    def start(self) -> None:
        """Let the server call, and wait for the model."""
        self._backend.start(self._engine)
        self._engine.start()
        self._engine.supervisor.wait_until_running(30.0)

    def stop(self) -> None:
        """Leave the server."""
        self._backend.stop()
        self._engine.stop()

    def served(self) -> int:
        """Callbacks so far."""
        return int(self._engine.segment.header[at.CYCLES])


class _GilBurner:
    """A thread that never gives the GIL up of itself."""

    def __init__(self) -> None:
        self._stop = False
        self._thread = threading.Thread(target=self._burn, daemon=True)

    def _burn(self) -> None:
        count = 0
        while not self._stop:
            count += 1

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._stop = True
        self._thread.join()


def _reading(client: _Client, observer: Any, period: int) -> tuple[int, int]:
    """Cycles of the server and cycles served, of one moment."""
    while True:
        served = client.served()
        frame = int(observer.last_frame_time)
        if client.served() == served:
            return frame // period, served


def _count(kind: str, seconds: float) -> dict[str, int]:
    """In a process of its own: serve while the GIL burns, and count."""
    client: _Client = CompiledCallback() if kind == "compiled" else PythonCallback()
    observer = load_library().Client("rtsep-observer", no_start_server=True)
    period = int(observer.blocksize)
    client.start()
    try:
        time.sleep(_SETTLE_S)
        before = _reading(client, observer, period)
        with _GilBurner():
            time.sleep(seconds)
        time.sleep(_QUIET_S)
        after = _reading(client, observer, period)
    finally:
        client.stop()
        observer.close()
    cycles = after[0] - before[0]
    return {"cycles": cycles, "missed": max(0, cycles - (after[1] - before[1]))}


def compare(period: int, seconds: float) -> MissedCycles:
    """Run both kinds of callback in turn on servers of one period.

    Args:
        period: frames per cycle, a power of two.
        seconds: for each kind, in all.

    Raises:
        DeviceError: JACK is not installed.
        RtsepError: a client failed.
    """
    cycles = dict.fromkeys(KINDS, 0)
    missed = dict.fromkeys(KINDS, 0)
    for _ in range(_ROUNDS):
        for kind in KINDS:
            with dummy_server(rate=RATE, period=period, realtime=True):
                command = [sys.executable, "-m", "rtsep.evaluation.callbacks", kind, str(seconds / _ROUNDS)]
                done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
                raise RtsepError(f"The {kind} callback could not be measured: {reason}")
            counted = json.loads(done.stdout.splitlines()[-1])
            cycles[kind] += counted["cycles"]
            missed[kind] += counted["missed"]
    return MissedCycles(period, cycles, missed)


if __name__ == "__main__":
    print(json.dumps(_count(sys.argv[1], float(sys.argv[2]))))
