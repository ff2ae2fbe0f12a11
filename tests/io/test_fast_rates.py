"""Devices at 176.4 and 192 kHz: the model works at its own rate behind them, and the delay of that is in the budget."""

from __future__ import annotations

from typing import cast

import numpy as np
import pytest

from rtsep.engine.session import Engine
from rtsep.io.jack_client import CAPTURE
from rtsep.io.null import NullBackend, render
from rtsep.models import registry
from rtsep.models.passthrough import SHARES
from rtsep.models.separator import Audio, Separator
from tests.io.jack_probe import LIMIT_S, engine_on_jack, latency_range, probed
from tests.jack_server import StartServer

RATES = (176_400, 192_000)


def noise(frames: int) -> Audio:
    return (0.2 * np.random.default_rng(7).standard_normal((2, frames))).astype(np.float32)


def soft_clicks(rate: int, frames: int) -> Audio:
    """Two clicks 0.5 ms wide, of which nothing is above what the model's rate can carry."""
    time = np.arange(frames) / rate
    wave = sum(np.exp(-(((time - at) / 0.0005) ** 2)) for at in (0.1, 0.35))
    return np.tile(np.asarray(0.5 * wave, np.float32), (2, 1))


@pytest.mark.parametrize("rate", RATES)
def test_a_live_model_gives_what_it_gives_to_a_file_at_that_rate_after_the_printed_latency(rate: int) -> None:
    backend = NullBackend(rate, 256)
    engine = Engine(backend.open(), model="bandnet", runtime="onnx", freewheel=True)
    engine.start()
    try:
        assert engine.supervisor.wait_until_running(LIMIT_S), engine.supervisor.reason
        mix = noise(rate // 2)
        live = np.concatenate(list(render(engine, mix)), axis=1)
        latency, spec, stems = engine.latency.frames, engine.spec, engine.spec.stems
    finally:
        engine.stop()
    assert spec.rate == rate
    assert [term.name for term in spec.latency_terms if "resampling" in term.name] == ["resampling in", "resampling out"]
    assert np.abs(live[:2, latency:] - mix[:, : live.shape[1] - latency]).max() < 1e-6
    assert not live[:, : latency - spec.latency].any()
    alone = cast(Separator, registry.load("bandnet", rate=rate, runtime="onnx"))
    state = alone.init_state()
    hops = mix.shape[1] // spec.hop
    parts = [alone.step(np.ascontiguousarray(mix[:, k * spec.hop : (k + 1) * spec.hop]), state).copy() for k in range(hops)]
    expected = np.concatenate(parts, axis=2)[:, :, spec.latency :]
    heard = live[2:].reshape(4, 2, -1)[:, :, latency : latency + expected.shape[2]]
    order = [stems.index(name) for name in SHARES]
    assert np.abs(heard - expected[order]).max() < 1e-6
    assert np.abs(expected[stems.index("vocals")]).max() > 1e-3, "the model did something"


@pytest.mark.jack
@pytest.mark.parametrize(("rate", "period"), [(176_400, 256), (192_000, 64), (192_000, 1024)])
def test_on_jack_printed_is_reported_is_heard_in_the_mix_and_in_every_stem(
    jack_server: StartServer, rate: int, period: int
) -> None:
    jack_server(rate=rate, period=period)
    signal = soft_clicks(rate, rate)
    with engine_on_jack(tier="12ms") as (engine, backend), probed(signal, backend) as probe:
        heard = probe.run(signal.shape[1])
        latency = engine.latency.frames
        reported = {latency_range(port, CAPTURE) for port in probe.sink.inports}
    assert engine.stream.rate == rate
    assert reported == {(latency, latency)}
    late = np.pad(signal, ((0, 0), (latency, 0)))[:, : signal.shape[1]]
    shares = np.array([1.0, *SHARES.values()], np.float32).repeat(2)[:, None]
    expected = np.tile(late, (5, 1)) * shares
    # What resampling leaves of the clicks is below 1e-3 of them; a shift of one frame would differ by ten times as much.
    assert np.abs(heard - expected).max() < 1e-3
    assert np.abs(np.roll(heard, 1, axis=1) - expected).max() > 2e-3
