"""Real inference processes: killed, refused, orphaned."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest

from rtsep.engine.request import WorkerRequest
from rtsep.engine.session import Engine
from rtsep.engine.supervisor import Supervisor, WorkerState
from rtsep.io.null import NullBackend
from rtsep.realtime import layout as at
from rtsep.realtime.segment import Segment

LIMIT_S = 60.0
"""A busy machine may take its time; nothing here asserts on it."""


def wait_until(true: Callable[[], bool]) -> None:
    until = time.monotonic() + LIMIT_S
    while not true():
        assert time.monotonic() < until, "it did not happen"
        time.sleep(0.01)


@pytest.fixture
def running() -> Iterator[tuple[Engine, list[str]]]:
    """An engine on the null backend whose stems are heard, and the sentences it says."""
    said: list[str] = []
    backend = NullBackend()
    engine = Engine(backend.open(), model="passthrough", realtime=False, on_event=said.append)
    backend.start(engine)
    engine.start()
    try:
        wait_until(lambda: engine.status().state == "separated" and engine.status().hops > 0)
        yield engine, said
    finally:
        backend.stop()
        engine.stop()


def test_a_killed_model_process_is_replaced_and_the_dry_mix_goes_on_meanwhile(running: tuple[Engine, list[str]]) -> None:
    engine, said = running
    killed = engine.supervisor.pid
    assert killed is not None
    hops, before = engine.status().hops, engine.status()
    os.kill(killed, signal.SIGKILL)
    wait_until(lambda: engine.status().state == "restarting")
    wait_until(lambda: engine.status().state == "separated" and engine.status().hops > hops)
    after = engine.status()
    assert engine.supervisor.pid != killed
    assert after.restarts == 1
    assert after.dry_seconds > before.dry_seconds
    assert any("SIGKILL" in text and "the dry mix goes on" in text for text in said)


def test_stopping_an_engine_ends_its_process() -> None:
    backend = NullBackend()
    engine = Engine(backend.open(), model="passthrough", realtime=False)
    engine.start()
    assert engine.supervisor.wait_until_running(LIMIT_S)
    pid = engine.supervisor.pid
    assert pid is not None
    engine.stop()
    assert engine.supervisor.state is WorkerState.STOPPED
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_an_error_that_another_attempt_cannot_mend_is_told_once_and_not_retried() -> None:
    said: list[str] = []
    segment = Segment.create(rate=44_100, hop=512, model_latency=0, latency=1024, stems=("vocals",))
    request = WorkerRequest(
        descriptor=segment.descriptor,
        capacity=segment.capacity,
        epoch=0,
        model="passthrough",
        tier="13ms",
        rate=44_100,
        realtime=False,
    )
    supervisor = Supervisor(segment, request, on_event=said.append)
    supervisor.start()
    try:
        assert not supervisor.wait_until_running(LIMIT_S)
        assert supervisor.state is WorkerState.FAILED
        assert supervisor.restarts == 0
        assert 'no tier "13ms"' in supervisor.reason
        assert 'Did you mean "3ms"?' in supervisor.reason or 'Did you mean "12ms"?' in supervisor.reason
        assert said == [supervisor.reason]
        assert segment.header[at.EPOCH] == 1
        assert segment.header[at.GIVEN_UP] == 1
    finally:
        supervisor.stop()
        segment.close()


_ORPHANAGE = """
import sys, time
from rtsep.engine.session import Engine, StreamFormat
engine = Engine(StreamFormat(44100, 256), model="passthrough", realtime=False)
engine.start()
engine.supervisor.wait_until_running(60.0)
print(engine.supervisor.pid, flush=True)
time.sleep(60.0)
"""


def test_a_model_process_does_not_outlive_the_audio_process() -> None:
    parent = subprocess.Popen([sys.executable, "-c", _ORPHANAGE], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    with parent.stdout:
        orphan = int(parent.stdout.readline())
    parent.kill()
    parent.wait()

    def is_gone() -> bool:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError), open(f"/proc/{orphan}/stat") as file:  # noqa: PTH123
            return file.read().rsplit(")", 1)[1].split()[0] == "Z"  # nobody may be there to bury it
        return True

    wait_until(is_gone)
