"""One latency: what is printed, what JACK hears, what an impulse takes, and what jack_iodelay measures."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest

from rtsep.dsp import mls
from rtsep.engine.session import Engine
from rtsep.io.jack_client import JackBackend
from rtsep.io.loop import reported_to_jack, through_jack
from rtsep.realtime import layout as at
from tests.faults.fault_plan import FaultPlan
from tests.faults.restarting_server import RestartingServer
from tests.faults.test_process_faults import eventually
from tests.faults.virtual_stage import Stage, counting

BLOCKS = (16, 32, 48, 64, 100, 128, 256, 333, 441, 512, 1000, 1024, 2048, 3000, 4096)
RATES = (44_100, 48_000, 88_200, 96_000, 176_400, 192_000)


def lag(heard: np.ndarray, sent: np.ndarray) -> int:
    """Where the cross-correlation of two recordings has its peak."""
    size = 1 << (2 * len(heard)).bit_length()
    correlation = np.fft.irfft(np.fft.rfft(heard, size) * np.conj(np.fft.rfft(sent, size)), size)
    return int(np.argmax(np.abs(correlation[: len(heard)])))


@pytest.mark.parametrize("block", BLOCKS)
def test_printed_is_measured_for_every_block_size(block: int) -> None:
    stage = Stage(FaultPlan(load=0.5), block=block)
    stage.play(0.6)
    assert not stage.dry()[stage.latency :].any()
    vocals, sent = stage.heard[2], counting(0, stage.heard.shape[1])[0]
    assert np.array_equal(vocals[stage.latency :], sent[: -stage.latency] / 2)
    assert stage.header[at.LATENCY] == stage.latency


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("block", [64, 333, 4096])
def test_printed_is_measured_at_every_rate_also_through_resampling(rate: int, block: int) -> None:
    stage = Stage(FaultPlan(load=0.5), block=block, rate=rate)
    stage.play(1.2)
    assert not stage.dry()[stage.latency :].any()
    heard = stage.heard
    assert lag(heard[2], counting(0, heard.shape[1])[0]) == stage.latency
    assert stage.header[at.LATENCY] == stage.latency
    assert sum(term.frames for term in stage.engine.latency.terms) == stage.latency


@pytest.mark.parametrize("order", [10, 13, 15, 16, 17, 18])
def test_a_maximum_length_sequence_has_a_single_spike(order: int) -> None:
    values = mls.sequence(order)
    spectrum = np.fft.rfft(values)
    correlation = np.round(np.fft.irfft(np.abs(spectrum) ** 2, len(values)))
    assert correlation[0] == len(values)
    assert np.all(correlation[1:] == -1)


@pytest.mark.parametrize("delay", [0, 1, 777, 30_000])
@pytest.mark.parametrize("gain", [0.5, -0.01])
def test_a_sequence_is_found_at_its_delay_under_noise_of_its_own_level(delay: int, gain: float, seed: int) -> None:
    sent = mls.sequence(16)
    noise = np.random.default_rng(seed).standard_normal(len(sent)).astype(np.float32) * abs(gain)
    found = mls.find((gain * np.roll(sent, delay) + noise).astype(np.float32), sent)
    assert found.frames == delay
    assert found.margin_db > 12.0
    assert found.gain == pytest.approx(gain, rel=0.05)


ON_JACK = [(16, 44_100), (100, 48_000), (441, 88_200), (1024, 96_000), (4096, 44_100)]
"""Period and rate: the shortest and the longest, and two that divide no hop."""


@pytest.fixture(params=ON_JACK, ids=str)
def running(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    period, rate = request.param
    server = RestartingServer(rate=rate, period=period)
    monkeypatch.setenv("JACK_DEFAULT_SERVER", server.name)
    monkeypatch.setenv("JACK_NO_START_SERVER", "1")
    server.start()
    backend = JackBackend("engine")
    engine = Engine(backend.open(), model="passthrough", tier="12ms")
    backend.start(engine)
    engine.start()
    assert eventually(lambda: engine.status().state == "separated")
    yield engine
    backend.stop()
    engine.stop()
    server.end()


def jack_iodelay() -> float:
    """Frames that jack_iodelay measures through the engine, its own cycle included."""
    process = subprocess.Popen(["stdbuf", "-oL", "jack_iodelay"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    lines: list[str] = []
    assert process.stdout
    reader = threading.Thread(target=lambda: lines.extend(iter(process.stdout.readline, "")))  # type: ignore[union-attr]
    reader.start()
    try:
        for wire in (("jack_delay:out", "engine:in_1"), ("engine:mix_1", "jack_delay:in")):
            assert eventually(lambda wire=wire: subprocess.run(["jack_connect", *wire], capture_output=True).returncode == 0)

        def measured() -> list[float]:
            return [float(found[1]) for line in lines if (found := re.search(r"([\d.]+) frames.*total roundtrip", line))]

        assert eventually(lambda: len(measured()) > 6)
        return measured()[-1]
    finally:
        process.terminate()
        process.wait()
        reader.join()
        process.stdout.close()


@pytest.mark.jack
def test_printed_is_reported_to_jack_is_measured_by_noise_is_measured_by_jack_iodelay(running: Engine) -> None:
    printed = running.latency.frames
    assert through_jack("engine:mix_1", "engine:in_1").frames == printed
    assert reported_to_jack("engine:in_1", "engine:mix_1") == printed
    assert jack_iodelay() - running.stream.block == pytest.approx(printed, abs=0.01)


@pytest.mark.jack
@pytest.mark.parametrize("running", [(256, 48_000)], indirect=True)
def test_the_command_measures_a_running_engine_and_agrees_with_its_report(running: Engine) -> None:
    time.sleep(0.1)
    done = subprocess.run(
        [sys.executable, "-m", "rtsep.cli", "latency", "--through", "engine"], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert f"measured {running.latency.frames} frames" in done.stdout
    assert f"reported {running.latency.frames} frames" in done.stdout


@pytest.mark.jack
def test_latency_that_grows_under_way_is_reported_and_measured_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    server = RestartingServer()
    monkeypatch.setenv("JACK_DEFAULT_SERVER", server.name)
    monkeypatch.setenv("JACK_NO_START_SERVER", "1")
    server.start()
    backend = JackBackend("engine")
    engine = Engine(backend.open(), model="passthrough", tier="12ms")
    backend.start(engine)
    try:
        before = reported_to_jack("engine:in_1", "engine:mix_1")
        engine.set_reserve(engine.spec.hop)
        backend.latency_changed()
        assert eventually(lambda: reported_to_jack("engine:in_1", "engine:mix_1") == before + engine.spec.hop)
        assert through_jack("engine:mix_1", "engine:in_1").frames == before + engine.spec.hop == engine.latency.frames
    finally:
        backend.stop()
        engine.stop()
        server.end()
