"""From a part to its sound: a player is chosen for its role (soundfont preset or synthesiser), then its effects."""

from __future__ import annotations

import drumkits
import effects
import fluid
import numpy as np
import synth
from pcm import RATE, Stereo, active_rms, levelled
from score import Note, Part, Rng, humanised, transposed
from sources import FONTS

FULL_FONTS = ("musescore", "fluid", "timgm", "fluidmono")
CHANCES = np.array([0.36, 0.3, 0.2, 0.14])
SYNTHETIC_VOICES = (52, 53, 54, 85, 91)
"""Choirs and voice-like presets: kept rarely, for their sound is close to the class that is called vocals."""

ALTERNATIVES = {
    "keys": (0, 1, 2, 3, 4, 5, 6, 7),
    "bells": (8, 9, 11, 12, 13, 14),
    "organ": (16, 17, 18, 19, 20, 21),
    "strum": (24, 25, 26, 27, 28),
    "strings": (40, 42, 45, 48, 49, 50, 51),
    "brass": (56, 57, 58, 60, 61, 62, 63),
    "reed": (64, 65, 66, 67, 68, 70, 71),
    "flute": (72, 73, 74, 75, 78, 79),
    "lead": (80, 81, 82, 84, 86, 87),
    "pad": (88, 89, 90, 92, 93, 94, 95, 50, 51),
    "bass": (32, 33, 34, 35, 36, 37, 38, 39),
}
"""General MIDI programs by role, for another player than the writer had in mind."""

BASSES = {
    "jazz": (32, 32, 32, 33, 35),
    "country": (32, 33, 34),
    "latin": (32, 33, 35),
    "metal": (34, 34, 33),
    "rock": (33, 34, 34),
    "funk": (36, 37, 33, 35),
    "dance": (38, 39, 38, 39),
    "blues": (32, 33, 34),
}


def _font(rng: Rng) -> str:
    return "opl3" if rng.random() < 0.03 else str(rng.choice(FULL_FONTS, p=CHANCES))


def _program(part: Part, rng: Rng, change: float) -> int:
    """The writer's program, or with chance `change` another of the role; synthetic voices mostly give way to strings and pads."""
    program = part.program
    if (program < 0 or rng.random() < change) and part.role in ALTERNATIVES:
        program = int(rng.choice(ALTERNATIVES[part.role]))
    if program in SYNTHETIC_VOICES and rng.random() < 0.75:
        program = int(rng.choice([48, 49, 50, 89, 90]))
    return max(program, 0)


def bass(part: Part, style: str, line: str, seconds: float, rng: Rng) -> tuple[Stereo, set[str]]:
    """Sound a bass part: about a third synthesised (always where it glides), the others from soundfonts, through an amplifier."""
    middle = float(np.median([note.pitch for note in part.notes]))
    octave = 12 * round((36.0 - middle) / 12.0) if middle > 45 or middle < 26 else 0
    notes = humanised(transposed(part.notes, octave), rng, float(rng.uniform(0, 8)), 5.0)
    own = line == "gliding" or rng.random() < {
        "dance": 0.7,
        "pop": 0.3,
        "funk": 0.35,
        "reggae": 0.3,
        "jazz": 0.0,
        "country": 0.0,
    }.get(style, 0.2)
    if own:
        patch = synth.bass_patch(rng, sub=line == "gliding" or rng.random() < 0.15)
        mono = synth.render(notes, patch, seconds)
        audio, used = np.stack([mono, mono]), {"own"}
    else:
        font, programs = _font(rng), BASSES.get(style, ALTERNATIVES["bass"])
        program = part.program if 32 <= part.program < 40 and rng.random() < 0.4 else int(rng.choice(programs))
        audio, used = fluid.play(FONTS[font], program, notes, seconds), {font}
        if rng.random() < 0.12:  # a sine an octave below or in unison, as sub-harmonic pedals add
            sub = synth.render(transposed(notes, 0), synth.bass_patch(rng, sub=True), seconds)
            scale = active_rms(audio) / max(active_rms(sub[None]), 1e-6)
            audio, used = audio + np.float32(0.4 * scale) * sub, used | {"own"}
    return effects.bass(audio, rng), used


