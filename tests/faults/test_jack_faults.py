"""A JACK server that dies and returns, at another rate or period if need be, under an engine that goes on."""

from __future__ import annotations

import signal

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
