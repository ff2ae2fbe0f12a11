"""Utterance SDR against its definition written out as loops, and against values known by algebra."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtsep.evaluation.sdr import gain_over_mix, utterance_sdr


def naive_sdr(reference: np.ndarray, estimate: np.ndarray) -> float:
    """The definition, one sample at a time."""
    signal = error = 1e-7
    for true_channel, estimated_channel in zip(reference.tolist(), estimate.tolist(), strict=True):
        for true, estimated in zip(true_channel, estimated_channel, strict=True):
            signal += true**2
            error += (true - estimated) ** 2
    return 10.0 * math.log10(signal / error)


@given(seed=st.integers(0, 2**32 - 1), channels=st.integers(1, 2), frames=st.integers(1, 200))
def test_sdr_is_its_definition(seed: int, channels: int, frames: int) -> None:
    rng = np.random.default_rng(seed)
    reference = rng.normal(0, 0.3, (channels, frames)).astype(np.float32)
    estimate = reference + rng.normal(0, 0.1, (channels, frames)).astype(np.float32)
    assert utterance_sdr(reference, estimate) == pytest.approx(naive_sdr(reference, estimate), abs=1e-6)


@pytest.mark.parametrize(("scale", "expected_db"), [(0.9, 20.0), (0.0, 0.0), (2.0, 0.0), (1.5, 6.0206), (-1.0, -6.0206)])
def test_a_scaled_copy_scores_what_algebra_says(scale: float, expected_db: float) -> None:
    reference = np.random.default_rng(1).normal(0, 0.3, (2, 44100))
    assert utterance_sdr(reference, scale * reference) == pytest.approx(expected_db, abs=1e-3)


def test_silence_estimated_as_silence_is_finite() -> None:
    assert utterance_sdr(np.zeros((2, 10)), np.zeros((2, 10))) == 0.0


def test_the_mix_itself_gains_nothing() -> None:
    rng = np.random.default_rng(2)
    vocals, rest = rng.normal(0, 0.2, (2, 2, 1000))
    assert gain_over_mix(vocals, vocals + rest, vocals + rest) == 0.0
    assert gain_over_mix(vocals, vocals + 0.1 * rest, vocals + rest) == pytest.approx(20.0, abs=1e-6)


def test_different_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\(2, 10\).*\(2, 9\)"):
        utterance_sdr(np.zeros((2, 10)), np.zeros((2, 9)))
