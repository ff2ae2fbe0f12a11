"""Songs as notes: which band plays what, from the number of the song alone.

Of twenty songs nine are grooves of MMA over progressions of ours (often with a bass line or extra parts of ours), seven are
composed here (half of them to drum patterns of MMA's collection), and four are excerpts of games' MIDI files with other
instruments.
"""

from __future__ import annotations

import functools
from dataclasses import replace
from pathlib import Path

import basslines
import beats
import comping
import grooves
import harmony
import leads
import numpy as np
from harmony import Chord, Span
from midifiles import read_midi, wad_music
from score import Note, Part, Rng, Score, transposed, without

KINDS = "mofmomfmomofmomofmom"
"""Kind of song by its number modulo 20: m MMA, o own, f MIDI file."""

TEMPI = {
    "pop": (84, 132),
    "rock": (92, 168),
    "metal": (96, 196),
    "blues": (72, 150),
    "jazz": (88, 210),
    "funk": (84, 122),
    "latin": (88, 136),
    "reggae": (64, 96),
    "country": (88, 170),
    "dance": (98, 142),
    "ballad": (58, 92),
}
STYLES = (
    "pop",
    "dance",
    "rock",
    "funk",
    "dance",
    "pop",
    "reggae",
    "metal",
    "ballad",
    "dance",
    "pop",
    "latin",
    "rock",
    "dance",
    "country",
    "funk",
    "pop",
    "dance",
    "ballad",
)
WADS = ("freedoom1.wad", "freedoom2.wad")
GAMES = Path("/usr/share/games/doom")
PLANET_BLUPI = Path("/usr/share/planetblupi/music")
SHORTEST, LONGEST = 46.0, 68.0


def write(number: int, rng: Rng) -> Score:
    """Write song `number`. Songs of one kind go through the groove files, styles and MIDI files in turn."""
    kind = KINDS[number % len(KINDS)]
    turn = number // len(KINDS) * KINDS.count(kind) + KINDS[: number % len(KINDS)].count(kind)
    score = {"m": _groove_band, "o": _own_band, "f": _midi_file}[kind](turn, rng)
    _thin_out(score, rng)
    return score


def _spans(chords: list[tuple[Chord, ...]], beat: float, per_bar: int) -> list[Span]:
    spans = []
    for bar, names in enumerate(chords):
        start, hold = bar * per_bar * beat, per_bar // len(names) * beat
        for index, chord in enumerate(names):
            last = index == len(names) - 1
            spans.append(Span(start + index * hold, (bar + 1) * per_bar * beat if last else start + (index + 1) * hold, chord))
    return spans


def _form(tempo: float, per_bar: int, rng: Rng) -> tuple[int, int]:
    """Return bars and bars per section."""
    bar_seconds = per_bar * 60.0 / tempo
    section = 8 if bar_seconds < 2.2 and rng.random() < 0.5 else 4
    return max(8, round(rng.uniform(SHORTEST, LONGEST - 2.0) / bar_seconds)), section


