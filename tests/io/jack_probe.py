"""A source and a sink in the JACK graph around the engine, which play and record by the server's frame clock.

Two clients rather than one: with both ends in one client the graph would be a loop, and JACK breaks loops with a period of delay.
Under freewheel the server runs as fast as its clients, and waits for them.
"""

from __future__ import annotations

import contextlib
import ctypes
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jack
import numpy as np

from rtsep.engine.session import Engine
from rtsep.io.jack_client import INPUT_PORTS, MIDI_PORT, OUTPUT_PORTS, JackBackend, LatencyRange
from rtsep.models.separator import Audio

LIMIT_S = 60.0

MidiEvent = tuple[int, bytes]
"""Frame of the signal at which it is sent, and its bytes."""


def latency_range(port: Any, direction: int) -> tuple[int, int]:
    """Least and greatest latency that the graph reports at a port: from the input (`CAPTURE`) or to the output (`PLAYBACK`)."""
    reach = LatencyRange()
    pointer = int(jack._ffi.cast("uintptr_t", port._ptr))
    ctypes.CDLL("libjack.so.0").jack_port_get_latency_range(ctypes.c_void_p(pointer), direction, ctypes.byref(reach))
    return reach.min, reach.max


def wait_until(true: Callable[[], bool]) -> None:
    """Wait for what the server does in its own time."""
    until = time.monotonic() + LIMIT_S
    while not true():
        assert time.monotonic() < until, "it did not happen"
        time.sleep(0.005)


class Probe:
    """Plays a signal into `rtsep:in_*` and records what leaves.

    Attributes:
        source, sink: the two clients.
        events: MIDI that is sent along with the signal.
        may_start: asked at the beginning of each cycle whether the signal may begin with it.
    """

    def __init__(self, signal: Audio, *, inputs: Sequence[str], outputs: Sequence[str], midi: str = "") -> None:
        """Connect to the named ports; nothing is played yet."""
        self.signal = signal
        self.events: list[MidiEvent] = []
        self.may_start: Callable[[], bool] = lambda: True
        self.source = jack.Client("probe-source", no_start_server=True)
        self.sink = jack.Client("probe-sink", no_start_server=True)
        self._outs = [self.source.outports.register(f"out_{i}") for i in range(len(inputs))]
        self._midi = self.source.midi_outports.register("midi")
        self._ins = [self.sink.inports.register(f"in_{i}") for i in range(len(outputs))]
        self._start = -1
        self._armed = False
        self._recorded: list[tuple[int, Audio]] = []
        self.source.set_process_callback(self._play)
        self.sink.set_process_callback(self._record)
        self.source.activate()
        self.sink.activate()
        for port, name in zip(self._outs, inputs, strict=True):
            self.source.connect(port, name)
        for port, name in zip(self._ins, outputs, strict=True):
            self.sink.connect(name, port)
        if midi:
            self.source.connect(self._midi, midi)

    def _play(self, n: int) -> None:
        self._midi.clear_buffer()
        if self._armed and self._start < 0 and self.may_start():
            self._start = self.source.last_frame_time
        at = self.source.last_frame_time - self._start if self._start >= 0 else len(self.signal[0])
        block = np.zeros((len(self._outs), n), np.float32)
        there = self.signal[:, at : at + n]
        block[:, : there.shape[1]] = there
        for port, samples in zip(self._outs, block, strict=True):
            port.get_array()[:] = samples
        for frame, data in self.events:
            if at <= frame < at + n:
                self._midi.write_midi_event(frame - at, data)

    def _record(self, n: int) -> None:
        if self._start >= 0:
            at = self.sink.last_frame_time - self._start
            self._recorded.append((at, np.stack([port.get_array().copy() for port in self._ins])))

    def run(self, frames: int, *, freewheel: bool = True) -> Audio:
        """Play, and return the first frames that were recorded since, `[outputs, frames]`; NaN where a cycle is missing."""
        if freewheel:
            self.source.set_freewheel(True)
        self._armed = True
        wait_until(lambda: bool(self._recorded) and self._recorded[-1][0] + self._recorded[-1][1].shape[1] >= frames)
        if freewheel:
            self.source.set_freewheel(False)
        return self.recording(frames)

    def recording(self, frames: int) -> Audio:
        """What was recorded so far, `[outputs, frames]`."""
        heard = np.full((len(self._ins), frames), np.nan, np.float32)
        for at, block in list(self._recorded):
            if at < frames:
                heard[:, at : at + block.shape[1]] = block[:, : frames - at]
        return heard

    def close(self) -> None:
        """Leave the graph."""
        for client in (self.source, self.sink):
            client.deactivate()
            client.close()


@contextlib.contextmanager
def probe(signal: Audio, **ports: Any) -> Iterator[Probe]:
    """A probe for the time of the context."""
    it = Probe(signal, **ports)
    try:
        yield it
    finally:
        it.close()


@contextlib.contextmanager
def engine_on_jack(model: str = "passthrough", tier: str | None = None) -> Iterator[tuple[Engine, JackBackend]]:
    """An engine on the server of this test, its model loaded."""
    backend = JackBackend()
    engine = Engine(backend.open(), model=model, tier=tier, realtime=False)
    backend.start(engine)
    engine.start()
    try:
        assert engine.supervisor.wait_until_running(LIMIT_S), engine.supervisor.reason
        yield engine, backend
    finally:
        backend.stop()
        engine.stop()


@contextlib.contextmanager
def probed(signal: Audio, backend: JackBackend) -> Iterator[Probe]:
    """A probe on all ports of an engine's client."""
    name = backend.client_name
    with probe(
        signal,
        inputs=[f"{name}:{port}" for port in INPUT_PORTS],
        outputs=[f"{name}:{port}" for port in OUTPUT_PORTS],
        midi=f"{name}:{MIDI_PORT}",
    ) as it:
        yield it
