"""The resampler against sines whose samples are known at any rate, and against itself in other pieces."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtsep.dsp.resample import Resampler

RATES = [8000, 16000, 32000, 44056, 48000, 88200, 96000, 192000]


def resample(signal: np.ndarray, from_rate: int, to_rate: int) -> np.ndarray:
    resampler = Resampler(from_rate, to_rate)
    return resampler.push(signal, resampler.init_state(signal.shape[:-1]))


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("into_model", [True, False])
@pytest.mark.parametrize("share", [0.01, 0.1, 0.4])
def test_a_sine_keeps_its_time_and_level(rate: int, into_model: bool, share: float) -> None:
    source, target = (rate, 44100) if into_model else (44100, rate)
    pitch = share * min(source, target)
    sine = np.sin(2 * np.pi * pitch * np.arange(source // 4) / source).astype(np.float32)
    got = resample(sine, source, target)
    wanted = np.sin(2 * np.pi * pitch * np.arange(len(got)) / target)
    inner = slice(len(got) // 4, -len(got) // 4)  # the sine's abrupt ends are not band-limited
    assert np.abs(got - wanted)[inner].max() < 1e-4  # -80 dB; measured 3e-5


def test_what_the_slower_rate_cannot_carry_is_taken_out() -> None:
    sine = np.sin(2 * np.pi * 23000 * np.arange(48000) / 48000).astype(np.float32)
    assert np.abs(resample(sine, 48000, 44100)[1000:-1000]).max() < 1e-4


@given(st.lists(st.integers(0, 400), max_size=8), st.sampled_from(RATES), st.booleans())
def test_any_blocks_give_the_same_frames(sizes: list[int], rate: int, into_model: bool) -> None:
    source, target = (rate, 44100) if into_model else (44100, rate)
    signal = np.random.default_rng(0).uniform(-1, 1, (2, sum(sizes))).astype(np.float32)
    resampler = Resampler(source, target)
    state, parts, start = resampler.init_state((2,)), [np.zeros((2, 0), np.float32)], 0
    for size in sizes:
        parts.append(resampler.push(signal[:, start : start + size], state))
        start += size
        assert state["signal"].shape[-1] <= 2 * resampler.reach + size + 1, "the memory grows"
    pieces, whole = np.concatenate(parts, axis=1), resample(signal, source, target)
    assert pieces.shape == whole.shape
    assert np.abs(pieces - whole).max(initial=0) < 1e-6


@given(st.integers(1, 3000), st.sampled_from(RATES))
def test_an_output_frame_waits_for_exactly_the_declared_input(frames: int, rate: int) -> None:
    resampler = Resampler(rate, 44100)
    known = resampler.push(np.zeros((1, frames), np.float32), resampler.init_state((1,))).shape[1]
    newest_input = [m * rate // 44100 + resampler.reach for m in (known - 1, known)]
    assert newest_input[1] > frames - 1, "a frame that was known was held back"
    assert known == 0 or newest_input[0] <= frames - 1


def test_hours_do_not_shift_the_axes() -> None:
    resampler = Resampler(48000, 44100)
    day = 24 * 3600
    state = resampler.init_state((1,), start=day * 48000) | {"next": day * 44100}
    late = resampler.push(np.ones((1, 480), np.float32), state)
    first = resample(np.ones((1, 480), np.float32), 48000, 44100)
    assert np.array_equal(late, first)
