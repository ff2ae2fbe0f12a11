"""Keys, chords and progressions.

A progression is written as semitones above the key note plus a chord kind, one chord per bar, `/` between two chords of a bar:
`0 9m 5 7` is I vi IV V.
"""

from __future__ import annotations

from dataclasses import dataclass

from score import Rng

KINDS = {
    "": (0, 4, 7),
    "m": (0, 3, 7),
    "7": (0, 4, 7, 10),
    "M7": (0, 4, 7, 11),
    "m7": (0, 3, 7, 10),
    "9": (0, 4, 7, 10, 14),
    "m9": (0, 3, 7, 10, 14),
    "6": (0, 4, 7, 9),
    "m7b5": (0, 3, 6, 10),
    "dim": (0, 3, 6),
    "sus4": (0, 5, 7),
    "sus2": (0, 2, 7),
    "add9": (0, 4, 7, 14),
}
"""Semitones above the root by chord kind; the names are those that MMA knows too."""

MMA_NAMES = {"add9": "(add9)"}
NOTE_NAMES = ("C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B")

PROGRESSIONS: dict[str, tuple[str, ...]] = {
    "pop": (
        "0 7 9m 5",
        "9m 5 0 7",
        "0 9m 5 7",
        "0 4m 5 7",
        "5 7 9m 0",
        "0 5 9m 7",
        "0 2m 4m 5",
        "9m7 2m7 7 0M7",
        "0add9 7sus4 9m7 5M7",
    ),
    "rock": ("0 10 5 0", "0 5 7 5", "0m 10 8 10", "0m 8 3 10", "0 3 5 0", "0m 5 0m 7", "0 7 5 5", "0m 0m 10 5", "0 8 10 0"),
    "metal": ("0m 0m 1 0m", "0m 8 10 0m", "0m 3 1 10m", "0m 0m 6 5", "0m 1 0m 11", "0m 10 8 7", "0m 3m 6 1"),
    "blues": ("07 57 07 07 57 57 07 07 77 57 07 77", "0m7 0m7 5m7 0m7 87 77 0m7 77", "07 07 57 07"),
    "jazz": (
        "2m7/77 0M7 9m7/27 0M7",
        "2m7 77 0M7 97",
        "0M7/97 2m7/77 4m7/97 2m7/77",
        "2m7b5 77 0m7 0m7",
        "0M7 6m7b5/117 4m7/97 2m7/77",
        "5M7 107 0M7 97",
    ),
    "funk": ("09 09 09 59", "0m7 57 0m7 57", "0m9 0m9 39 59", "27 27 79 79", "0m7 0m7 10M7 10M7"),
    "latin": ("0m7 57 0m7 77", "0m 10 8 77", "2m7 77 0M7 9m7", "0 5 7 5", "0m6 5m7 77 0m".replace("0m6", "0m7")),
    "reggae": ("0 0 5 7", "0m 10 0m 10", "0m 5m 0m 7m", "0 2m 5 0", "0 9m 5 5"),
    "country": ("0 5 0 7", "0 0 5 5 0 7 0 0", "0 7 5 0", "0 9m 57 77", "5 0 7 0"),
    "dance": ("9m 5 0 7", "0m 8 3 10", "0m 0m 8 10", "0m7 5m7 0m7 7m7", "5M7 7 9m7 4m7", "0m 3 10 5", "0m 0m 0m 0m"),
    "ballad": ("0 4m 5 5m", "0M7 9m7 2m7 7sus4", "0 7 9m 4m 5 0 2m 7", "0m 8 3 10", "0add9 5add9 9m7 7sus4"),
}


@dataclass(frozen=True)
class Chord:
    """A chord: pitch class of its root (0 is C) and a key of `KINDS`."""

    root: int
    kind: str

    def name(self) -> str:
        """Return the chord's name as MMA writes it."""
        return NOTE_NAMES[self.root] + MMA_NAMES.get(self.kind, self.kind)

    def classes(self) -> list[int]:
        """Return the pitch classes of its notes."""
        return [(self.root + step) % 12 for step in KINDS[self.kind]]

    def minor(self) -> bool:
        """Tell whether its third is minor."""
        return 3 in KINDS[self.kind]

    def near(self, centre: int) -> list[int]:
        """Return its notes as MIDI keys, each in the octave nearest to `centre`."""
        return sorted({centre + (pc - centre + 6) % 12 - 6 for pc in self.classes()})


@dataclass(frozen=True)
class Span:
    """A chord and when it sounds (seconds)."""

    start: float
    stop: float
    chord: Chord


def progression(style: str, key: int, bars: int, rng: Rng) -> list[tuple[Chord, ...]]:
    """Draw a progression of a style and repeat it over `bars` bars; each bar has one or two chords."""
    choices = PROGRESSIONS[style]
    cells = choices[rng.integers(len(choices))].split()
    bar_chords = [tuple(_chord(cell, key) for cell in bar.split("/")) for bar in cells]
    return [bar_chords[index % len(bar_chords)] for index in range(bars)]


def _chord(cell: str, key: int) -> Chord:
    """Read `9m7`: the longest known kind at the end, then the semitones."""
    for kind in sorted(KINDS, key=len, reverse=True):
        steps = cell.removesuffix(kind) if kind else cell
        if (cell.endswith(kind)) and steps.isdigit() and int(steps) < 12:
            return Chord((key + int(steps)) % 12, kind)
    raise ValueError(f"{cell} is not a chord of the progression notation")


def scale_of(chord: Chord, style: str) -> list[int]:
    """Return the pitch classes that melodies over the chord use: pentatonic, blues or seven notes by style."""
    steps: tuple[int, ...]
    if style in ("rock", "metal", "blues", "funk"):
        steps = (0, 3, 5, 6, 7, 10) if chord.minor() or style == "blues" else (0, 2, 3, 4, 7, 9)
    elif style in ("jazz", "latin"):
        steps = (0, 2, 3, 5, 7, 9, 10) if chord.minor() else (0, 2, 4, 5, 7, 9, 10 if "7" in chord.kind else 11)
    else:
        steps = (0, 2, 3, 5, 7, 10) if chord.minor() else (0, 2, 4, 7, 9)
    return [(chord.root + step) % 12 for step in steps]
