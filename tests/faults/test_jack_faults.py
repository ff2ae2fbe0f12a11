"""A JACK server that dies and returns, an engine that dies under a JACK client, and a `rtsep run` that is told to end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import jack
import pytest

from rtsep.engine.session import Engine
from rtsep.io.jack_client import JackBackend
from rtsep.io.keeper import DeviceKeeper
from rtsep.io.loop import reported_to_jack
from rtsep.realtime import layout as at
from tests.faults.restarting_server import RestartingServer
from tests.faults.test_process_faults import eventually

pytestmark = pytest.mark.jack


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[RestartingServer]:
    one = RestartingServer()
    monkeypatch.setenv("JACK_DEFAULT_SERVER", one.name)
    monkeypatch.setenv("JACK_NO_START_SERVER", "1")
    one.start()
    yield one
    one.end()


def wires_of(server: RestartingServer, port: str) -> set[str]:
    probe = server.client("rtsep-probe")
    try:
        return {other.name for other in probe.get_all_connections(probe.get_port_by_name(port))}
    except jack.JackError:
        return set()
    finally:
        probe.close()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_server_that_ends_and_returns_finds_the_engine_again_wired_as_it_was(
    server: RestartingServer, how: signal.Signals
) -> None:
    told: list[str] = []
    backend = JackBackend("engine")
    engine = Engine(backend.open(), model="passthrough")
    backend.start(engine)
    engine.start()
    keeper = DeviceKeeper(backend, engine, on_event=told.append)
    keeper.start()
    try:
        wiring = server.client("rtsep-wiring")
        wiring.connect("system:capture_2", "engine:in_1")
        wiring.connect("engine:vocals_1", "system:playback_2")
        wiring.close()
        assert eventually(lambda: engine.status().state == "separated")
        server.end(how)
        assert eventually(lambda: engine.status().state == "no device")
        assert eventually(lambda: "No JACK server" in engine.status().reason)
        server.start()
        assert eventually(lambda: engine.status().state == "separated")
        cycles = int(engine.segment.header[at.CYCLES])
        assert eventually(lambda: int(engine.segment.header[at.CYCLES]) > cycles + 50)
        assert eventually(lambda: wires_of(server, "engine:in_1") == {"system:capture_2"})
        assert wires_of(server, "engine:vocals_1") == {"system:playback_2"}
        assert wires_of(server, "engine:mix_1") == set()
        assert keeper.losses == 1
        assert "back" in told[-1]
    finally:
        keeper.stop()
        backend.stop()
        engine.stop()


def test_a_server_that_returns_with_another_period_gets_the_latency_of_that_period(server: RestartingServer) -> None:
    backend = JackBackend("engine")
    engine = Engine(backend.open(), model="passthrough")
    backend.start(engine)
    engine.start()
    keeper = DeviceKeeper(backend, engine)
    keeper.start()
    try:
        server.end(signal.SIGKILL)
        server.period = 1024
        server.start()
        assert eventually(lambda: keeper.losses == 1 and engine.status().state == "separated")
        assert engine.stream.block == 1024
        assert engine.segment.header[at.LATENCY] == engine.latency.frames
    finally:
        keeper.stop()
        backend.stop()
        engine.stop()


def test_a_server_that_returns_at_another_rate_changes_the_model_over(server: RestartingServer) -> None:
    told: list[str] = []
    backend = JackBackend("engine")
    engine = Engine(backend.open(), model="passthrough")
    backend.start(engine)
    engine.start()
    keeper = DeviceKeeper(backend, engine, on_event=told.append)
    keeper.start()
    try:
        assert eventually(lambda: engine.status().state == "separated")
        server.end(signal.SIGKILL)
        server.rate = 48_000
        server.start()
        assert eventually(lambda: any("48000 Hz" in text for text in told))
        assert eventually(lambda: engine.status().state == "separated")
        assert engine.spec.rate == engine.stream.rate == engine.segment.header[at.RATE] == 48_000
        assert engine.segment.header[at.LATENCY] == engine.latency.frames
        assert reported_to_jack("engine:in_1", "engine:mix_1") == engine.latency.frames
    finally:
        keeper.stop()
        backend.stop()
        engine.stop()


class RunningCommand:
    """`rtsep run` in a process of its own, its talk collected."""

    def __init__(self, *options: str) -> None:
        command = [sys.executable, "-m", "rtsep.cli", "run", "--model", "passthrough", *options]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr
        self.lines.extend(iter(self.process.stderr.readline, ""))

    def says(self, text: str) -> bool:
        return eventually(lambda: any(text in line for line in self.lines))

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._reader.join()
        for stream in (self.process.stdout, self.process.stderr):
            assert stream
            stream.close()


def children_of(pid: int) -> list[int]:
    return [int(child) for task in Path(f"/proc/{pid}/task").iterdir() for child in (task / "children").read_text().split()]


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_ends_by_itself_with_code_0_and_takes_its_model_with_it(how: signal.Signals) -> None:
    run = RunningCommand("--backend", "null")
    try:
        assert run.says("hop to fill")
        assert eventually(lambda: bool(children_of(run.process.pid)))
        children = children_of(run.process.pid)
        run.process.send_signal(how)
        assert run.process.wait(30.0) == 0
        assert eventually(lambda: not any(Path(f"/proc/{child}").exists() for child in children))
    finally:
        run.end()


def test_an_engine_that_is_killed_leaves_the_graph_and_no_process_and_other_clients_go_on(server: RestartingServer) -> None:
    run = RunningCommand("--backend", "jack")
    daw = server.client("daw")
    cycles = iter(range(1 << 30))
    seen = [0]

    @daw.set_process_callback
    def process(_frames: int) -> None:
        seen[0] = next(cycles)

    try:
        sink = daw.inports.register("from_rtsep")
        daw.activate()
        assert run.says("hop to fill")
        assert eventually(lambda: bool(daw.get_ports("rtsep:mix_1")))
        daw.connect("rtsep:mix_1", sink)
        assert eventually(lambda: bool(children_of(run.process.pid)))
        children = children_of(run.process.pid)
        os.kill(run.process.pid, signal.SIGKILL)
        assert eventually(lambda: not daw.get_ports("rtsep:.*"))
        at_death = seen[0]
        assert eventually(lambda: seen[0] > at_death + 50)
        assert eventually(lambda: not any(Path(f"/proc/{child}").exists() for child in children))
    finally:
        run.end()
        daw.deactivate()
        daw.close()


def test_an_engine_that_is_frozen_for_a_while_comes_back_at_the_same_latency(server: RestartingServer) -> None:
    run = RunningCommand("--backend", "jack")
    try:
        assert run.says("hop to fill")
        time.sleep(0.5)
        run.process.send_signal(signal.SIGSTOP)
        time.sleep(1.5)
        run.process.send_signal(signal.SIGCONT)
        probe = server.client("rtsep-probe")
        try:
            assert eventually(lambda: bool(probe.get_ports("rtsep:mix_1")))
        finally:
            probe.close()
        run.process.send_signal(signal.SIGINT)
        assert run.process.wait(30.0) == 0
        assert not any("no sign of life" in line for line in run.lines)
    finally:
        run.end()
