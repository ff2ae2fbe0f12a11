"""What is played, before it has a sound: notes in seconds, grouped to parts, the parts to a score.

Everything that writes music here (grooves of MMA, MIDI files, the own composers) ends in these three types,
everything that sounds (soundfonts, synthesisers, sampled kits) starts from them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

Rng = np.random.Generator


@dataclass(frozen=True)
class Note:
    """One note.

    start, length: seconds. pitch: MIDI key number (of a drum: its General MIDI key). velocity: 1 to 127.
    bends: `(seconds after start, semitones)` points of a pitch curve; empty is none.
    """

    start: float
    length: float
    pitch: int
    velocity: int
    bends: tuple[tuple[float, float], ...] = ()


@dataclass
class Part:
    """Notes of one player.

    role: how it is sounded and treated: drums, bass, lead, or a kind of accompaniment (keys, strum, power, pad, arp, …).
    program: General MIDI program 0 to 127, where the writer had one in mind; -1 leaves it to the player.
    """

    role: str
    notes: list[Note]
    program: int = -1


@dataclass
class Score:
    """A song as notes.

    seconds: its length. line: kind of bass line. beat: seconds. borders: of its sections, in seconds, first 0, last `seconds`.
    sources: keys of `sources.SOURCES`, what the notes are made of.
    """

    seconds: float
    parts: list[Part]
    style: str
    line: str
    beat: float
    borders: list[float]
    sources: list[str]


def without(notes: list[Note], start: float, stop: float) -> list[Note]:
    """Leave out the notes that begin in `[start, stop)`, and end earlier ones there."""
    return [
        replace(note, length=min(note.length, start - note.start)) if note.start < start else note
        for note in notes
        if not start <= note.start < stop
    ]


def humanised(notes: list[Note], rng: Rng, timing_ms: float, velocity: float) -> list[Note]:
    """Move every note by a normally distributed time (standard deviation `timing_ms`) and strength."""
    late = rng.normal(0.0, timing_ms / 1000.0, len(notes))
    harder = rng.normal(0.0, velocity, len(notes))
    return [
        replace(note, start=max(0.0, note.start + float(dt)), velocity=int(np.clip(note.velocity + dv, 8, 127)))
        for note, dt, dv in zip(notes, late, harder, strict=True)
    ]


def transposed(notes: list[Note], semitones: int) -> list[Note]:
    """Shift every pitch."""
    return [replace(note, pitch=int(np.clip(note.pitch + semitones, 0, 127))) for note in notes]
