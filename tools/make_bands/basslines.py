"""Bass lines over chords: from held roots to walking lines, octaves, riffs with passing notes, slides, and ghost notes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from harmony import Chord, Span, scale_of
from score import Note, Rng

LOWEST, HIGHEST = 27, 55
"""D sharp 1 (a detuned bass) to G3."""

Line = Callable[[list[Span], float, str, Rng], list[Note]]


def _low(pitch_class: int, floor: int) -> int:
    """The lowest key of a pitch class from `floor` on."""
    return floor + (pitch_class - floor) % 12


def _fifth(chord: Chord) -> int:
    return 6 if "b5" in chord.kind or chord.kind == "dim" else 7


def _steps(span: Span, step: float) -> list[float]:
    return [span.start + index * step for index in range(max(1, round((span.stop - span.start) / step)))]


def pumping(spans: list[Span], beat: float, style: str, rng: Rng) -> list[Note]:
    """Even eighths (or sixteenths of metal) on the root, now and then its fifth or octave."""
    divide = int(rng.choice([2, 2, 4] if style == "metal" else [2]))
    floor, part = int(rng.integers(LOWEST, 37)), float(rng.uniform(0.4, 0.98))
    notes = []
    for span in spans:
        root = _low(span.chord.root, floor)
        for index, start in enumerate(_steps(span, beat / divide)):
            other = rng.random() < 0.07
            pitch = root + (int(rng.choice([12, _fifth(span.chord)])) if other and index else 0)
            notes.append(Note(start, beat / divide * part, pitch, 100 if index % divide == 0 else 84))
    return notes


def octaves(spans: list[Span], beat: float, style: str, rng: Rng) -> list[Note]:
    """Root and octave in alternating eighths, as in disco."""
    floor, part = int(rng.integers(LOWEST, 35)), float(rng.uniform(0.35, 0.9))
    off_beat = rng.random() < 0.3
    notes = []
    for span in spans:
        root = _low(span.chord.root, floor)
        for index, start in enumerate(_steps(span, beat / 2)):
            if not (off_beat and index % 2 == 0):
                notes.append(Note(start, beat / 2 * part, root + 12 * (index % 2), 96 if index % 2 else 106))
    return notes


def held(spans: list[Span], beat: float, style: str, rng: Rng) -> list[Note]:
    """A long note per chord, some reached by a slide, some left for the fifth."""
    floor, part = int(rng.integers(LOWEST, 36)), float(rng.uniform(0.75, 1.02))
    notes = []
    for span in spans:
        root, length = _low(span.chord.root, floor), span.stop - span.start
        slide = ((0.0, float(rng.choice([-2, -5, 3]))), (0.05, -1.0), (0.1, 0.0)) if rng.random() < 0.2 else ((0.0, 0.0),)
        if length > 3 * beat and rng.random() < 0.4:
            notes.append(Note(span.start, length * 0.75 * part, root, 104, slide))
            notes.append(
                Note(span.start + length * 0.75, length * 0.25 * part, root + _fifth(span.chord) - 12 * int(root > 33), 88)
            )
        else:
            notes.append(Note(span.start, length * part, root, 104, slide))
    return notes


def walking(spans: list[Span], beat: float, style: str, rng: Rng) -> list[Note]:
    """A note on every beat: chord notes, then a step towards the next root; some beats split in two."""
    floor = int(rng.integers(LOWEST + 2, 34))
    notes, pitch = [], _low(spans[0].chord.root, floor)
    for span, after in zip(spans, [*spans[1:], spans[0]], strict=True):
        starts, classes = _steps(span, beat), span.chord.classes()
        for index, start in enumerate(starts):
            if index == 0:
                wanted = [span.chord.root]
            elif index == len(starts) - 1:
                wanted = [(after.chord.root + int(rng.choice([-1, 1, 2, 7]))) % 12]
            else:
                wanted = classes + (scale_of(span.chord, "jazz") if rng.random() < 0.4 else [])
            near = [
                key for key in range(max(LOWEST, pitch - 8), min(HIGHEST - 4, pitch + 9)) if key % 12 in wanted and key != pitch
            ]
            pitch = int(rng.choice(near)) if near else _low(wanted[0], floor)
            if rng.random() < 0.12:
                notes.append(Note(start + beat * 0.66, beat * 0.25, pitch, 60))
            notes.append(
                Note(start, beat * (0.6 if notes and notes[-1].start > start else 0.95), pitch, int(rng.integers(88, 108)))
            )
    return sorted(notes, key=lambda note: note.start)


def riff(spans: list[Span], beat: float, style: str, rng: Rng) -> list[Note]:
    """A syncopated figure of one or two bars in sixteenths, moved along with the chords; ghost notes and slides between."""
    floor = int(rng.integers(LOWEST, 37))
    steps = int(rng.choice([16, 32]))
    chance = float(rng.uniform(0.25, 0.55))
    degrees = (0, 0, 0, 7, 12, 10, 5, 3, -2, -5)
    figure: list[tuple[int, int, float, bool]] = []
    for at in range(steps):
        strong = at % 16 == 0
        if strong or rng.random() < chance * (1.2 if at % 2 == 0 else 0.7):
            ghost = not strong and rng.random() < 0.15
            figure.append((at, 0 if strong else int(rng.choice(degrees)), float(rng.uniform(0.5, 1.0)), ghost))
    step, notes, origin = beat / 4, [], spans[0].start
    for span in spans:
        root, third = _low(span.chord.root, floor), 3 if span.chord.minor() else 4
        first, last = round((span.start - origin) / step), round((span.stop - origin) / step)
        for cycle in range(first // steps, last // steps + 1):
            for index, (at, degree, part, ghost) in enumerate(figure):
                position = cycle * steps + at
                if not first <= position < last or rng.random() < 0.04:
                    continue
                until = figure[index + 1][0] if index + 1 < len(figure) else steps
                pitch = max(LOWEST, root + (third if degree == 3 else degree))
                length = step * (0.3 if ghost else min(until - at, 6) * part)
                slide = ((0.0, -2.0), (0.04, -1.0), (0.08, 0.0)) if rng.random() < 0.05 else ()
                notes.append(Note(origin + position * step, length, pitch, 42 if ghost else int(rng.integers(86, 116)), slide))
    return notes


def gallop(spans: list[Span], beat: float, style: str, rng: Rng) -> list[Note]:
    """One eighth and two sixteenths per beat, the trot of metal and of country two-beats."""
    floor, notes = int(rng.integers(LOWEST, 32)), []
    for span in spans:
        root = _low(span.chord.root, floor)
        for start in _steps(span, beat):
            for after, length in ((0.0, 0.5), (0.5, 0.25), (0.75, 0.25)):
                notes.append(Note(start + after * beat, length * beat * 0.85, root, 106 if after == 0.0 else 90))
    return notes


def two_beat(spans: list[Span], beat: float, style: str, rng: Rng) -> list[Note]:
    """Root and fifth in halves, with runs of scale notes into the next chord (country, polka, reggae's slower cousins)."""
    floor, notes = int(rng.integers(LOWEST, 37)), []
    for span, after in zip(spans, [*spans[1:], spans[0]], strict=True):
        root = _low(span.chord.root, floor)
        starts = _steps(span, 2 * beat)
        for index, start in enumerate(starts):
            run = index == len(starts) - 1 and after.chord != span.chord and rng.random() < 0.4
            pitch = root if index % 2 == 0 else root + _fifth(span.chord) - 12 * int(root - 5 >= LOWEST)
            notes.append(Note(start, beat * float(rng.uniform(0.8, 1.6)) if not run else beat * 0.9, pitch, 102))
            if run:
                target = _low(after.chord.root, floor)
                notes.append(Note(start + beat, beat * 0.9, max(LOWEST, target + int(np.sign(root - target) or 1) * 2), 92))
    return notes


def dubby(spans: list[Span], beat: float, style: str, rng: Rng) -> list[Note]:
    """Few round notes with rests, of a figure over two bars: reggae, dub, trip hop, tumbao when it leaves out the one."""
    floor, length = int(rng.integers(LOWEST, 35)), 16
    places = sorted(rng.choice(length, size=int(rng.integers(4, 9)), replace=False).tolist())
    degrees = [int(rng.choice((0, 0, 7, 3, 5, 10, 12))) for _ in places]
    notes, step = [], beat / 2
    for span in spans:
        root, third = _low(span.chord.root, floor), 3 if span.chord.minor() else 4
        for index, start in enumerate(_steps(span, step)):
            place = (round(spans[0].start + span.start / step) + index) % length
            if place in places:
                degree = degrees[places.index(place)]
                notes.append(Note(start, step * float(rng.uniform(0.7, 1.7)), root + (third if degree == 3 else degree), 104))
    return notes


def gliding(spans: list[Span], beat: float, style: str, rng: Rng) -> list[Note]:
    """Long, sparse sub notes that start with the kick and glide to another pitch (808 bass)."""
    floor, notes = int(rng.integers(25, 33)), []
    places = [0.0, *sorted(rng.choice([0.75, 1.5, 2.0, 2.5, 2.75, 3.5], size=int(rng.integers(1, 4)), replace=False).tolist())]
    for span in spans:
        root, length = _low(span.chord.root, floor), (span.stop - span.start) / beat
        inside = [place for place in places if place < length]
        for place, until in zip(inside, [*inside[1:], length], strict=True):
            held_for = (until - place) * beat * float(rng.uniform(0.8, 1.0))
            target = float(rng.choice([12.0, 7.0, -5.0, 3.0]))
            glide = tuple((held_for * (0.55 + 0.04 * k), target * k / 6) for k in range(7)) if rng.random() < 0.25 else ()
            notes.append(Note(span.start + place * beat, held_for, root, 110, glide))
    return notes


LINES: dict[str, tuple[Line, ...]] = {
    "pop": (pumping, riff, held, octaves, riff),
    "rock": (pumping, pumping, riff, held, gallop),
    "metal": (pumping, gallop, riff),
    "blues": (walking, riff, two_beat, pumping),
    "jazz": (walking, walking, two_beat, riff),
    "funk": (riff, riff, octaves, dubby),
    "latin": (dubby, riff, two_beat, walking),
    "reggae": (dubby, dubby, riff),
    "country": (two_beat, two_beat, walking, gallop),
    "dance": (octaves, riff, gliding, held, pumping, gliding),
    "ballad": (held, held, dubby, two_beat),
}


def compose(spans: list[Span], beat: float, style: str, rng: Rng) -> tuple[str, list[Note]]:
    """Draw a kind of line for a style and write it; returns its name too."""
    line = LINES[style][rng.integers(len(LINES[style]))]
    notes = line(spans, beat, style, rng)
    return line.__name__, [note for note in notes if note.length > 0.0 and note.pitch <= HIGHEST + 6]
