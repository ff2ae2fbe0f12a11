"""Standard MIDI files, and those inside the WAD archives of Doom-like games, as lists of parts."""

from __future__ import annotations

import hashlib
import struct
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from score import Note, Part

DRUM_CHANNEL = 9
BASS_PROGRAMS = range(32, 40)
LOW_PITCH = 46
"""A track called bass whose middle note lies above this (the A# below middle C) is an accompaniment in disguise."""

FAMILIES = (
    "keys",
    "bells",
    "organ",
    "strum",
    "bass",
    "strings",
    "strings",
    "brass",
    "reed",
    "flute",
    "lead",
    "pad",
    "pad",
    "strum",
    "bells",
    "pad",
)
"""Roles by General MIDI family (program // 8)."""


@dataclass
class _Track:
    """Raw events of a MIDI file: `(tick, channel, key, velocity)` note ons and offs, by track."""

    name: str = ""
    notes: list[tuple[int, int, int, int]] = field(default_factory=list)
    programs: list[tuple[int, int, int]] = field(default_factory=list)
    bends: list[tuple[int, int, float]] = field(default_factory=list)


def read_midi(data: bytes, tempo: float | None = None) -> tuple[list[Part], float]:
    """Read a standard MIDI file of format 0 or 1.

    Args:
        data: the file's content.
        tempo: beats per minute to be kept throughout, whatever the file says; None follows the file.

    Returns:
        Parts with `role` "drums", "bass" or a family of `FAMILIES`, one per track name, channel and program; and the length in
        seconds. The track's name decides about bass where it says so (MMA's "Bass-…" and "Walk-…").
    """
    _, division = struct.unpack(">HH", data[10:14])
    tempi: list[tuple[int, float]] = [(0, 0.5)]
    tracks, position = [], 14
    while position + 8 <= len(data):
        (size,) = struct.unpack(">I", data[position + 4 : position + 8])
        if data[position : position + 4] == b"MTrk":
            tracks.append(_read_track(data[position + 8 : position + 8 + size], tempi))
        position += 8 + size
    seconds_at = _Clock(sorted(tempi) if tempo is None else [(0, 60.0 / tempo)], division)
    programs: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for track in tracks:
        for tick, channel, program in track.programs:
            programs[channel].append((tick, program))
    groups: dict[tuple[str, int, int], list[Note]] = defaultdict(list)
    for track in tracks:
        for note, channel, tick in _pair(track, seconds_at):
            before = [program for at, program in sorted(programs[channel]) if at <= tick]
            groups[track.name, channel, before[-1] if before else 0].append(note)
    parts = [
        Part(_role(name, channel, program, notes), sorted(notes, key=lambda note: note.start), program)
        for (name, channel, program), notes in groups.items()
    ]
    return parts, max((note.start + note.length for part in parts for note in part.notes), default=0.0)


def _role(name: str, channel: int, program: int, notes: list[Note]) -> str:
    if channel == DRUM_CHANNEL:
        return "drums"
    low = float(np.median([note.pitch for note in notes])) < LOW_PITCH
    if program in BASS_PROGRAMS or (low and name.lower().startswith(("bass", "walk"))):
        return "bass"
    return "power" if program in (29, 30, 31) else FAMILIES[program // 8]


def _read_track(data: bytes, tempi: list[tuple[int, float]]) -> _Track:
    """Walk through one track chunk; tempo changes (seconds per quarter) go to `tempi`."""
    track, tick, position, status = _Track(), 0, 0, 0

    def number() -> int:
        nonlocal position
        value = 0
        while True:
            byte = data[position]
            position += 1
            value = value << 7 | byte & 0x7F
            if byte < 0x80:
                return value

    while position < len(data):
        tick += number()
        if data[position] >= 0x80:
            status = data[position]
            position += 1
        if status == 0xFF:
            kind = data[position]
            position += 1
            size = number()
            body = data[position : position + size]
            position += size
            if kind == 0x51:
                tempi.append((tick, int.from_bytes(body, "big") / 1e6))
            elif kind == 3 and not track.name:
                track.name = body.decode("latin-1").strip()
        elif status >= 0xF0:
            position += number()
        else:
            kind, channel = status >> 4, status & 0x0F
            first, second = data[position], data[position + 1] if kind not in (0xC, 0xD) else 0
            position += 1 if kind in (0xC, 0xD) else 2
            if kind in (8, 9):
                track.notes.append((tick, channel, first, second if kind == 9 else 0))
            elif kind == 0xC:
                track.programs.append((tick, channel, first))
            elif kind == 0xE:
                track.bends.append((tick, channel, ((second << 7 | first) - 8192) / 8192 * 2.0))
    return track


class _Clock:
    """Seconds of a tick, by the tempo map."""

    def __init__(self, tempi: list[tuple[int, float]], division: int) -> None:
        ticks = np.array([tick for tick, _ in tempi], float)
        self.per_tick = np.array([tempo for _, tempo in tempi]) / division
        self.ticks = ticks
        self.starts = np.concatenate([[0.0], np.cumsum(np.diff(ticks) * self.per_tick[:-1])])

    def __call__(self, tick: int) -> float:
        index = int(np.searchsorted(self.ticks, tick, side="right")) - 1
        return float(self.starts[index] + (tick - self.ticks[index]) * self.per_tick[index])


def _pair(track: _Track, seconds_at: _Clock) -> Iterator[tuple[Note, int, int]]:
    """Match note ons with their offs; yield note, channel and tick."""
    sounding: dict[tuple[int, int], tuple[int, int]] = {}
    bends: dict[int, list[tuple[float, float]]] = defaultdict(list)
    for tick, channel, semitones in track.bends:
        bends[channel].append((seconds_at(tick), semitones))
    for tick, channel, key, velocity in track.notes:
        if (channel, key) in sounding:
            begun, strength = sounding.pop((channel, key))
            start, stop = seconds_at(begun), seconds_at(tick)
            curve = tuple((max(at - start, 0.0), value) for at, value in _during(bends[channel], start, stop))
            yield Note(start, stop - start, key, strength, curve), channel, begun
        if velocity:
            sounding[channel, key] = (tick, velocity)


def _during(curve: list[tuple[float, float]], start: float, stop: float) -> list[tuple[float, float]]:
    """The value in force at `start` and all changes before `stop`; nothing where the curve is flat at 0."""
    before = [point for point in curve if point[0] <= start][-1:]
    inside = before + [point for point in curve if start < point[0] < stop]
    return inside if any(value for _, value in inside) else []


def wad_music(wad: Path) -> dict[str, bytes]:
    """Return the MIDI lumps of a WAD archive by name, each content once."""
    data = wad.read_bytes()
    count, directory = struct.unpack("<ii", data[4:12])
    music, seen = {}, set()
    for index in range(count):
        start, size, name = struct.unpack("<ii8s", data[directory + 16 * index : directory + 16 * index + 16])
        lump = data[start : start + size]
        digest = hashlib.sha256(lump).digest()
        if lump.startswith(b"MThd") and digest not in seen:
            seen.add(digest)
            music[name.rstrip(b"\0").decode("ascii")] = lump
    return music
