"""Windows reconstruct perfectly, for every admissible triple of lengths."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtsep.dsp.windows import WindowPair, hann_pair, low_delay_pair


def coverage(pair: WindowPair) -> np.ndarray:
    """Naive left-hand side of the reconstruction condition, for each frame of a hop."""
    product = pair.analysis[-len(pair.synthesis) :].astype(float) * pair.synthesis
    return np.array([product[phase :: pair.hop].sum() for phase in range(pair.hop)])


@given(hop=st.integers(2, 300), overlap=st.data())
def test_low_delay_windows_reconstruct_for_any_lengths(hop: int, overlap: st.DataObject) -> None:
    synthesis = hop + overlap.draw(st.integers(1, hop))
    length = overlap.draw(st.integers(synthesis, 4 * synthesis))
    pair = low_delay_pair(length, hop, synthesis)
    assert np.abs(coverage(pair) - 1).max() < 5e-7  # measured 1.3e-7, the rounding of two float32 factors
    assert pair.latency == synthesis - hop


@pytest.mark.parametrize("overlaps", [2, 4, 8])
def test_hann_windows_reconstruct(overlaps: int) -> None:
    assert np.abs(coverage(hann_pair(512, 512 // overlaps)) - 1).max() < 5e-7


@given(st.integers(16, 512))
def test_the_synthesis_window_hardly_magnifies(hop: int) -> None:
    assert low_delay_pair(4 * hop, hop, 2 * hop).synthesis.max() < 1.03


@pytest.mark.parametrize(("length", "hop", "synthesis"), [(512, 128, 128), (512, 128, 257), (200, 128, 256)])
def test_impossible_lengths_are_refused(length: int, hop: int, synthesis: int) -> None:
    with pytest.raises(ValueError, match="synthesis length"):
        low_delay_pair(length, hop, synthesis)


def test_a_hop_that_does_not_divide_the_hann_window_is_refused() -> None:
    with pytest.raises(ValueError, match="divides"):
        hann_pair(512, 100)
