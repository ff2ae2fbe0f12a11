"""A separator at the device's rate: its latency is exact for the sound itself, not only for the sum of the stems."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtsep.errors import ModelError
from rtsep.models import registry
from rtsep.models.resampled import RATES, ResampledFile, ResampledSeparator
from rtsep.models.separator import Audio, SeparatorSpec
from tests.models.contract import check_unity, hops_to_hear, run


def click(rate: int, position: int, frames: int) -> Audio:
    """A soft click, 0.5 ms wide: nothing of it is above what 8 kHz can carry."""
    time = (np.arange(frames) - position) / rate
    return np.tile(np.exp(-((time / 0.0005) ** 2)).astype(np.float32), (2, 1))


@pytest.mark.parametrize("rate", [8000, 22050, 47999, 48000, 96000, 192000])
@pytest.mark.parametrize("tier", ["3ms", "46ms"])
def test_a_stem_comes_out_after_the_declared_latency(rate: int, tier: str) -> None:
    separator = registry.load("passthrough", tier, rate=rate)
    spec = separator.spec
    assert isinstance(separator, ResampledSeparator)
    position = 2 * spec.hop + 5
    mix = click(rate, position, (hops_to_hear(separator, 5)) * spec.hop)
    vocals = run(separator, mix)[0]
    late = np.pad(mix, ((0, 0), (spec.latency, 0)))[:, : mix.shape[1]]
    assert np.abs(vocals - late / 2).max() < 1e-3  # a shift of one frame would make 0.006 or more of it
    assert np.abs(vocals - late / 2).max() < np.abs(np.roll(vocals, 1) - late / 2).max() / 5


@settings(max_examples=15)
@given(st.integers(*RATES), st.sampled_from(["3ms", "12ms", "46ms"]))
def test_every_rate_keeps_its_promise(rate: int, tier: str) -> None:
    separator = registry.load("passthrough", tier, rate=rate)
    assert separator.spec == registry.describe("passthrough", tier, rate=rate)
    assert separator.spec.rate == rate
    check_unity(separator)


@pytest.mark.parametrize("rate", [8000, 48000, 192000])
def test_no_step_runs_the_model_twice(rate: int) -> None:
    calls = []
    inner = registry.load("passthrough", "12ms")
    plain_step = inner.step
    inner.step = lambda mix, state: calls.append(len(counts)) or plain_step(mix, state)
    separator, counts = ResampledSeparator(inner, rate), []
    state = separator.init_state()
    for number in range(300):
        counts.append(number)
        separator.step(np.zeros((2, separator.spec.hop), np.float32), state)
    assert len(calls) == len(set(calls))
    assert len(calls) > 250


class HalfFile:
    """A whole-file separator that cannot go wrong."""

    spec = SeparatorSpec(
        name="half", tier="file", rate=44100, hop=1024, stems=("vocals", "other"), latency_terms=(), licence="GPL-3.0-or-later"
    )

    def separate(self, mix: Audio) -> Audio:
        return np.stack([mix / 2, mix / 2])


@pytest.mark.parametrize("rate", [8000, 48000, 96000])
@pytest.mark.parametrize("frames", [1, 2000, 70001])
def test_a_whole_file_at_another_rate_stays_aligned(rate: int, frames: int) -> None:
    separator = ResampledFile(HalfFile(), rate)
    mix = click(rate, frames // 2, frames)
    stems = separator.separate(mix)
    assert stems.shape == (2, 2, frames)
    assert np.abs(stems.sum(axis=0) - mix).max() < 1e-6
    if frames > 1:
        assert np.abs(stems[0] - mix / 2).max() < 1e-3


@pytest.mark.parametrize("rate", [7999, 192001, 0])
def test_a_rate_no_device_has_is_refused(rate: int) -> None:
    with pytest.raises(ModelError, match="8000 to 192000 Hz"):
        registry.load("passthrough", rate=rate)
