"""Drum sounds: kits of soundfonts, sampled Hydrogen kits, kits put together of single strokes, and synthesised strokes.

A kit of samples maps a piece (kick, snare, closed hat, …) to its layers from soft to loud. What a kit lacks is synthesised.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass, replace
from pathlib import Path

import fluid
import machine
import numpy as np
import soundfile
import soxr
from pcm import RATE, Stereo
from score import Note, Rng
from sources import FONTS, KITS, SONIC_PI, SOURCES

PIECES = {
    35: "kick",
    36: "kick",
    37: "stick",
    38: "snare",
    39: "clap",
    40: "snare",
    41: "low tom",
    42: "closed hat",
    43: "low tom",
    44: "pedal hat",
    45: "low tom",
    46: "open hat",
    47: "middle tom",
    48: "middle tom",
    49: "crash",
    50: "high tom",
    51: "ride",
    52: "crash",
    53: "bell",
    54: "tambourine",
    55: "crash",
    56: "cowbell",
    57: "crash",
    59: "ride",
    60: "high conga",
    61: "low conga",
    62: "high conga",
    63: "high conga",
    64: "low conga",
    65: "high conga",
    66: "low conga",
    69: "shaker",
    70: "shaker",
    75: "stick",
    76: "stick",
    77: "stick",
    82: "shaker",
}

NAMES = (
    ("closed hat", r"closed|hat.*cl\b|hat low|hat [cr]|hat 1 cl|cymbal_closed|^closed hat$"),
    ("pedal hat", r"pedal|hat.*pd"),
    ("open hat", r"open|hat.*op\b|hat op|oh?h\b|cymbal_open|semi"),
    ("stick", r"stick|rim ?click|clave|elec_wood|elec_tick"),
    ("kick", r"kick|bass ?drum|^bd_|drum_bass|heavy_kick"),
    ("snare", r"snare|^sn_"),
    ("clap", r"clap|snap"),
    ("low tom", r"tom.*(lo|floor)|floor tom|(lo|low) tom"),
    ("middle tom", r"tom.*mid|tom 2|middle tom|^tom$|fuzz_tom"),
    ("high tom", r"tom.*hi|tom 1|high tom"),
    ("cowbell", r"cowbell"),
    ("bell", r"bell"),
    ("ride", r"ride"),
    ("crash", r"crash|splash|cymbal"),
    ("tambourine", r"tamb"),
    ("shaker", r"shaker|maraca"),
    ("high conga", r"conga|bongo hi|djembe.*slap|tabla_na"),
    ("low conga", r"bongo lo|djembe.*tone|tabla_ghe"),
)
"""Piece by a pattern of the sample's or instrument's name; the first that matches (hence cowbell before bell)."""

FALLBACKS = {
    "bell": ("ride", "crash"),
    "ride": ("crash", "open hat"),
    "crash": ("ride", "open hat"),
    "pedal hat": ("closed hat",),
    "closed hat": ("pedal hat",),
    "open hat": ("closed hat",),
    "middle tom": ("high tom", "low tom"),
    "high tom": ("middle tom",),
    "low tom": ("middle tom",),
    "snare": ("clap",),
}
HATS = ("closed hat", "pedal hat", "open hat")

FONT_KITS = {
    "acoustic": (0, 0, 8, 16, 40, 1, 2, 3),
    "jazz": (32, 40, 0, 8),
    "electronic": (24, 25, 26, 16),
    "orchestra": (48,),
}
"""Programs of General MIDI/GS drum banks; a font without one plays its standard kit."""

AVL_FONTS = ("blackpearl", "redzeppelin")
ACOUSTIC_KITS = (
    "BJA_Pacific",
    "ColomboAcousticDrumkit",
    "ForzeeStereo",
    "The Black Pearl 1.0",
    "Millo-Drums_v.1",
    "Millo_MultiLayered2",
    "GMRockKit",
    "VariBreaks",
)
ELECTRONIC_KITS = ("TR808EmulationKit", "HardElectro1", "ElectricEmpireKit", "Audiophob", "VariBreaks")


@dataclass(frozen=True)
class Stroke:
    """A sample `[frames, 2]` and the velocity (0 to 1) up to which it serves."""

    audio: Stereo
    up_to: float


Kit = dict[str, list[Stroke]]


@functools.cache
def _sample(path: Path) -> Stereo:
    audio, rate = soundfile.read(path, dtype="float32", always_2d=True)
    audio = audio[: int(3.0 * rate)]
    if rate != RATE:
        audio = soxr.resample(audio, rate, RATE, quality="MQ")
    audio = np.repeat(audio, 2, 1) if audio.shape[1] == 1 else audio[:, :2]
    fade = min(len(audio), 441)
    audio[len(audio) - fade :] *= np.linspace(1.0, 0.0, fade, dtype=np.float32)[:, None]
    return np.ascontiguousarray(audio / max(float(np.abs(audio).max()), 1e-4), np.float32)


def _piece(name: str) -> str | None:
    return next((piece for piece, pattern in NAMES if re.search(pattern, name.lower())), None)


@functools.cache
def _sampled(name: str) -> dict[str, list[tuple[str, tuple[tuple[Path, float], ...]]]]:
    """Files of a Hydrogen kit: per piece, the instruments that fit with their layers `(path, upper velocity)`."""
    text = (KITS / name / "drumkit.xml").read_text("utf-8", "replace")
    pieces: dict[str, list[tuple[str, tuple[tuple[Path, float], ...]]]] = {}
    for instrument in text.split("<instrument>")[1:]:
        title = re.search(r"<name>([^<]*)", instrument)
        layers = [
            (KITS / name / file, float(top.group(1)) if (top := re.search(r"<max>([\d.]+)", block)) else 1.0)
            for block in instrument.split("<layer>")[1:] or [instrument]  # kits of one layer name their file directly
            for file in re.findall(r"<filename>([^<]+)", block)
        ]
        layers = [(path, top) for path, top in layers if path.exists()]
        piece = _piece(title.group(1)) if title else None
        if layers and piece:
            pieces.setdefault(piece, []).append((name, tuple(sorted(layers, key=lambda layer: layer[1]))))
    return pieces


@functools.cache
def _single_strokes() -> dict[str, list[tuple[str, tuple[tuple[Path, float], ...]]]]:
    """Single strokes of Sonic Pi by piece."""
    pieces: dict[str, list[tuple[str, tuple[tuple[Path, float], ...]]]] = {}
    for path in sorted(SONIC_PI.glob("*.flac")):
        piece = _piece(path.stem)
        if piece and path.stem.split("_")[0] in ("bd", "sn", "drum", "elec", "perc", "tabla"):
            pieces.setdefault(piece, []).append(("sonicpi", ((path, 1.0),)))
    return pieces


def _build(names: tuple[str, ...], rng: Rng) -> tuple[Kit, set[str]]:
    """Choose one instrument per piece out of the named kits; more than one name is a kit put together."""
    kit: Kit = {}
    used: set[str] = set()
    pools = [_single_strokes() if name == "sonicpi" else _sampled(name) for name in names]
    for piece in dict.fromkeys(PIECES.values()):
        choices = [choice for pool in pools for choice in pool.get(piece, [])]
        if choices:
            owner, layers = choices[rng.integers(len(choices))]
            kit[piece] = [Stroke(_sample(path), top) for path, top in layers]
            used.add(owner)
    return kit, used


LEVELS = {
    "kick": 1.0,
    "snare": 0.8,
    "clap": 0.6,
    "crash": 0.5,
    "ride": 0.35,
    "bell": 0.35,
    "shaker": 0.22,
    "tambourine": 0.28,
    "closed hat": 0.3,
    "pedal hat": 0.25,
    "open hat": 0.36,
    "cowbell": 0.3,
    "stick": 0.45,
}
PANS = {
    "closed hat": 0.3,
    "pedal hat": 0.3,
    "open hat": 0.3,
    "high tom": 0.35,
    "low tom": -0.4,
    "crash": -0.4,
    "ride": -0.35,
    "shaker": 0.5,
    "tambourine": -0.5,
    "high conga": -0.4,
    "low conga": -0.3,
    "cowbell": 0.3,
}


def strike(notes: list[Note], kit: Kit, seconds: float, rng: Rng) -> Stereo:
    """Play notes on a kit of samples; an open hat is cut by the next stroke on the hats. Returns `[2, frames]`."""
    frames = int(seconds * RATE)
    out = np.zeros((frames, 2), np.float32)
    width, hat_level = float(rng.uniform(0.0, 1.0)), float(rng.uniform(0.5, 1.8))
    hats = [note.start for note in notes if PIECES.get(note.pitch) in HATS]
    for note in notes:
        piece = PIECES.get(note.pitch)
        start = int(note.start * RATE)
        if piece is None or start >= frames:
            continue
        strokes = kit.get(piece) or next((kit[other] for other in FALLBACKS.get(piece, ()) if other in kit), None)
        if strokes is None:
            strokes = kit[piece] = [Stroke(machine.stroke(piece, rng), 1.0)]
        force = note.velocity / 127.0
        audio = next((stroke.audio for stroke in strokes if force <= stroke.up_to), strokes[-1].audio)[: frames - start]
        if piece in HATS:
            until = next(
                (int((at - note.start) * RATE) for at in hats[np.searchsorted(hats, note.start + 0.01) :][:1]), len(audio)
            )
            if until + 441 < len(audio):
                audio = audio[: until + 441].copy()
                audio[until:] *= np.linspace(1.0, 0.0, 441, dtype=np.float32)[:, None]
        gain = LEVELS.get(piece, 0.6) * force**1.6 * (hat_level if piece in HATS or piece in ("crash", "ride") else 1.0)
        pan = width * PANS.get(piece, 0.0)
        out[start : start + len(audio)] += audio * np.array([gain * min(1.0, 1.0 - pan), gain * min(1.0, 1.0 + pan)], np.float32)
    return np.ascontiguousarray(out.T)


def _retuned(notes: list[Note], ratio: float) -> list[Note]:
    return [replace(note, start=note.start * ratio) for note in notes]


def _font_drums(notes: list[Note], font: str, program: int, seconds: float, ratio: float) -> Stereo:
    """Play a soundfont's kit, tuned by `ratio` as a tape machine would."""
    if font in AVL_FONTS:  # these have one bass drum
        notes = [replace(note, pitch=36) if note.pitch == 35 else note for note in notes]
    audio = fluid.play(FONTS[font], program, _retuned(notes, ratio), seconds * ratio, drums=True)
    if ratio == 1.0:
        return audio
    return np.ascontiguousarray(soxr.resample(audio.T, RATE * ratio, RATE, quality="MQ").T)


