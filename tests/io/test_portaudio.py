"""PortAudio over a real JACK server: our compiled callback in its stream, and devices by a part of their name."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import pytest

from rtsep.engine.session import Engine
from rtsep.errors import DeviceError
from rtsep.io.portaudio import Device, PortAudioBackend, devices, find_device, release
from tests.io.jack_probe import LIMIT_S, probe
from tests.jack_server import StartServer

RATE = 44_100
PERIOD = 256

LISTED = [
    Device(0, "Scarlett 2i2 USB", "ALSA", 2, 2, 48_000),
    Device(1, "Scarlett Solo USB", "ALSA", 1, 2, 48_000),
    Device(2, "HDMI", "ALSA", 0, 8, 44_100),
    Device(3, "system", "JACK Audio Connection Kit", 2, 2, 44_100),
    Device(4, "system", "JACK Loopback", 2, 2, 44_100),
]


@pytest.mark.parametrize(
    ("wanted", "index"), [("2i2", 0), ("scarlett solo", 1), ("hdmi", 2), ("2", 2), ("JACK Audio", 3), ("system, JACK L", 4)]
)
def test_a_part_of_a_name_or_of_its_host_finds_a_device(wanted: str, index: int) -> None:
    assert find_device(LISTED, wanted, "output").index == index


def test_without_a_name_the_default_device_is_taken_and_without_a_default_the_first_that_fits() -> None:
    assert find_device(LISTED, "", "input", default_index=3).index == 3
    assert find_device(LISTED, "", "input", default_index=-1).index == 0
    assert find_device(LISTED, "", "input", default_index=2).index == 0  # the default has no input


def test_an_ambiguous_name_lists_the_candidates_and_no_other() -> None:
    with pytest.raises(DeviceError) as caught:
        find_device(LISTED, "scarlett", "input")
    said = str(caught.value)
    assert '2 input devices match "scarlett"' in said
    assert "[0] Scarlett 2i2 USB" in said
    assert "[1] Scarlett Solo USB" in said
    assert "HDMI" not in said
    assert "system" not in said


def test_an_unknown_name_lists_what_there_is_for_this_direction() -> None:
    with pytest.raises(DeviceError) as caught:
        find_device(LISTED, "fireface", "input")
    said = str(caught.value)
    assert 'No input device matches "fireface"' in said
    assert "Scarlett Solo" in said
    assert "HDMI" not in said
    assert "rtsep devices" in said


def test_a_machine_without_devices_is_told_what_works_without() -> None:
    with pytest.raises(DeviceError, match=r"no audio input device.*--backend null"):
        find_device([LISTED[2]], "", "input")


@pytest.fixture
def server(jack_server: StartServer) -> Iterator[StartServer]:
    """A server that PortAudio leaves before it ends."""
    yield jack_server
    release()


@pytest.fixture
def on_portaudio(server: StartServer) -> Iterator[tuple[Engine, PortAudioBackend]]:
    """An engine in a PortAudio stream on a JACK server's `system` device."""
    server(period=PERIOD, rate=RATE)
    backend = PortAudioBackend("system", "system")
    engine = Engine(backend.open(), model="passthrough", freewheel=True)  # a late hop is waited for, so there is no dry sound
    engine.start()
    try:
        assert engine.supervisor.wait_until_running(LIMIT_S), engine.supervisor.reason
        backend.start(engine)
        yield engine, backend
    finally:
        backend.stop()
        engine.stop()


@pytest.mark.jack
def test_a_jack_server_appears_as_a_device(server: StartServer) -> None:
    assert not any(device.host.startswith("JACK") for device in devices())
    server(period=PERIOD)
    found = [device for device in devices() if device.host.startswith("JACK")]
    assert [(device.name, device.inputs, device.outputs, device.rate) for device in found] == [("system", 2, 2, RATE)]


@pytest.mark.jack
def test_a_portaudio_stream_is_exact_to_the_last_bit_after_the_declared_latency(
    on_portaudio: tuple[Engine, PortAudioBackend],
) -> None:
    engine, _ = on_portaudio
    signal = (0.2 * np.random.default_rng(6).standard_normal((2, 2 * RATE))).astype(np.float32)
    with probe(signal, inputs=["PortAudio:in_0", "PortAudio:in_1"], outputs=["PortAudio:out_0", "PortAudio:out_1"]) as it:
        heard = it.run(signal.shape[1])
    latency = engine.latency.frames
    late = np.concatenate([np.zeros((2, latency), np.float32), signal], axis=1)[:, : heard.shape[1]]
    assert np.array_equal(heard, late)


@pytest.mark.jack
def test_a_rate_that_the_device_does_not_have_is_refused_with_a_sentence(server: StartServer) -> None:
    server(period=PERIOD, rate=RATE)
    with pytest.raises(DeviceError, match=r"cannot run at 12345 Hz.*rtsep devices"):
        PortAudioBackend("system", "system", rate=12_345).open()


@pytest.mark.jack
def test_a_server_that_went_away_under_portaudio_is_a_sentence_and_neither_a_hang_nor_a_crash() -> None:
    done = subprocess.run([sys.executable, "-c", _LOSE_THE_SERVER], capture_output=True, text=True, timeout=LIMIT_S, check=False)
    assert done.returncode == 0, done.stderr
    assert "JACK server that PortAudio was connected to has gone" in done.stdout


_LOSE_THE_SERVER = """
from rtsep.engine.session import Engine
from rtsep.errors import DeviceError
from rtsep.io.jack_dummy import dummy_server
from rtsep.io.portaudio import PortAudioBackend, devices
with dummy_server():
    backend = PortAudioBackend("system", "system")
    engine = Engine(backend.open(), model="passthrough")
    backend.start(engine)
backend.stop()
engine.stop()
try:
    devices()
except DeviceError as error:
    print(error)
"""
