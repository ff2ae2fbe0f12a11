"""Melodies of instruments that sing like a voice: phrases of the chord's scale with pauses, vibrato, bends and portamento.

They carry the label `other`: a separator that has only met melodies sung takes every melody for a voice.
"""

from __future__ import annotations

import numpy as np
from harmony import Span, scale_of
from score import Note, Part, Rng

VIBRATO_HZ = (4.5, 6.8)
CURVE_STEP = 0.016
"""Seconds between the points of a pitch curve."""

INSTRUMENTS: dict[str, tuple[int, ...]] = {
    "guitar": (26, 27, 28, 29, 30),
    "reed": (64, 65, 66, 67, 68, 71),
    "string": (40, 41, 42, 110),
    "flute": (73, 74, 75, 72, 79, 78),
    "brass": (56, 57, 59, 60),
    "harmonica": (22, 21),
    "synth": (80, 81, 84, 87, 85),
}
"""General MIDI programs by family. Program 85, a synthetic voice, is rare; "synth" is mostly our own synthesiser."""

FAMILIES_OF = {
    "metal": ("guitar", "guitar", "synth"),
    "rock": ("guitar", "guitar", "guitar", "harmonica", "synth"),
    "blues": ("guitar", "harmonica", "reed"),
    "jazz": ("reed", "brass", "flute", "guitar", "string"),
    "dance": ("synth", "synth", "synth", "flute"),
    "country": ("string", "guitar", "harmonica"),
    "latin": ("brass", "flute", "reed", "guitar"),
}
COMPASS = {
    "guitar": (55, 82),
    "reed": (52, 80),
    "string": (57, 88),
    "flute": (64, 92),
    "brass": (55, 80),
    "harmonica": (60, 84),
    "synth": (55, 88),
}


def _curve(length: float, arrival: float, depth: float, rate_hz: float, fall: float) -> tuple[tuple[float, float], ...]:
    """Pitch curve of a note: from `arrival` semitones off into the note, vibrato after 0.25 s, a fall at the end."""
    times = np.arange(0.0, max(length, CURVE_STEP), CURVE_STEP)
    bend = arrival * np.clip(1.0 - times / 0.11, 0.0, 1.0)
    growth = np.clip((times - 0.22) / 0.3, 0.0, 1.0)
    bend += depth * growth * np.sin(2 * np.pi * rate_hz * times)
    bend += fall * np.clip((times - length + 0.12) / 0.12, 0.0, 1.0)
    return tuple((float(at), float(value)) for at, value in zip(times, bend, strict=True))


def compose(spans: list[Span], beat: float, style: str, rng: Rng) -> Part:
    """Write a melody over the whole song; three quarters of it sounds, in phrases of one to four bars."""
    families = FAMILIES_OF.get(style, tuple(INSTRUMENTS))
    family = families[rng.integers(len(families))]
    lowest, highest = COMPASS[family]
    pitch = int(rng.integers(lowest + 6, highest - 6))
    depth, rate_hz = float(rng.uniform(0.05, 0.5)), float(rng.uniform(*VIBRATO_HZ))
    busy = float(rng.uniform(0.15, 0.7))
    notes: list[Note] = []
    now, end = spans[0].start, spans[-1].stop
    index = 0
    while now < end - beat:
        phrase_end = min(end, now + beat * float(rng.choice([4, 6, 8, 12, 16])))
        while now < phrase_end - 0.1:
            while index + 1 < len(spans) and spans[index].stop <= now + 1e-6:
                index += 1
            chord = spans[index].chord
            length = beat * float(rng.choice([0.25, 0.5, 0.5, 1.0, 1.5, 2.0], p=_weights(busy)))
            length = min(length, phrase_end - now)
            wanted = chord.classes() if length >= beat else scale_of(chord, style)
            near = [key for key in range(max(lowest, pitch - 7), min(highest, pitch + 8)) if key % 12 in wanted]
            before, pitch = pitch, int(min(near, key=lambda key: abs(key - pitch - rng.normal(0.0, 3.0)))) if near else pitch
            arrival = float(np.clip(before - pitch, -3, 3)) if rng.random() < 0.4 else float(rng.choice([0.0, 0.0, -1.0, -2.0]))
            fall = float(rng.choice([0.0, 0.0, 0.0, -2.0]))
            sounding = length * float(rng.uniform(0.85, 1.0))
            curve = _curve(
                sounding, arrival, depth if length >= beat else 0.3 * depth, rate_hz * float(rng.uniform(0.93, 1.07)), fall
            )
            notes.append(Note(now, sounding, pitch, int(rng.integers(80, 118)), curve))
            now += length
        now += beat * float(rng.choice([0.5, 1, 2, 2, 4, 6]))
    programs = INSTRUMENTS[family]
    return Part("lead", notes, int(programs[rng.integers(len(programs))]))


def _weights(busy: float) -> list[float]:
    """Chances of the note lengths, from slow (0) to busy (1)."""
    raw = np.array([busy * 0.8, 0.6 * busy + 0.1, 0.6 * busy + 0.1, 0.3, 0.25 * (1 - busy), 0.35 * (1 - busy)])
    return [float(value) for value in raw / raw.sum()]