def perform(notes: list[Note], style: str, seconds: float, rng: Rng) -> tuple[Stereo, set[str]]:
    """Choose a kit that suits a style, sometimes two in layers, and play.

    Returns:
        `[2, frames]` float32, and the keys of the sources used.
    """
    electronic = rng.random() < {"dance": 0.75, "funk": 0.35, "pop": 0.35, "reggae": 0.25, "ballad": 0.2}.get(style, 0.07)
    frames = int(seconds * RATE)
    ratio = float(2.0 ** (rng.uniform(-3.0, 3.0) / 12.0)) if rng.random() < 0.45 else 1.0
    chance = rng.random()
    if chance < 0.5:
        family = "electronic" if electronic else "jazz" if style == "jazz" else "acoustic"
        if rng.random() < 0.04:
            family = "orchestra"
        font = str(
            rng.choice(
                [
                    "musescore",
                    "musescore",
                    "fluid",
                    "fluid",
                    "fluidmono",
                    "timgm",
                    "timgm",
                    "blackpearl",
                    "redzeppelin",
                    "blackpearl",
                ]
            )
        )
        if electronic and font in ("blackpearl", "redzeppelin"):
            font = "fluid"
        audio = _font_drums(notes, font, int(rng.choice(FONT_KITS[family])), seconds, ratio)
        used = {font}
    else:
        pool = ELECTRONIC_KITS if electronic else ACOUSTIC_KITS
        if chance < 0.75 and not electronic:
            names: tuple[str, ...] = (str(rng.choice(pool)),)
        else:
            names = tuple(str(name) for name in rng.choice([*pool, "sonicpi"], size=3, replace=False))
        kit, used = _build(names, rng)
        if electronic:
            for piece in ("kick", "snare", "closed hat", "open hat", "clap", "low tom"):
                if rng.random() < 0.35:
                    kit[piece] = [Stroke(machine.stroke(piece, rng), 1.0)]
                    used = used | {"own"}
        audio = strike(_retuned(notes, ratio), kit, seconds * ratio, rng)
        if ratio != 1.0:
            audio = np.ascontiguousarray(soxr.resample(audio.T, RATE * ratio, RATE, quality="MQ").T)
    audio = np.pad(audio, ((0, 0), (0, max(0, frames - audio.shape[1]))))[:, :frames]
    if rng.random() < 0.25:  # a second kit under kick and snare
        backbone = [note for note in notes if PIECES.get(note.pitch) in ("kick", "snare", "clap")]
        second, more = _build((str(rng.choice([*ACOUSTIC_KITS, *ELECTRONIC_KITS])),), rng)
        layer = strike(backbone, second, seconds, rng)
        scale = float(np.abs(audio).max()) / max(float(np.abs(layer).max()), 1e-4)
        audio, used = audio + layer * np.float32(scale * rng.uniform(0.2, 0.8)), used | more
    return audio, used & set(SOURCES)
