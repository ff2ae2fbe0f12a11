"""An audio device that goes away and comes back, drops callbacks, or changes its rate or block: on a virtual clock."""

from __future__ import annotations

import numpy as np
import pytest

from rtsep.clock import VirtualClock
from rtsep.engine.session import Engine, StreamFormat
from rtsep.errors import DeviceError
from rtsep.io.keeper import RETRY_S, SILENT_S, DeviceKeeper
from rtsep.realtime import layout as at
from rtsep.realtime.block import process
from tests.faults.fault_plan import FaultPlan
from tests.faults.test_model_faults import ROUNDING
from tests.faults.virtual_stage import Stage, counting


class UnpluggedBackend:
    """A device on the virtual clock that can be unplugged, and whose driver may or may not say so.

    Attributes:
        format: what it runs at when it is opened next.
        heard: seconds and outputs of each callback.
    """

    name = "test"

    def __init__(self, clock: VirtualClock, *, tells: bool, level: float = 0.0) -> None:
        self.clock, self._tells, self._level = clock, tells, level
        self.format = StreamFormat(44_100, 256)
        self.heard: list[tuple[float, np.ndarray]] = []
        self.plugged, self.lost, self.running = True, False, False
        self.opened_s: list[float] = []
        clock.every(256 / 44_100, self._cycle)

    def _cycle(self) -> None:
        if self.running and self.plugged:
            n = self.format.block
            outs = np.full((at.OUTPUTS, n), np.nan, np.float32)
            process(self._engine.context.words, np.full((2, n), self._level, np.float32), outs, n)
            self.heard.append((self.clock.now_ns() / 1e9, outs))

    def unplug(self) -> None:
        self.plugged, self.lost = False, self._tells

    def plug_in(self) -> None:
        self.plugged = True

    def open(self) -> StreamFormat:
        self.opened_s.append(self.clock.now_ns() / 1e9)
        if not self.plugged:
            raise DeviceError('No input device matches "test".')
        self.lost = False
        return self.format

    def start(self, engine: Engine) -> None:
        self._engine, self.running = engine, True

    def stop(self) -> None:
        self.running = False


def watched(backend: UnpluggedBackend, seconds: float) -> tuple[Engine, list[tuple[float, str]]]:
    """An engine whose device is watched for so long; what it told, and when."""
    clock = backend.clock
    told: list[tuple[float, str]] = []
    engine = Engine(backend.open(), model="passthrough")
    backend.start(engine)
    keeper = DeviceKeeper(backend, engine, on_event=lambda text: told.append((clock.now_ns() / 1e9, text)), clock=clock)
    clock.at(round(seconds * 1e9), keeper.stop)
    keeper.watch()
    return engine, told


@pytest.mark.parametrize("tells", [True, False])
def test_an_unplugged_device_is_noticed_within_half_a_second_and_resumed_within_a_second_of_its_return(tells: bool) -> None:
    clock = VirtualClock()
    backend = UnpluggedBackend(clock, tells=tells)
    clock.at(round(3.0e9), backend.unplug)
    clock.at(round(7.3e9), backend.plug_in)
    engine, told = watched(backend, 12.0)
    (gone_s, gone), *_, (back_s, back) = told
    look_s = 0.1
    assert "gone" in gone
    assert 3.0 <= gone_s <= 3.0 + (0.0 if tells else SILENT_S) + 2 * look_s
    assert "back" in back
    assert 7.3 <= back_s <= 7.3 + RETRY_S
    assert engine.device_trouble == ""
    assert engine.segment.header[at.CYCLES] > (12.0 - 1.5 * RETRY_S - (7.3 - 3.0)) * 44_100 / 256


def test_while_the_device_is_gone_it_is_looked_for_once_a_second_and_each_sentence_is_told_once() -> None:
    clock = VirtualClock()
    backend = UnpluggedBackend(clock, tells=True)
    clock.at(round(2e9), backend.unplug)
    engine, told = watched(backend, 32.0)
    attempts = np.diff(backend.opened_s[1:])
    assert len(attempts) >= 27
    assert np.allclose(attempts, RETRY_S)
    assert len({text for _, text in told}) == len(told) == 2
    assert engine.status().state == "no device"
    assert "No input device" in engine.status().reason


def test_whatever_a_driver_raises_meanwhile_the_device_is_looked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = VirtualClock()
    backend = UnpluggedBackend(clock, tells=True)
    clock.at(round(2e9), backend.unplug)
    clock.at(round(5e9), backend.plug_in)
    honest, surprises = backend.start, iter([RuntimeError("half there"), OSError("busy")])

    def start(engine: Engine) -> None:
        if backend.lost is False and len(backend.opened_s) > 1 and (surprise := next(surprises, None)):
            raise surprise
        honest(engine)

    monkeypatch.setattr(backend, "start", start)
    engine, told = watched(backend, 12.0)
    assert any("half there" in text for _, text in told)
    assert "back" in told[-1][1]
    assert engine.device_trouble == ""


