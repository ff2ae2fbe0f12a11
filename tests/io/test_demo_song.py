"""The packaged song is real, small, and separable: the default model must find its vocals."""

from __future__ import annotations

import numpy as np
import pytest

from rtsep.engine.pipeline import separate_array
from rtsep.evaluation.sdr import gain_over_mix
from rtsep.io.demo_song import FOLDER, demo_song
from rtsep.models import registry
from rtsep.stems import STEMS


def test_it_has_aligned_stems_that_add_up_below_full_scale() -> None:
    song = demo_song()
    assert song.rate == 44_100
    assert tuple(song.stems) == STEMS
    assert {stem.shape for stem in song.stems.values()} == {(2, 16 * 44_100)}
    assert 0.3 < np.max(np.abs(song.mix)) < 1.0
    for name in ("vocals", "drums", "other"):
        assert np.sqrt(np.mean(song.stems[name] ** 2)) > 0.02, f"{name} is heard"


def test_it_is_small_and_credited() -> None:
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 2_000_000
    credits = (FOLDER / "CREDITS.md").read_text()
    assert all(word in credits for word in ("Software-Entwicklungskit", "Caesium", "CC0 1.0"))


@pytest.mark.parametrize("tier", ["46ms", "70ms"])
def test_separated_vocals_beat_the_mix_by_8_db(tier: str) -> None:
    """Measured from a cold start: 9.6 dB (46ms) and 10.2 dB (70ms)."""
    song = demo_song()
    separator = registry.load("spleeter-2stems", tier)
    vocals = separate_array(song.mix, separator)[separator.spec.stems.index("vocals")]
    assert gain_over_mix(song.stems["vocals"], vocals, song.mix) >= 8.0
