"""Input and output devices with clocks of their own: a day without a lost frame, and sound that stays what it was."""

from __future__ import annotations

import numpy as np
import pytest
from numba import njit

from rtsep.engine.session import Engine
from rtsep.io.loop import through_jack
from rtsep.io.portaudio import PortAudioBackend, release
from rtsep.realtime import two_clocks as bridge
from rtsep.realtime.two_clocks import TwoClocks, capture, deliver, steer
from tests.jack_server import StartServer

RATE = 48_000
DAY_S = 86_400.0


@njit
def _run(state, target, seconds, drift, n_in, n_out, settle_s):  # type: ignore[no-untyped-def]
    """Controller and ring levels alone: extreme fills after settling, extreme fills ever, and the steepest change of ratio."""
    position, before = 0.0, 0.0
    low, high, lowest, highest, slew = 1e9, -1e9, 1e9, -1e9, 0.0
    for cycle in range(1, int(seconds * RATE / n_out)):
        time = cycle * n_out / RATE
        written = n_in * int(time * RATE * (1.0 + drift) / n_in)
        if cycle == 1:
            position = written - float(target)
        fill = written - position
        steer(state, target, fill, n_out, RATE)
        slew = max(slew, abs(state[bridge.S_RATIO] - before) / (n_out / RATE))
        before = state[bridge.S_RATIO]
        lowest, highest = min(lowest, fill), max(highest, fill)
        if time > settle_s:
            low, high = min(low, fill), max(high, fill)
        position += n_out * (1.0 + state[bridge.S_RATIO])
    return low, high, lowest, highest, slew


@pytest.mark.parametrize("drift_ppm", [-1000.0, -300.0, 0.0, 300.0, 1000.0])
@pytest.mark.parametrize(("n_in", "n_out"), [(256, 256), (512, 128), (441, 1024)])
def test_for_a_day_no_frame_is_lost_and_the_fill_stays_within_a_block_of_its_target(
    drift_ppm: float, n_in: int, n_out: int
) -> None:
    state = np.zeros(bridge.STATE)
    target = n_in + n_out + bridge.RESERVE + bridge.TAPS
    low, high, lowest, highest, slew = _run(state, target, DAY_S, drift_ppm * 1e-6, n_in, n_out, 600.0)
    block = max(n_in, n_out)
    assert target - block - 8 <= low <= high <= target + block + 8
    assert lowest > n_out * 1.002 + bridge.TAPS or abs(drift_ppm) > 300  # a drift no quartz has may cost a slip at the start
    assert highest < bridge.CAPACITY - 2 * n_in
    assert state[bridge.S_RATIO] * 1e6 == pytest.approx(drift_ppm, abs=100.0)
    assert slew <= 50e-6 * 1.001


