"""The engine as a JACK client, on a real server: bits, latency ranges, MIDI, block sizes, and no server at all."""

from __future__ import annotations

import contextlib
import itertools
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import jack
import numpy as np
import pytest

from rtsep.config import MidiBinding, MidiMessage
from rtsep.control.midi_map import install
from rtsep.engine.session import Engine
from rtsep.errors import DeviceError
from rtsep.io.jack_client import CAPTURE, OUTPUT_PORTS, PLAYBACK, JackBackend
from rtsep.models.passthrough import SHARES
from rtsep.models.separator import Audio
from rtsep.realtime import layout as at
from tests.io.jack_probe import engine_on_jack, latency_range, probed, wait_until
from tests.jack_server import StartServer

pytestmark = pytest.mark.jack

RATE = 44_100
FAR = 10_000_000
"""A frame to which the transport jumps."""

GAINS = np.array([1.0, *SHARES.values()], np.float32).repeat(2)
"""What passthrough does to the input on the way to each output."""


def noise(frames: int) -> Audio:
    return (0.2 * np.random.default_rng(5).standard_normal((2, frames))).astype(np.float32)


def expected(signal: Audio, latency: int, frames: int) -> Audio:
    """What every output must be, `[OUTPUTS, frames]`."""
    late = np.zeros((2, frames), np.float32)
    late[:, latency:] = signal[:, : frames - latency]
    return np.tile(late, (len(OUTPUT_PORTS) // 2, 1)) * GAINS[:, None]


@pytest.mark.parametrize("period", [64, 128, 256, 512, 1024])
def test_mix_and_stems_are_exact_to_the_last_bit(jack_server: StartServer, period: int) -> None:
    jack_server(period=period)
    signal = noise(3 * RATE)
    with engine_on_jack(tier="46ms") as (engine, backend), probed(signal, backend) as probe:
        heard = probe.run(signal.shape[1])
        latency = engine.latency.frames
    assert np.array_equal(heard, expected(signal, latency, signal.shape[1]))
    stems = heard[2:].reshape(4, 2, -1)
    assert np.array_equal(((stems[3] + stems[2]) + stems[1]) + stems[0], heard[:2])


@pytest.mark.parametrize("period", [64, 1024])
def test_the_reported_latency_is_the_measured_one_in_both_directions(jack_server: StartServer, period: int) -> None:
    jack_server(period=period)
    click = np.zeros((2, RATE), np.float32)
    click[:, 1000] = 1.0
    with engine_on_jack() as (engine, backend), probed(click, backend) as probe:
        heard = probe.run(RATE)
        latency = engine.latency.frames
        reported = {latency_range(port, CAPTURE) for port in probe.sink.inports}
        backwards = {latency_range(port, PLAYBACK) for port in probe.source.outports}
    assert [int(np.argmax(channel)) for channel in heard] == [1000 + latency] * len(OUTPUT_PORTS)
    assert reported == {(latency, latency)}
    assert backwards == {(latency, latency)}


def test_the_transport_may_roll_jump_and_stop_without_touching_what_goes_through(jack_server: StartServer) -> None:
    jack_server(period=256)
    signal = noise(3 * RATE)
    with engine_on_jack(tier="12ms") as (engine, backend), probed(signal, backend) as probe, conductor() as seen:
        heard = probe.run(signal.shape[1])
        latency = engine.latency.frames
        reported = {latency_range(port, CAPTURE) for port in probe.sink.inports}
        backwards = {latency_range(port, PLAYBACK) for port in probe.source.outports}
        assert engine.status().late_hops == 0
    assert np.array_equal(heard, expected(signal, latency, signal.shape[1]))
    assert reported == backwards == {(latency, latency)}
    assert {jack.ROLLING, jack.STOPPED} <= {state for state, _ in seen}
    places = np.array([place for _, place in seen])
    assert places.max() > FAR and np.diff(places).min() < -FAR / 2  # it has jumped there and back


def test_a_controller_moves_the_fader_in_the_cycle_and_at_the_frame_of_its_message(jack_server: StartServer) -> None:
    jack_server(period=512)
    signal = np.full((2, 2 * RATE), 0.5, np.float32)
    frame = 60 * 512 + 123
    with engine_on_jack() as (engine, backend), probed(signal, backend) as probe:
        binding = MidiBinding(when=MidiMessage(type="cc", number=20, channel=3), to="stem.vocals.gain_db")
        install(engine.context, [binding])
        probe.events.append((frame, bytes([0xB2, 20, 0])))
        heard = probe.run(signal.shape[1])
        assert engine.status().midi_events == 1
        ramp = engine.stream.rate * at.RAMP_MS // 1000
    vocals, drums = heard[2].astype(np.float64), heard[4]
    settled = engine.latency.frames + 512
    assert np.ptp(drums[settled:]) == 0.0
    moving = np.flatnonzero(np.diff(vocals[settled:])) + settled + 1
    # The first frame of the ramp is the message's own.
    assert (moving[0], moving[-1]) == (frame, frame + ramp - 1)
    assert vocals[-1] == 0.0
    assert np.abs(np.diff(vocals[settled:])).max() <= 0.25 / ramp + 1e-6  # rounding of the last step


def test_a_server_that_changes_its_period_is_followed(jack_server: StartServer) -> None:
    jack_server(period=512)
    with engine_on_jack(tier="3ms") as (engine, backend):
        before = engine.latency.frames
        with probed(noise(RATE), backend) as probe:
            subprocess.run(["jack_bufsize", "64"], check=True, capture_output=True)
            wait_until(lambda: engine.stream.block == 64)
            after = engine.latency.frames
            assert after < before
            wait_until(lambda: {latency_range(port, CAPTURE) for port in probe.sink.inports} == {(after, after)})
        _settle(engine)
        signal = noise(RATE)
        with probed(signal, backend) as probe:
            heard = probe.run(RATE)
        assert np.array_equal(heard, expected(signal, after, RATE))


def test_a_second_client_gets_a_name_of_its_own(jack_server: StartServer) -> None:
    jack_server()
    with engine_on_jack() as (_, first):
        second = JackBackend()
        second.open()
        assert first.client_name == "rtsep"
        assert second.client_name != first.client_name
        second.stop()


def test_without_a_server_there_is_a_sentence_with_the_next_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JACK_NO_START_SERVER", "1")
    with pytest.raises(DeviceError, match=r'No JACK server "nobody-is-here" answers.*jackd -d dummy'):
        JackBackend(server="nobody-is-here").open()


@contextlib.contextmanager
def conductor() -> Iterator[list[tuple[Any, int]]]:
    """Who starts, locates and stops the transport, again and again; yields its state and frame of every cycle so far."""
    client = jack.Client("conductor", no_start_server=True)
    seen: list[tuple[Any, int]] = []

    def locate(frame: int) -> None:
        client.transport_frame = frame

    moves = itertools.cycle((client.transport_start, lambda: locate(FAR), client.transport_stop, lambda: locate(0)))

    def cycle(_frames: int) -> None:
        seen.append((client.transport_state, client.transport_frame))
        if len(seen) % 30 == 0:
            next(moves)()

    client.set_process_callback(cycle)
    client.activate()
    try:
        yield seen
    finally:
        client.deactivate()
        client.close()


def _settle(engine: Engine) -> None:
    """Wait until the stems have been heard long enough for every hold and fade to be over."""
    wait_until(lambda: engine.status().state == "separated")
    dry, end = engine.status().dry_seconds, engine.status().seconds + 1.0
    while engine.status().seconds < end:
        if engine.status().dry_seconds > dry:
            dry, end = engine.status().dry_seconds, engine.status().seconds + 1.0
        time.sleep(0.01)
