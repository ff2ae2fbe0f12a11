"""Melodies to sing: scale degrees and lengths on a grid of sixteenths, phrase by phrase, with motifs that come back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SCALES = {
    "major": (0, 2, 4, 5, 7, 9, 11),
    "minor": (0, 2, 3, 5, 7, 8, 10),
    "dorian": (0, 2, 3, 5, 7, 9, 10),
    "mixolydian": (0, 2, 4, 5, 7, 9, 10),
    "major pentatonic": (0, 2, 4, 7, 9),
    "minor pentatonic": (0, 3, 5, 7, 10),
    "blues": (0, 3, 5, 6, 7, 10),
}


@dataclass(frozen=True)
class Note:
    """degree: step of the scale, 0 the tonic in the middle of the range; sixteenths: length; slide: a second degree to end on."""

    degree: int
    sixteenths: int
    slide: int | None = None


class Tune:
    """Draws phrases of one song.

    Args:
        rng: source of all choices.
        tonic_hz: pitch of degree 0.
        span: how far the melody may go from degree 0, in degrees either way.
        pace: mean length of a syllable in seconds, before grid and consonants have their say.
    """

    def __init__(self, rng: np.random.Generator, tonic_hz: float, span: int, pace: float) -> None:
        self._rng, self._span = rng, span
        self.scale = SCALES[str(rng.choice(list(SCALES)))]
        self.sixteenth = 15.0 / float(rng.uniform(72.0, 150.0))
        self._mean = max(1.0, pace / self.sixteenth)
        self._tonic_hz = tonic_hz
        self._motifs: list[list[Note]] = []

    def hertz(self, degree: int) -> float:
        """Pitch of a scale degree."""
        octave, step = divmod(degree, len(self.scale))
        return float(self._tonic_hz * 2.0 ** (octave + self.scale[step] / 12.0))

    def phrase(self, syllables: int) -> list[Note]:
        """Draw one phrase: a new motif or an earlier one, moved and fitted to the number of syllables."""
        rng = self._rng
        if self._motifs and rng.random() < 0.5:
            motif = self._motifs[rng.integers(len(self._motifs))]
            move = int(rng.choice([0, 0, 0, 1, -1, 2]))
            notes = [Note(self._inside(note.degree + move), note.sixteenths, note.slide) for note in motif]
            notes = (notes * (1 + syllables // len(notes)))[:syllables]
        else:
            notes = self._fresh(syllables)
            self._motifs.append(notes)
        last = notes[-1]
        home = min((0, 2, 4, -3, 7), key=lambda degree: abs(degree - last.degree))
        held = int(max(2, round(self._mean * rng.uniform(1.2, 4.0))))
        return [*notes[:-1], Note(self._inside(home), held, home - 1 if rng.random() < 0.12 else None)]

    def _inside(self, degree: int) -> int:
        return max(-self._span, min(self._span, degree))

    def _fresh(self, syllables: int) -> list[Note]:
        rng = self._rng
        degree = int(rng.integers(-self._span, self._span + 1) // 2)
        step, notes = 0, []
        for _ in range(syllables):
            slide = None
            if rng.random() < 0.08:
                slide = self._inside(degree + int(rng.choice([-2, -1, 1, 2])))
            length = int(np.clip(round(self._mean * rng.choice([0.5, 1.0, 1.0, 1.0, 1.5, 2.0])), 1, 12))
            notes.append(Note(degree, length, slide))
            # A leap is answered by a step back.
            step = -int(np.sign(step)) if abs(step) > 2 else int(rng.choice([0, 0, 1, 1, -1, -1, -1, 2, -2, 3, 4, -4]))
            degree = self._inside(degree + step)
        return notes