def test_a_device_that_stays_is_never_taken_for_lost_even_if_the_program_was_suspended() -> None:
    clock = VirtualClock()
    backend = UnpluggedBackend(clock, tells=False)
    frozen = iter([True])

    def suspend() -> None:
        backend.running = False
        if next(frozen, False):
            clock.advance(3_600_000_000_000)  # nobody looked for an hour, and no callback ran
        backend.running = True

    clock.at(round(5e9), suspend)
    _, told = watched(backend, 3700.0)
    assert told == []


def test_a_device_that_comes_back_with_another_block_gets_the_latency_of_that_block() -> None:
    clock = VirtualClock()
    backend = UnpluggedBackend(clock, tells=True)
    clock.at(round(2e9), backend.unplug)
    backend_format = StreamFormat(44_100, 1000)

    def return_otherwise() -> None:
        backend.format = backend_format
        backend.plug_in()

    clock.at(round(3e9), return_otherwise)
    engine, _ = watched(backend, 6.0)
    assert engine.latency.frames == engine.segment.header[at.LATENCY]
    assert engine.latency.frames == Engine(backend_format, model="passthrough").latency.frames


def test_callbacks_that_the_device_drops_are_counted_and_shift_nothing(seed: int) -> None:
    dropped = {int(k) for k in np.random.default_rng(seed).integers(0, 800, 60)}
    stage = Stage(FaultPlan(dropped=dropped))
    stage.play(5.0)
    assert stage.header[at.XRUNS] == len(dropped)
    assert np.abs(stage.heard[:2] - stage.expected()).max() <= ROUNDING
    assert stage.header[at.LATENCY] == stage.latency


@pytest.mark.parametrize("drift_ppm", [-300.0, 300.0, 1000.0])
def test_one_device_clock_that_runs_fast_or_slow_costs_nothing(drift_ppm: float) -> None:
    stage = Stage(FaultPlan(drift_ppm=drift_ppm))
    stage.play(20.0)
    assert stage.header[at.LATE_HOPS] == 0
    assert np.abs(stage.heard[:2] - stage.expected()).max() <= ROUNDING


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_input_that_is_no_number_is_heard_as_silence_and_counted(value: float) -> None:
    def broken(first: int, count: int) -> np.ndarray:
        mix = np.full((2, count), 0.25, np.float32)
        mix[0, (np.arange(first, first + count) % 1000) == 0] = value
        return mix

    stage = Stage(signal=broken)
    stage.play(2.0)
    heard = stage.heard
    assert np.isfinite(heard).all()
    assert np.abs(heard).max() <= 0.25
    assert stage.header[at.BAD_INPUT] == np.ceil(stage.header[at.IN_W] / 1000)
    assert stage.header[at.BAD_HOPS] == 0


@pytest.mark.parametrize(("model", "tier"), [("passthrough", "46ms"), ("bandnet", "23ms")])
def test_after_a_burst_of_absurd_level_everything_is_as_before_and_the_limiter_holds(model: str, tier: str) -> None:
    def absurd(first: int, count: int) -> np.ndarray:
        mix = 0.1 * counting(first, count)
        mix[:, (np.arange(first, first + count) // 256) == 172] = 1e30
        return mix.astype(np.float32)

    stage = Stage(model=model, tier=tier, signal=absurd)
    stage.engine.segment.params[at.LIMITER] = 1.0
    stage.play(4.0)
    heard = stage.heard
    assert np.isfinite(heard).all()
    assert np.abs(heard[2:]).max() > 1e20  # the stems, which are not limited: the burst has been there
    assert np.abs(heard[:2]).max() <= 1.0
    assert not stage.dry()[-stage.rate :].any()
    assert np.abs(heard[2:, -stage.rate :]).max() <= 0.5


def test_silence_in_is_silence_out() -> None:
    stage = Stage(FaultPlan(stalls_ms={10: 400.0}), signal=lambda _first, count: np.zeros((2, count), np.float32))
    stage.play(3.0)
    assert not stage.heard.any()


def test_denormal_input_is_heard_as_it_is_or_as_nothing() -> None:
    stage = Stage(signal=lambda _first, count: np.full((2, count), 1e-39, np.float32))
    stage.play(1.0)
    assert np.isfinite(stage.heard).all()
    assert np.abs(stage.heard).max() <= np.float32(1e-39)
