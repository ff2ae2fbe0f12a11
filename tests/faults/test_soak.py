"""The short version of `tools/soak`: half an hour of audio between two processes, every sample compared."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from rtsep.evaluation import soak

SECONDS = 1800.0


def test_half_an_hour_passes_without_a_lost_doubled_or_moved_sample_and_memory_stays_flat() -> None:
    middle = round(SECONDS / 2 * soak.RATE)
    reports = list(soak.stream(SECONDS, report_s=60.0, first=2**31 - middle))  # 32 bits would not hold the count of frames
    last = reports[-1]
    assert last.audio_s >= SECONDS
    assert (last.wrong_samples, last.dry_frames) == (0, 0)
    assert {report.latency for report in reports} == {last.latency}
    assert growth_mb([report.audio_process_mb for report in reports]) < 1.0
    assert growth_mb([report.model_process_mb for report in reports]) < 1.0


def growth_mb(each_minute: list[float]) -> float:
    """From the first minutes to the last; medians, because the allocator gives and takes a block."""
    return float(np.median(each_minute[-9:]) - np.median(each_minute[1:10]))


def test_the_comparison_would_see_one_sample_that_is_doubled(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = soak.process
    calls = iter(range(1_000_000))

    def doubling(words: Any, mix: np.ndarray, outs: np.ndarray, n: int) -> None:
        honest(words, mix, outs, n)
        if next(calls) == 10:
            outs[0, 1:n] = outs[0, : n - 1].copy()

    monkeypatch.setattr(soak, "process", doubling)
    *_, last = soak.stream(5.0)
    assert last.wrong_samples > 0
