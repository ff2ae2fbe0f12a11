"""What `tools/make_other` trusts: that strokes are counted, and that the median filters part them from tones."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from scipy.ndimage import median_filter

SECONDS = 8.0
STROKES = np.arange(0.5, SECONDS - 0.5, 0.5)


@pytest.fixture
def attacks(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "tools" / "make_other")
    return pytest.importorskip("attacks")


@pytest.fixture
def tones(attacks: ModuleType) -> ModuleType:
    return pytest.importorskip("tones")


def chord(rate: int) -> np.ndarray:
    time = np.arange(int(SECONDS * rate)) / rate
    wave = sum(np.sin(2 * np.pi * hertz * time) for hertz in (262.0, 330.0, 392.0, 1046.0, 2093.0, 4186.0))
    return np.repeat((0.05 * np.asarray(wave))[:, None], 2, 1).astype(np.float32)


def strokes(rate: int) -> np.ndarray:
    rng = np.random.default_rng(1)
    hit = 0.2 * rng.standard_normal((rate // 20, 2)) * np.exp(-np.linspace(0.0, 8.0, rate // 20))[:, None]
    out = np.zeros((int(SECONDS * rate), 2), np.float32)
    for start in STROKES:
        out[int(start * rate) : int(start * rate) + len(hit)] += hit
    return out


def test_every_stroke_over_a_chord_is_counted_once_and_the_chord_has_none(attacks: ModuleType) -> None:
    steady, both = chord(attacks.RATE), chord(attacks.RATE) + strokes(attacks.RATE)
    assert attacks.find_attacks(steady).cymbals[8:].sum() == 0  # the first hops are where the chord itself begins
    assert attacks.find_attacks(both).cymbals[8:].sum() == len(STROKES)


def test_the_running_median_is_that_of_scipy(tones: ModuleType) -> None:
    x = np.random.default_rng(2).standard_normal((5, 60)).astype(np.float32)
    for width in (7, 17, 31):
        np.testing.assert_array_equal(tones.median_rows(x, width), median_filter(x, (1, width), mode="nearest"))


def test_tones_stay_and_strokes_go(attacks: ModuleType, tones: ModuleType) -> None:
    steady, struck = chord(attacks.RATE), strokes(attacks.RATE)
    made = tones.tones_of(steady + struck)
    inner = slice(attacks.RATE, -attacks.RATE)
    twice_passed = tones.high_passed(tones.high_passed(steady, tones.TONES_CUT_HZ), tones.TONES_CUT_HZ)
    wanted = twice_passed[inner]
    error_db = 10 * np.log10(np.mean((made[inner] - wanted) ** 2) / np.mean(struck[inner] ** 2))
    assert error_db < -8.0  # measured: -9.2 dB; the strokes as they were would be 0 dB


def test_a_passage_of_strokes_alone_is_refused(attacks: ModuleType, tones: ModuleType) -> None:
    assert tones.tones_of(strokes(attacks.RATE)) is None
