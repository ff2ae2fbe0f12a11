"""Effects are measured as they are, and a queue makes them as late as measured, always."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtsep.fx.alignment import Alignment, Delay, Queue, measure
from rtsep.models.separator import Audio


class Lookahead:
    """A limiter at rest: `delay` frames late, or on time if it `trims` its first frames; gives back frames in odd portions."""

    def __init__(self, delay: int, trims: bool, granule: int) -> None:
        self._late = np.zeros((2, 0 if trims else delay), np.float32)
        self._hold = delay if trims else 0
        self._granule = granule

    def __call__(self, block: Audio) -> Audio:
        self._late = np.concatenate([self._late, block * np.float32(0.7)], axis=1)
        ready = max(0, self._late.shape[1] - self._hold) // self._granule * self._granule
        out, self._late = self._late[:, :ready], self._late[:, ready:]
        return out


@given(
    delay=st.integers(0, 900), trims=st.booleans(), granule=st.sampled_from([1, 64, 300]), hop=st.sampled_from([128, 512, 1000])
)
def test_behind_its_queue_an_effect_is_exactly_as_late_as_measured(delay: int, trims: bool, granule: int, hop: int) -> None:
    alignment = measure(Lookahead(delay, trims, granule), hop, reported=delay)
    effect, queue = Lookahead(delay, trims, granule), Queue(alignment)
    noise = np.random.default_rng(3).standard_normal((2, 20 * hop)).astype(np.float32)
    out = [queue.exchange(effect(noise[:, k : k + hop]), hop) for k in range(0, noise.shape[1], hop)]
    assert all(block is not None for block in out)
    joined = np.concatenate(out, axis=1)
    late = alignment.latency
    np.testing.assert_array_equal(joined[:, late:], (noise * np.float32(0.7))[:, : noise.shape[1] - late])


def test_an_effect_that_changes_the_sound_beyond_recognition_is_as_late_as_it_says() -> None:
    tail = np.exp(-np.arange(4000) / 800) * np.random.default_rng(0).standard_normal(4000)
    tail[0] = 1.0
    held = np.zeros(4000 + 480)

    def reverb(block: Audio) -> Audio:
        nonlocal held
        wet = np.convolve(block[0], np.concatenate([np.zeros(480), tail]))
        held = np.concatenate([held, np.zeros(wet.size)])[: wet.size]
        held = held + wet
        out, held = held[: block.shape[1]], held[block.shape[1] :]
        return np.tile(out, (2, 1)).astype(np.float32)

    assert measure(reverb, 512, reported=480).offset == 480


def test_a_queue_that_runs_dry_says_so() -> None:
    queue = Queue(Alignment(offset=0, shortage=10))
    assert queue.exchange(np.zeros((2, 5), np.float32), 16) is None


@pytest.mark.parametrize("frames", [0, 1, 700])
def test_a_delay_is_a_delay_for_blocks_of_any_length(frames: int) -> None:
    delay = Delay(frames)
    noise = np.random.default_rng(3).standard_normal((2, 4000)).astype(np.float32)
    out = np.concatenate([delay(part) for part in np.split(noise, [3, 900, 901, 2500], axis=1)], axis=1)
    np.testing.assert_array_equal(out[:, frames:], noise[:, : 4000 - frames])
    assert not out[:, :frames].any()
