"""Percentiles from the histogram of hop times, against times that are known."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rtsep.engine.stats import percentile_ms
from rtsep.realtime import layout as at


def histogram_of(times_ns: list[int]) -> np.ndarray:
    edges = at.HISTOGRAM_FIRST_NS * at.HISTOGRAM_RATIO ** np.arange(1, at.HISTOGRAM_BINS)
    return np.bincount(np.searchsorted(edges, times_ns, side="right"), minlength=at.HISTOGRAM_BINS)


@given(
    times_ns=st.lists(st.integers(at.HISTOGRAM_FIRST_NS, 2_000_000_000), min_size=1, max_size=300),
    share=st.sampled_from([0.5, 0.9, 0.99, 1.0]),
)
def test_a_percentile_is_at_most_one_bin_above_the_true_one(times_ns: list[int], share: float) -> None:
    ordered = sorted(times_ns)
    true_ms = ordered[int(np.ceil(share * len(ordered))) - 1] / 1e6
    found_ms = percentile_ms(histogram_of(times_ns), share)
    assert true_ms <= found_ms * (1 + 1e-12)
    assert found_ms <= true_ms * at.HISTOGRAM_RATIO * (1 + 1e-12)


def test_before_the_first_hop_every_percentile_is_zero() -> None:
    assert percentile_ms(np.zeros(at.HISTOGRAM_BINS, np.int64), 0.99) == 0.0
