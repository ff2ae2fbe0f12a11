"""Interfaces of 8 and 16 channels, as PortAudio sees them: which inputs are heard, and which output carries which stem."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from rtsep.engine.session import Engine
from rtsep.io.portaudio import PortAudioBackend, devices, release
from rtsep.models.passthrough import SHARES
from tests.io.jack_probe import LIMIT_S, probe
from tests.jack_server import StartServer

pytestmark = pytest.mark.jack

RATE = 44_100
MIX = {"mix": 1.0, **SHARES}
"""What passthrough does to the input on the way to each output."""

MAPS: list[tuple[int, tuple[int, ...], dict[str, tuple[int, int]]]] = [
    (8, (3,), {"mix": (1, 2), "vocals": (3, 4), "drums": (5, 6), "other": (7, 8)}),
    (8, (8, 5), {"vocals": (1, 2), "drums": (3, 4), "bass": (5, 6), "other": (8, 7)}),
    (16, (), {}),
    (16, (1, 2), {"mix": (15, 16), "vocals": (9, 10), "bass": (2, 1)}),
]


@pytest.fixture
def server(jack_server: StartServer) -> Iterator[StartServer]:
    """A server that PortAudio leaves before it ends."""
    yield jack_server
    release()


@pytest.mark.parametrize(("channels", "heard", "played"), MAPS)
def test_each_stem_leaves_on_the_pair_that_it_was_given_after_the_printed_latency(
    server: StartServer, channels: int, heard: tuple[int, ...], played: dict[str, tuple[int, int]]
) -> None:
    server(period=256, rate=RATE, channels=channels)
    found = [device for device in devices() if device.host.startswith("JACK")]
    assert [(device.inputs, device.outputs) for device in found] == [(channels, channels)]
    backend = PortAudioBackend("system", "system", heard=heard, played=played)
    engine = Engine(backend.open(), model="passthrough", freewheel=True)  # a late hop is waited for, so there is no dry sound
    engine.start()
    sources = [channel - 1 for channel in heard or (1, 2)]
    sinks = played or {name: (2 * k + 1, 2 * k + 2) for k, name in enumerate(MIX)}
    last = max(max(pair) for pair in sinks.values())
    signal = (0.2 * np.random.default_rng(8).standard_normal((max(sources) + 1, RATE))).astype(np.float32)
    try:
        assert engine.supervisor.wait_until_running(LIMIT_S), engine.supervisor.reason
        backend.start(engine)
        inputs = [f"PortAudio:in_{k}" for k in range(len(signal))]
        with probe(signal, inputs=inputs, outputs=[f"PortAudio:out_{k}" for k in range(last)]) as it:
            out = it.run(RATE)
        latency = engine.latency.frames
    finally:
        backend.stop()
        engine.stop()
    expected = np.zeros((last, RATE), np.float32)
    for name, pair in sinks.items():
        for side, sink in enumerate(pair):
            expected[sink - 1, latency:] = MIX[name] * signal[sources[min(side, len(sources) - 1)], : RATE - latency]
    assert np.array_equal(out, expected)