@pytest.mark.parametrize("drift_ppm", [-300.0, 300.0])
def test_a_tone_stays_a_tone_while_the_clocks_drift_apart(drift_ppm: float) -> None:
    n_in, n_out, seconds = 256, 256, 90
    clocks = TwoClocks(RATE, width=2)
    frequency = 997.0
    written = 0
    heard = []
    out = np.empty((2, n_out), np.float32)
    for cycle in range(1, seconds * RATE // n_out):
        due = n_in * int(cycle * n_out * (1.0 + drift_ppm * 1e-6) / n_in)
        while written < due:
            t = (written + np.arange(n_in)) / (RATE * (1.0 + drift_ppm * 1e-6))  # the tone's time is that of the output's clock
            wave = (0.5 * np.sin(2 * np.pi * frequency * t)).astype(np.float32)
            capture(clocks.words, np.repeat(wave, 2), n_in)
            written += n_in
        deliver(clocks.words, out, n_out)
        heard.append(out[0].copy())
    assert clocks.slips == 0
    assert clocks.drift_ppm == pytest.approx(drift_ppm, abs=150.0)
    settled = np.concatenate(heard)[-10 * RATE :].astype(np.float64)
    window = np.hanning(len(settled))
    spectrum = np.abs(np.fft.rfft(settled * window)) ** 2
    peak = int(np.argmax(spectrum))
    assert peak * RATE / len(settled) == pytest.approx(frequency, abs=0.2)
    tone = spectrum[peak - 200 : peak + 200].sum()  # 20 Hz to either side: the ratio breathes by a few ppm
    assert 10 * np.log10(tone / (spectrum.sum() - tone)) > 75.0


HUM = 2 * np.pi * 100.0 / RATE
"""Radians per frame. A frame that is lost or doubled makes a step of as much; the sine itself bends by its square."""


@njit
def _listen(words, seconds, drift, n_in, n_out):  # type: ignore[no-untyped-def]
    """The ring, the reader and the controller for a time: the sharpest bend of a sine at the output once it has begun."""
    source, ins = np.zeros(2 * n_in, np.float32), np.zeros((2, n_out), np.float32)
    written, heard, sharpest = 0, 0, 0.0
    before, last = 0.0, 0.0
    for cycle in range(1, int(seconds * RATE / n_out)):
        due = n_in * int(cycle * n_out * (1.0 + drift) / n_in)
        while written < due:
            for k in range(n_in):
                source[2 * k] = source[2 * k + 1] = np.sin(HUM * (written + k))
            capture(words, source, n_in)
            written += n_in
        deliver(words, ins, n_out)
        for k in range(n_out):
            if cycle * n_out > RATE:  # it has locked
                heard += 1
                if heard > 2:
                    sharpest = max(sharpest, abs(ins[0, k] - 2.0 * last + before))
                before, last = last, ins[0, k]
    return sharpest


@pytest.mark.parametrize(("drift_ppm", "n_in", "n_out"), [(-300.0, 256, 256), (300.0, 441, 1024)])
def test_for_a_quarter_of_an_hour_of_sound_no_frame_is_lost_or_doubled(drift_ppm: float, n_in: int, n_out: int) -> None:
    clocks = TwoClocks(RATE)
    sharpest = _listen(clocks.words, 900.0, drift_ppm * 1e-6, n_in, n_out)
    assert clocks.slips == 0
    assert HUM**2 / 2 < sharpest < 2 * HUM**2 < HUM / 10
    assert clocks.drift_ppm == pytest.approx(drift_ppm, abs=100.0)


def test_without_drift_what_goes_in_comes_out_after_the_declared_delay() -> None:
    rng = np.random.default_rng(0)
    noise = rng.standard_normal(RATE).astype(np.float32)
    clocks = TwoClocks(RATE, width=3, channels=(2, 0))
    out = np.empty((2, 128), np.float32)
    heard = []
    for start in range(0, len(noise) - 128, 128):
        three = np.zeros((128, 3), np.float32)
        three[:, 2] = noise[start : start + 128]
        capture(clocks.words, three.ravel(), 128)
        deliver(clocks.words, out, 128)
        heard.append(out.copy())
    left, right = np.concatenate(heard, axis=1)
    size = 1 << 18
    lag = int(np.argmax(np.fft.irfft(np.fft.rfft(left, size) * np.conj(np.fft.rfft(noise, size)), size)))
    assert lag + 128 == clocks.delay  # a block is handed over just before one is played
    assert not right.any()
    assert clocks.slips == 0


def test_an_input_that_stops_is_silence_and_counted_and_locks_again_when_it_returns() -> None:
    clocks = TwoClocks(RATE)
    out = np.empty((2, 256), np.float32)
    ones = np.ones(512, np.float32)
    for cycle in range(600):
        if not 200 <= cycle < 300:
            capture(clocks.words, ones, 256)
        deliver(clocks.words, out, 256)
        if cycle == 290:
            assert not out.any()
    assert clocks.slips == 1
    assert np.allclose(out, 1.0, atol=1e-4)


@pytest.mark.jack
def test_two_portaudio_streams_are_kept_together_and_state_their_delay(jack_server: StartServer) -> None:
    jack_server(period=256, rate=44_100)
    backend = PortAudioBackend("system", "system", two_clocks=True)
    engine = Engine(backend.open(), model="passthrough", tier="12ms")
    backend.start(engine)
    try:
        stated = engine.latency.total_frames
        assert stated > engine.latency.frames
        measured = through_jack("PortAudio:out_0", "PortAudio:in_0").frames
        assert abs(measured - stated) <= 2 * 256  # a block on each side, as their callbacks are not tied to each other
    finally:
        backend.stop()
        engine.stop()
        release()