def drums(notes: list[Note], style: str, seconds: float, rng: Rng) -> tuple[Stereo, set[str]]:
    """Sound the drums of a song."""
    loose = humanised(notes, rng, float(rng.uniform(0, 7)) if style != "dance" else 1.0, 6.0)
    audio, used = drumkits.perform(sorted(loose, key=lambda note: note.start), style, seconds, rng)
    return effects.drums(audio, rng), used


def accompaniment(part: Part, style: str, beat: float, seconds: float, rng: Rng) -> tuple[Stereo, set[str]]:
    """Sound any other part."""
    notes = humanised(part.notes, rng, float(rng.uniform(0, 9)), 5.0)
    if part.role == "power":
        return _electric_guitar(notes, part.program, style, beat, seconds, rng)
    synthetic = {"lead": 0.75 if part.program >= 80 else 0.0, "pad": 0.45, "arp": 0.45, "brass": 0.15}.get(part.role, 0.0)
    if rng.random() < synthetic:
        patch = synth.lead_patch(rng) if part.role == "lead" else synth.chord_patch(rng, plucked=part.role != "pad")
        left = synth.render(notes, patch, seconds)
        audio, used = np.stack([left, left]), {"own"}
        if part.role == "pad":  # the other side a little later: width
            audio[1] = np.roll(left, int(rng.uniform(0.004, 0.018) * RATE))
        return effects.accompaniment(audio, part.role, rng, beat), used
    font = _font(rng)
    program = _program(part, rng, change=0.4)
    audio = fluid.play(FONTS[font], program, notes, seconds)
    if (part.role == "lead" and program in range(26, 32)) or (24 <= program < 29 and rng.random() < 0.12):
        audio = effects.amplifier(audio, rng, float(rng.uniform(8, 38)))
    return effects.accompaniment(audio, part.role, rng, beat), {font}


def _electric_guitar(
    notes: list[Note], program: int, style: str, beat: float, seconds: float, rng: Rng
) -> tuple[Stereo, set[str]]:
    """High-gain or crunchy guitar: a clean or muted soundfont guitar through an amplifier, mostly twice: left and right."""
    ready_made = program in (29, 30) and rng.random() < 0.3
    drive_db = float(rng.uniform(22, 46) if style == "metal" else rng.uniform(10, 38))
    font = str(rng.choice(FULL_FONTS, p=CHANCES))
    source = int(rng.choice([29, 30]) if ready_made else rng.choice([27, 27, 26, 28, 25]))
    drive_db = float(rng.uniform(0, 12)) if ready_made else drive_db
    if rng.random() < 0.3:
        audio = effects.amplifier(fluid.play(FONTS[font], source, notes, seconds), rng, drive_db)
        return effects.accompaniment(audio, "power", rng, beat), {font}
    spread = float(rng.uniform(0.5, 1.0))
    out = np.zeros((2, int(seconds * RATE)), np.float32)
    used = set()
    for pan in (-spread, spread):
        font = str(rng.choice(FULL_FONTS, p=CHANCES)) if rng.random() < 0.4 else font
        take = humanised(notes, rng, 6.0, 5.0)
        out += effects.placed(_take(font, source, take, seconds, rng, drive_db), pan, 0.0)
        used.add(font)
    return effects.room(out, rng, float(rng.uniform(0.05, 0.3))) if rng.random() < 0.6 else out, used


def _take(font: str, program: int, notes: list[Note], seconds: float, rng: Rng, drive_db: float) -> Stereo:
    """One take of a guitar through its own setting of the amplifier."""
    return levelled(effects.amplifier(fluid.play(FONTS[font], program, notes, seconds), rng, drive_db))
