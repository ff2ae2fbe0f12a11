"""The melodies that `tools/make_voices` sings: a note for every syllable, within the singer's range, in the scale."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

TOOL = Path(__file__).parents[2] / "tools" / "make_voices"


@pytest.fixture
def melody(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(TOOL))
    import melody

    return melody


def test_every_syllable_gets_a_note_within_the_range(melody: ModuleType) -> None:
    for seed in range(20):
        rng = np.random.default_rng(seed)
        tune = melody.Tune(rng, tonic_hz=220.0, span=4, pace=0.3)
        for syllables in rng.integers(1, 16, 12):
            notes = tune.phrase(int(syllables))
            assert len(notes) == syllables
            assert all(abs(note.degree) <= 4 and note.sixteenths >= 1 for note in notes)


def test_an_octave_of_degrees_doubles_the_pitch_in_every_scale(melody: ModuleType) -> None:
    for seed in range(20):
        tune = melody.Tune(np.random.default_rng(seed), tonic_hz=200.0, span=5, pace=0.3)
        assert tune.hertz(0) == pytest.approx(200.0)
        assert tune.hertz(3 + len(tune.scale)) == pytest.approx(2.0 * tune.hertz(3))
        assert tune.hertz(-len(tune.scale)) == pytest.approx(100.0)
