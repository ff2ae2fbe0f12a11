"""From a controller's message to the sound it changes, measured on a JACK server without sound card.

One client sends a constant into the engine and, at a known frame of the server's clock, a controller message; another listens to
the mix. The delay runs from that frame to the first one whose level has begun to move, and to the first that stays at its goal.
Both clocks are the server's, so the figure is exact to the sample and free of this machine's scheduling. A cable, USB and the
converter add what they add; the model's latency is no part of it, because gains act on what is heard.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

import msgspec
import numpy as np
from numpy.typing import NDArray

from rtsep.config import MidiBinding, MidiCurve, MidiMessage
from rtsep.control.midi_map import install
from rtsep.engine.session import Engine
from rtsep.errors import RtsepError
from rtsep.io.jack_client import JackBackend, load_library
from rtsep.io.jack_dummy import dummy_server
from rtsep.realtime import layout as at
from rtsep.units import frames_to_ms

PERIODS = (64, 128, 256, 512)
RATE = 48_000
FLOOD_PER_S = 10_000
_LEVEL = 0.5
_CC = 7
_LATE_S = 2.0


class ControlDelay(msgspec.Struct, frozen=True):
    """Delays of one period size, in frames at `RATE`."""

    period: int
    moves: int
    first: tuple[int, int]
    """From message to the first frame that differs: least and most."""
    settled: tuple[int, int]
    """From message to the first frame at the new level: least and most."""

    @property
    def worst_ms(self) -> float:
        """Longest time until the new level stands, in ms."""
        return frames_to_ms(self.settled[1], RATE)


class Flood(msgspec.Struct, frozen=True):
    """What became of far more messages than hands can send."""

    period: int
    sent: int
    applied: int
    """Messages that the engine took in."""
    settled: int
    """Frames from the last message to the first frame at its level, at `RATE`."""

    @property
    def settled_ms(self) -> float:
        """The same in ms."""
        return frames_to_ms(self.settled, RATE)


class _Hand:
    """Sends a constant, and controller messages when told to; notes the frame at which the last one was due."""

    def __init__(self) -> None:
        self._client = load_library().Client("rtsep-hand", no_start_server=True)
        self._audio = [self._client.outports.register(f"out_{c}") for c in (1, 2)]
        self._midi = self._client.midi_outports.register("midi")
        self.wanted: int | None = None
        self.sent_at = -1
        self.more, self.sent, self._due = 0, 0, 0.0
        self._offsets = np.random.default_rng(0)
        self._client.set_process_callback(self._process)

    def _process(self, frames: int) -> None:
        for port in self._audio:
            port.get_array()[:] = _LEVEL
        self._midi.clear_buffer()
        if self.more:
            self._due += FLOOD_PER_S * frames / RATE
            count = min(self.more, int(self._due))
            for i in range(count):
                self._midi.write_midi_event(i * frames // count, (0xB0, _CC, 1 + self.sent % 99))
                self.sent += 1
            self.more, self._due = self.more - count, self._due - count
        elif self.wanted is not None:
            offset = int(self._offsets.integers(frames))
            self._midi.write_midi_event(offset, (0xB0, _CC, self.wanted))
            self.sent_at = self._client.last_frame_time + offset
            self.wanted = None

    def start(self) -> None:
        """Connect to the engine."""
        self._client.activate()
        for port, name in zip([*self._audio, self._midi], ("in_1", "in_2", "midi_in"), strict=True):
            self._client.connect(port, f"rtsep-heard:{name}")

    def stop(self) -> None:
        """Leave the server."""
        self._client.deactivate()
        self._client.close()


class _Ear:
    """Keeps what the mix sounds like, with the frame at which each block began."""

    def __init__(self) -> None:
        self._client = load_library().Client("rtsep-ear", no_start_server=True)
        self._port = self._client.inports.register("in_1")
        self.heard: list[tuple[int, NDArray[np.float32]]] = []
        self._client.set_process_callback(self._process)

    def _process(self, _frames: int) -> None:
        self.heard = [*self.heard[-400:], (self._client.last_frame_time, self._port.get_array().copy())]

    def start(self) -> None:
        """Connect to the engine."""
        self._client.activate()
        self._client.connect("rtsep-heard:mix_1", self._port)

    def stop(self) -> None:
        """Leave the server."""
        self._client.deactivate()
        self._client.close()

    def first_frame(self, after: int, before: float, goal: float) -> tuple[int, int] | None:
        """First frame after `after` that is no longer at `before`, and first that is at `goal`."""
        begun = None
        for start, block in list(self.heard):
            frames = np.arange(start, start + len(block))
            if begun is None and (moved := frames[(frames >= after) & (abs(block - before) > 1e-4)]).size:
                begun = int(moved[0])
            if begun is not None and (there := frames[(frames >= begun) & (abs(block - goal) < 1e-4)]).size:
                return begun, int(there[0])
        return None


@contextlib.contextmanager
def _listening(period: int) -> Iterator[tuple[Engine, _Hand, _Ear]]:
    """An engine between a hand and an ear, on a server of its own."""
    with dummy_server(rate=RATE, period=period, sync=True):  # a late client of ours makes the clock wait, not the figure grow
        backend = JackBackend("rtsep-heard")
        engine = Engine(backend.open(), model="passthrough")
        when = MidiMessage(type="cc", number=_CC)
        install(engine.context, [MidiBinding(when=when, to="master.gain_db", curve=MidiCurve(curve="fader"))])
        backend.start(engine)
        engine.start()
        hand, ear = _Hand(), _Ear()
        try:
            engine.supervisor.wait_until_running(30.0)
            hand.start()
            ear.start()
            time.sleep(1.0)
            yield engine, hand, ear
        finally:
            hand.stop()
            ear.stop()
            backend.stop()
            engine.stop()


def measure(period: int, moves: int = 40) -> ControlDelay:
    """Move a fader between silence and 0 dB and listen.

    Args:
        period: frames per cycle of the server.
        moves: how often.

    Raises:
        RtsepError: no JACK here, or a move was never heard.
    """
    with _listening(period) as (_, hand, ear):
        delays = [_move(hand, ear, *((100, 0.0, _LEVEL) if i % 2 else (0, _LEVEL, 0.0))) for i in range(moves)]
    firsts, goals = zip(*delays, strict=True)
    return ControlDelay(period=period, moves=moves, first=(min(firsts), max(firsts)), settled=(min(goals), max(goals)))


def flood(period: int, seconds: float = 1.0) -> Flood:
    """Send `FLOOD_PER_S` messages a second that keep a fader below 0 dB, then one that puts it there, and listen.

    Args:
        period: frames per cycle of the server.
        seconds: how long, by the server's clock.

    Raises:
        RtsepError: no JACK here, or the last message was never heard.
    """
    with _listening(period) as (engine, hand, ear):
        before = int(engine.segment.header[at.MIDI_EVENTS])
        hand.wanted = 100  # sent when no more is left
        hand.more = round(seconds * FLOOD_PER_S)
        _, goal = _heard(hand, ear, -1.0, _LEVEL)
        applied = int(engine.segment.header[at.MIDI_EVENTS]) - before
        return Flood(period=period, sent=hand.sent + 1, applied=applied, settled=goal - hand.sent_at)


def _move(hand: _Hand, ear: _Ear, value: int, before: float, goal: float) -> tuple[int, int]:
    hand.sent_at = -1
    hand.wanted = value
    first, there = _heard(hand, ear, before, goal)
    return first - hand.sent_at, there - hand.sent_at


def _heard(hand: _Hand, ear: _Ear, before: float, goal: float) -> tuple[int, int]:
    """Wait until the last message is sent and heard; frames of the first change from `before` and of the goal."""
    until = time.monotonic() + _LATE_S
    while time.monotonic() < until:
        time.sleep(0.02)
        if hand.more:
            until = time.monotonic() + _LATE_S
        found = ear.first_frame(hand.sent_at, before, goal) if hand.sent_at >= 0 else None
        if found:
            return found
    raise RtsepError("A fader was moved and nothing was heard. Is another program at work on this machine? Try again.")
