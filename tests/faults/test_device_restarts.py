"""A device that stands still and goes on, with another block, at another rate or after a while: counted samples, virtual time."""

from __future__ import annotations

import hypothesis
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtsep.clock import VirtualClock
from rtsep.engine.latency import live_budget
from rtsep.engine.session import Engine, StreamFormat
from rtsep.models.separator import Audio
from rtsep.realtime import layout as at
from rtsep.realtime.block import process
from rtsep.realtime.notifications import jack_block_size
from tests.faults.test_device_faults import UnpluggedBackend, watched
from tests.faults.virtual_stage import Stage, counting

BLOCKS = st.integers(1, at.MAX_BLOCK)


def announce_block(engine: Engine, block: int) -> None:
    """As JACK does between two cycles."""
    assert jack_block_size.ctypes(block, engine.context.words.ctypes.data_as(jack_block_size.ctypes.argtypes[1])) == 0


def constant(_first: int, count: int) -> Audio:
    return np.ones((2, count), np.float32)


def rising(frames: int, rate: int) -> np.ndarray:
    """Gain of the first frames after a silence."""
    return np.minimum(1.0, np.arange(frames) / (rate * at.RISE_MS // 1000)).astype(np.float32)


@given(rate=st.sampled_from([44_100, 48_000]), blocks=st.lists(BLOCKS, min_size=1, max_size=8))
@hypothesis.settings(max_examples=15)
def test_after_any_blocks_that_a_host_announces_the_latency_is_that_of_the_last_one(rate: int, blocks: list[int]) -> None:
    engine = Engine(StreamFormat(rate, 256), model="passthrough")
    for block in blocks:
        announce_block(engine, block)
    assert engine.stream.block == blocks[-1]
    assert engine.segment.header[at.LATENCY] == live_budget(engine.spec, blocks[-1]).frames
    engine.stop()


@pytest.mark.parametrize("block", [64, 1000, 1024])
def test_with_another_block_the_music_rises_from_silence_in_10_ms_and_is_exact_from_then_on(block: int) -> None:
    stage = Stage()
    stage.play(1.0)
    before = stage.heard.shape[1]
    announce_block(stage.engine, block)
    stage.block = block
    stage.play(1.0)
    heard = stage.heard[:2, before:]
    latency = stage.engine.latency.frames
    expected = counting(before - latency, heard.shape[1]) * rising(heard.shape[1], stage.rate)
    assert latency == live_budget(stage.engine.spec, block).frames == stage.header[at.LATENCY]
    assert np.abs(heard - expected).max() <= 1e-7
    span = stage.rate * at.RISE_MS // 1000
    assert np.array_equal(heard[:, span:], expected[:, span:])
    assert not stage.dry()[before:].any()


def test_no_output_has_a_step_after_the_silence() -> None:
    stage = Stage(signal=constant)
    stage.play(1.0)
    before = stage.heard.shape[1]
    announce_block(stage.engine, 512)
    stage.block = 512
    stage.play(0.5)
    heard = np.abs(np.diff(stage.heard[:, before:], prepend=0.0, axis=1))
    assert heard.max() <= 1000 / at.RISE_MS / stage.rate + 1e-6


def test_after_a_device_was_gone_nothing_of_before_is_heard_and_the_new_fades_in() -> None:
    stage = Stage()
    stage.play(1.0)
    before = stage.heard.shape[1]
    stage.engine.begin_anew()
    stage.play(1.0)
    heard = stage.heard[:, before:]
    assert not heard[:, : stage.latency].any()
    new = heard[:2, stage.latency :]
    expected = counting(before, new.shape[1]) * rising(new.shape[1], stage.rate)
    assert np.abs(new - expected).max() <= 1e-7
    assert not stage.dry()[before:].any()


def test_a_model_with_a_memory_forgets_what_it_heard_before_the_device_was_gone() -> None:
    loud = [True]

    def signal(first: int, count: int) -> Audio:
        return counting(first, count) if loud[0] else np.zeros((2, count), np.float32)

    stage = Stage(model="bandnet", tier="23ms", signal=signal)
    stage.play(1.0)
    before = stage.heard.shape[1]
    assert np.abs(stage.heard[:, -4410:]).max() > 0.1
    stage.engine.begin_anew()
    loud[0] = False
    stage.play(1.0)
    assert np.abs(stage.heard[:, before:]).max() < 1e-6


@pytest.mark.parametrize("back", [StreamFormat(44_100, 256), StreamFormat(44_100, 1000), StreamFormat(48_000, 512)])
def test_a_device_that_comes_back_otherwise_plays_within_300_ms_and_fades_in_from_silence(back: StreamFormat) -> None:
    clock = VirtualClock()
    backend = UnpluggedBackend(clock, tells=True, level=1.0)

    def reconfigure() -> None:
        backend.unplug()
        backend.format = back
        backend.plug_in()

    clock.at(round(3e9), reconfigure)
    engine, told = watched(backend, 6.0)
    assert "back" in told[-1][1]
    after = [(when_s, outs) for when_s, outs in backend.heard if when_s > 3.0]
    assert after[0][0] - 3.0 <= 0.3
    heard = np.concatenate([outs for _, outs in after], axis=1)
    assert engine.segment.header[at.LATENCY] == engine.latency.frames == Engine(back, model="passthrough").latency.frames
    assert not heard[:, : engine.latency.frames].any()
    new = heard[:2, engine.latency.frames :]
    assert np.abs(new - rising(new.shape[1], back.rate)).max() <= 1e-6


def test_a_song_goes_on_where_it_was() -> None:
    engine = Engine(StreamFormat(44_100, 256), model="passthrough", playing=True)
    song = counting(0, 40_960)
    engine.segment.source[:, : song.shape[1]] = song
    engine.segment.header[at.IN_W] = song.shape[1]
    engine.segment.header[at.EPOCH] = 1
    heard = []
    for number in range(80):
        if number == 40:
            engine.begin_anew()
        outs = np.full((at.OUTPUTS, 256), np.nan, np.float32)
        process(engine.context.words, np.zeros((2, 256), np.float32), outs, 256)
        heard.append(outs[:2])
    first, second = np.split(np.concatenate(heard, axis=1), 2, axis=1)
    assert np.array_equal(first[:, at.FADE :], song[:, at.FADE : 10_240])
    assert np.abs(second - song[:, 10_240:20_480] * rising(10_240, 44_100)).max() <= 1e-7