def _chords(style: str, bars: int, section: int, rng: Rng) -> list[tuple[Chord, ...]]:
    """Two progressions of one key in turn, as verse and chorus."""
    key = int(rng.integers(12))
    verse, chorus = (harmony.progression(style, key, bars, rng) for _ in range(2))
    return [(chorus if bar // (2 * section) % 2 else verse)[bar] for bar in range(bars)]


def _borders(bars: int, section: int, bar_seconds: float, seconds: float) -> list[float]:
    return [bar * bar_seconds for bar in range(0, bars, section)] + [seconds]


def _tempo(style: str, file: grooves.GrooveFile, rng: Rng) -> float:
    lowest, highest = (file.tempo * 0.85, file.tempo * 1.2) if file.tempo else TEMPI[style]
    name = file.path.stem.lower()
    factor = 0.8 if "slow" in name or "ballad" in name else 1.15 if "fast" in name or "quick" in name else 1.0
    return float(rng.uniform(lowest, highest)) * factor


@functools.cache
def _shuffled(drums_only: bool) -> tuple[grooves.GrooveFile, ...]:
    files = [file for file in grooves.library() if (file.path.parent.name == grooves.DRUMS_ONLY) == drums_only]
    order = np.random.default_rng(7).permutation(len(files))
    return tuple(files[index] for index in order)


def _groove_band(turn: int, rng: Rng) -> Score:
    """A groove of MMA; its bass is replaced in half of the songs, parts and leads of ours join some."""
    files = _shuffled(False)
    file = files[turn % len(files)]
    style = file.style()
    tempo = _tempo(style, file, rng)
    beat = 60.0 / tempo
    bars, section = _form(tempo, file.beats, rng)
    chords = _chords(style, bars, section, rng)
    parts = grooves.perform(file, grooves.arrangement(file, bars, section, rng), chords, tempo, rng)
    seconds = bars * file.beats * beat + 1.5
    spans = _spans(chords, beat, file.beats)
    line = "groove"
    if rng.random() < 0.5 or not any(part.role == "bass" for part in parts):
        line, notes = basslines.compose(spans, beat, style, rng)
        parts = [part for part in parts if part.role != "bass"] + [Part("bass", notes)]
    others = [part for part in parts if part.role not in ("drums", "bass")]
    if len(others) < 2 or rng.random() < 0.25:
        parts += comping.compose(spans, beat, style, rng)[: 2 if len(others) < 2 else 1]
    if not any(part.role in ("lead", "reed", "flute") for part in others) and rng.random() < 0.5:
        parts.append(leads.compose(spans, beat, style, rng))
    if file.beats == 4 and not any(part.role == "drums" for part in parts):
        parts.append(Part("drums", beats.compose(style, bars, 4 * beat, section, rng)))
    return Score(seconds, _merged(parts), style, line, beat, _borders(bars, section, file.beats * beat, seconds), ["mma"])


def _own_band(turn: int, rng: Rng) -> Score:
    """Everything composed here, the drums in half of the songs a pattern of MMA's drum machine collection."""
    style = STYLES[turn % len(STYLES)]
    tempo = float(rng.uniform(*TEMPI[style]))
    if style == "dance" and rng.random() < 0.2:
        tempo = float(rng.uniform(160, 176))
    beat = 60.0 / tempo
    bars, section = _form(tempo, 4, rng)
    chords = _chords(style, bars, section, rng)
    spans = _spans(chords, beat, 4)
    seconds = bars * 4 * beat + 1.5
    line, bass = basslines.compose(spans, beat, style, rng)
    patterns = [file for file in _shuffled(True) if file.style() == style and file.beats == 4]
    sources = ["own"]
    if patterns and rng.random() < 0.5:
        file = patterns[rng.integers(len(patterns))]
        played = grooves.perform(file, grooves.arrangement(file, bars, section, rng), chords, tempo, rng)
        drums = [note for part in played if part.role == "drums" for note in part.notes]
        sources.append("mma")
    else:
        drums = beats.compose(style, bars, 4 * beat, section, rng)
    parts = [Part("drums", drums), Part("bass", bass), *comping.compose(spans, beat, style, rng)]
    if rng.random() < 0.55:
        parts.append(leads.compose(spans, beat, style, rng))
    return Score(seconds, parts, style, line, beat, _borders(bars, section, 4 * beat, seconds), sources)


@functools.cache
def _midi_files() -> tuple[tuple[str, bytes], ...]:
    """All MIDI music with drums, bass and accompaniment: `(source, content)`, shuffled once."""
    found = [("freedoom", lump) for wad in WADS for lump in wad_music(GAMES / wad).values()]
    found += [("planetblupi", path.read_bytes()) for path in sorted(PLANET_BLUPI.glob("*.mid"))]
    usable = []
    for source, data in found:
        parts, seconds = read_midi(data)
        roles = {part.role for part in parts}
        if seconds > SHORTEST and {"drums", "bass"} < roles:
            usable.append((source, data))
    order = np.random.default_rng(7).permutation(len(usable))
    return tuple(usable[index] for index in order)


def _midi_file(turn: int, rng: Rng) -> Score:
    """An excerpt of a game's MIDI file at another tempo and pitch."""
    files = _midi_files()
    source, data = files[turn % len(files)]
    parts, total = read_midi(data)
    speed, semitones = float(rng.uniform(0.85, 1.15)), int(rng.integers(-4, 5))
    seconds = min(float(rng.uniform(SHORTEST, LONGEST)), total / speed)
    everyone = [part for part in parts if len(part.notes) > 2]
    latest = max(0.0, total / speed - seconds)
    start = max(rng.uniform(0.0, latest, 6), key=lambda at: _presence(everyone, at * speed, (at + seconds) * speed))
    excerpts = []
    for part in everyone:
        notes = [
            replace(
                note,
                start=note.start / speed - start,
                length=note.length / speed,
                bends=tuple((at / speed, value) for at, value in note.bends),
            )
            for note in part.notes
            if start <= note.start / speed < start + seconds - 0.1
        ]
        if len(notes) > 2:
            excerpts.append(Part(part.role, notes if part.role == "drums" else transposed(notes, semitones), part.program))
    heavy = any(part.role == "power" for part in excerpts)
    borders = [float(at) for at in np.linspace(0.0, seconds, 7)]
    return Score(seconds, _merged(excerpts), "metal" if heavy else "rock", "file", 0.5, borders, [source])


def _presence(parts: list[Part], start: float, stop: float) -> int:
    """How many tenths of a stretch each of drums, bass and the others have, in the worst of the three."""
    counts = []
    for roles in (("drums",), ("bass",)):
        notes = [note.start for part in parts if part.role in roles for note in part.notes if start <= note.start < stop]
        counts.append(len({int((at - start) / (stop - start) * 10) for at in notes}))
    return min(counts) * 10 + sum(counts)


def _merged(parts: list[Part]) -> list[Part]:
    """One drums part, one bass part; of many accompaniments, those that sound most. Grows no song over six of them."""
    drums, bass = ([note for part in parts if part.role == role for note in part.notes] for role in ("drums", "bass"))
    programs = [part.program for part in parts if part.role == "bass"]
    others: dict[tuple[str, int], list[Note]] = {}
    for part in parts:
        if part.role not in ("drums", "bass") and part.notes:
            others.setdefault((part.role, part.program), []).extend(part.notes)
    ranked = sorted(others.items(), key=lambda item: -sum(min(note.length, 2.0) for note in item[1]))[:6]
    merged = [Part(role, sorted(notes, key=lambda note: note.start), program) for (role, program), notes in ranked]
    by_start = sorted(bass, key=lambda note: note.start)
    return [
        Part("drums", sorted(drums, key=lambda note: note.start)),
        Part("bass", by_start, programs[0] if programs else -1),
        *merged,
    ]


def _thin_out(score: Score, rng: Rng) -> None:
    """Give the song a form: drums, bass or all others pause in a section, single parts come and go."""
    sections = list(zip(score.borders[:-1], score.borders[1:], strict=True))
    silent: set[tuple[int, str]] = set()
    for role, first, somewhere in (("drums", 0.3, 0.25), ("bass", 0.25, 0.15), ("other", 0.1, 0.15)):
        chosen = {0} if rng.random() < first else set()
        if rng.random() < somewhere:
            chosen.add(int(rng.integers(len(sections))))
        for index in chosen:
            if sum((index, other) in silent for other in ("drums", "bass", "other")) < 2:
                silent.add((index, role))
    for part in score.parts:
        group = part.role if part.role in ("drums", "bass") else "other"
        for index, (start, stop) in enumerate(sections):
            alone = group == "other" and rng.random() < (0.35 if part.role == "lead" else 0.15)
            if (index, group) in silent or alone:
                part.notes = without(part.notes, start, stop)
    score.parts = [part for part in score.parts if part.notes]
