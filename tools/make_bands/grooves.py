"""Bands by MMA (Musical MIDI Accompaniment): its library of some 1900 grooves plays our chord progressions.

A groove file holds variants of one style (main patterns, fills, intros, endings); a song draws a few of one file and changes
between them at section borders, as an arranger would.
"""

from __future__ import annotations

import functools
import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from harmony import Chord
from midifiles import read_midi
from score import Part, Rng

LIBRARY = Path("/usr/share/mma/lib")
DRUMS_ONLY = "zoom"
"""The grooves of this folder are drum machine patterns without harmony instruments."""

STYLES = (
    ("metal", "metal|mtl|hrk|thr|punk"),
    ("jazz", "jazz|swing|bebop|evansish|foxtrot|broadway|charleston|showtune|bigband|ragtime|quickstep|dixie|softshoe|bald"),
    ("blues", "blues|boogie|boggie|jive|twist|50s"),
    ("latin", "latin|bossa|samba|salsa|mambo|cha|rhumba|tango|beguine|bolero|calypso|cuban|merengue|son|quando|spanish"),
    ("reggae", "reggae|ska"),
    ("funk", "funk|soul|r\\+b|rnb|rb|motown|fus|strut|modernrb|hip|trip"),
    ("dance", "dance|house|techno|trance|rave|disco|dnb|electric|digital|ambient|boneym"),
    ("country", "country|cntry|western|blue|polka|folk|hill|zydeco|march"),
    ("rock", "rock|punk|8beat|beat"),
    ("ballad", "ballad|slow|waltz|hymn|lullaby|serenade|spiritual|arpeggio"),
)
"""Style of progressions and melodies by a pattern of the groove file's name; the first that matches."""


@dataclass(frozen=True)
class GrooveFile:
    """A library file: its grooves, beats per bar, and the tempo it suggests (0 where it is silent about it)."""

    path: Path
    grooves: tuple[str, ...]
    beats: int
    tempo: float

    def style(self) -> str:
        """Return the harmony style that suits the file's name."""
        return next((style for style, pattern in STYLES if re.search(pattern, self.path.stem.lower())), "pop")


@functools.cache
def library() -> tuple[GrooveFile, ...]:
    """Read the names of all grooves; files whose bars are not plain (no groove, or more than 6 beats) are left out."""
    files = []
    for path in sorted(LIBRARY.glob("*/*.mma")):
        text = path.read_text("latin-1")
        grooves = tuple(name for name in re.findall(r"^\s*DefGroove\s+(\S+)", text, re.M) if "$" not in name)
        times = re.findall(r"^\s*Time\s+(\d+)", text, re.M)
        beats = int(times[0]) if times else 4
        tempo = re.findall(r"^\s*(?:Tempo|SuggestTempo)\s+(\d+)", text, re.M)
        same_bars = len(set(times)) <= 1 and "TimeSig 6" not in text
        if (
            grooves
            and same_bars
            and beats in (3, 4)
            and "metronome" not in path.stem
            and path.stem not in ("none", "count", "mide")
        ):
            files.append(GrooveFile(path, grooves, beats, float(tempo[0]) if tempo else 0.0))
    return tuple(files)


def arrangement(file: GrooveFile, bars: int, section: int, rng: Rng) -> list[str]:
    """Choose a groove for every bar: a main one per section, fills before borders, intro and ending if the file has them."""
    named = {kind: [name for name in file.grooves if kind in name.lower()] for kind in ("intro", "fill", "end")}
    main = [name for name in file.grooves if not any(name in names for names in named.values())] or list(file.grooves)
    palette = [main[index] for index in rng.choice(len(main), size=min(3, len(main)), replace=False)]
    chosen: list[str] = []
    while len(chosen) < bars:
        chosen += [palette[rng.integers(len(palette))]] * section
        if named["fill"] and rng.random() < 0.7:
            chosen[-1] = named["fill"][rng.integers(len(named["fill"]))]
    chosen = chosen[:bars]
    if named["intro"] and rng.random() < 0.4:
        chosen[: section // 2] = [named["intro"][rng.integers(len(named["intro"]))]] * (section // 2)
    if named["end"] and rng.random() < 0.5:
        chosen[-2:] = [named["end"][rng.integers(len(named["end"]))]] * 2
    return chosen


def perform(file: GrooveFile, grooves: list[str], chords: list[tuple[Chord, ...]], tempo: float, rng: Rng) -> list[Part]:
    """Let MMA play.

    Args:
        file: where the grooves live.
        grooves: one per bar.
        chords: one or two chords per bar.
        tempo: beats per minute.
        rng: seeds MMA's own random variation.

    Raises:
        RuntimeError: MMA refuses the groove.
    """
    lines = [f"RndSeed {rng.integers(1 << 30)}", "Author rtsep"]
    before = ""
    for bar, (groove, names) in enumerate(zip(grooves, chords, strict=True)):
        if groove != before:
            lines += [f"Groove {file.path}:{groove}", f"Tempo {tempo:.2f}"]
            before = groove
        hold = max(1, file.beats // len(names))
        beats = [chord.name() for chord in names for _ in range(hold)]
        lines.append(f"{bar + 1} " + " ".join(beats[: file.beats]))
    with tempfile.TemporaryDirectory() as folder:
        song, midi = Path(folder) / "song.mma", Path(folder) / "song.mid"
        song.write_text("\n".join(lines) + "\n")
        result = subprocess.run(["mma", "-w", "-f", str(midi), str(song)], capture_output=True, text=True, cwd=folder, timeout=60)
        if result.returncode or not midi.exists():
            raise RuntimeError(f"mma refuses {file.path.name} {sorted(set(grooves))}: {result.stdout[-200:]}")
        parts, _ = read_midi(midi.read_bytes(), tempo)  # without the ritardandi of some endings: our parts play along
    return parts
