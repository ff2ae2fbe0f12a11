"""Levels of what was played: numbers that are known beforehand, whoever reads them and how often."""

from __future__ import annotations

import numpy as np
import pytest

from rtsep.control.meters import NAMES, Meters
from rtsep.realtime import layout as at
from tests.control.desk import RATE, Array, Desk

LEVELS_DB = (-20.0, -26.0, -32.0, -38.0)
FRAMES = 62_400  # as many as the rings hold, nearly


def tones() -> Array:
    """A tone of 1 kHz in each stem, on both channels, at its own level."""
    tone = np.sin(2 * np.pi * 1000.0 * np.arange(FRAMES) / RATE)
    return np.stack([np.stack([10 ** (db / 20) * tone] * 2) for db in LEVELS_DB]).astype(np.float32)


@pytest.mark.parametrize("step", [480, 1600, 4800])
def test_every_pair_has_peak_rms_true_peak_and_loudness(step: int) -> None:
    desk = Desk(tones())
    meters = Meters(desk.segment)
    for _ in range(FRAMES // step):
        desk.play(step)
        levels = meters.read()
    for pair, db in zip(range(1, len(NAMES)), LEVELS_DB, strict=True):
        row = at.CHANNELS * pair
        assert 20 * np.log10(levels.peaks[row]) == pytest.approx(db, abs=0.01)
        assert 20 * np.log10(levels.true_peaks[row]) == pytest.approx(db, abs=0.05)
        assert 20 * np.log10(levels.rms[row]) == pytest.approx(db - 3.01, abs=0.1)  # after four time constants
        assert levels.loudness[pair, [0, 2]] == pytest.approx([db] * 2, abs=0.1)  # BS.1770: both channels, 1 kHz
        assert -30 < levels.loudness[pair, 1] - db < 0  # 3 s are not over yet
    assert levels.loudness[0, 2] > levels.loudness[1, 2] + 2.0
    assert levels.limiter == 1.0
    assert levels.clipped == 0


def test_readers_take_nothing_away_from_each_other() -> None:
    desk = Desk(tones())
    page, view = Meters(desk.segment), Meters(desk.segment, pairs=1)
    desk.play(1600)
    first, second = page.read(), view.read()
    assert np.array_equal(first.peaks, second.peaks)
    assert second.loudness.shape == (1, 3)
    assert not page.read().peaks.any(), "nothing was played since"


def test_a_reader_that_comes_late_sees_no_peak_that_nobody_heard() -> None:
    desk = Desk(tones())
    meters = Meters(desk.segment)
    desk.play(100)
    meters.read()
    desk.play(40_777)  # more than is kept for readers
    assert 20 * np.log10(meters.read().true_peaks[2]) == pytest.approx(LEVELS_DB[0], abs=0.05)


def test_the_gain_reduction_and_the_clip_latch_are_shown() -> None:
    desk = Desk(np.full((4, 2, 4800), 0.5, np.float32))
    desk.params.set("master.limiter", 1)
    meters = Meters(desk.segment)
    desk.play(2400)
    assert 0.2 < meters.read().limiter < 0.6
    desk.params.set("master.limiter", 0)
    desk.params.set("stem.bass.gain_db", 12.0)
    desk.play(2400)
    bass = 2 * NAMES.index("bass")
    assert meters.read().clipped >> bass & 0b11 == 0b11
