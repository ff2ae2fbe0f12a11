"""A synthesiser: band-limited oscillators, FM, a resonant low-pass with its own envelope, portamento.

A line of one voice is rendered in one pass over per-sample curves of pitch, loudness and cutoff; chords are spread over
several such voices. Oscillators are corrected at their jumps by a polynomial (PolyBLEP: Välimäki and Huovilainen 2007); the
filter is the trapezoidal state-variable filter (Zavalishin, The Art of VA Filter Design). The loops are compiled by Numba.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray
from pcm import RATE
from score import Note, Rng

SAW, SQUARE, SINE, TRIANGLE, FM = range(5)
Wave = NDArray[np.float32]


@dataclass(frozen=True)
class Patch:
    """A sound.

    shape: of the oscillators; count: how many, `detune` cents apart; sub: share of a sine an octave below.
    attack, decay, release: seconds; sustain: level held after the decay.
    cutoff: of the filter in octaves above the note's pitch; sweep: octaves added by the filter's envelope, that falls in
    `sweep_decay` seconds; resonance: 0 to 0.95. glide: seconds of portamento. drop: semitones above the pitch at the onset
    (a drum-like punch that falls within 40 ms). index and ratio: of FM.
    """

    shape: int
    count: int = 1
    detune: float = 8.0
    sub: float = 0.0
    attack: float = 0.004
    decay: float = 0.3
    sustain: float = 0.7
    release: float = 0.05
    cutoff: float = 3.0
    sweep: float = 2.0
    sweep_decay: float = 0.25
    resonance: float = 0.2
    glide: float = 0.0
    drop: float = 0.0
    index: float = 2.0
    ratio: float = 1.0


def bass_patch(rng: Rng, sub: bool = False) -> Patch:
    """Draw a bass: filtered saws and squares, pure subs (808), FM."""
    if sub:
        return Patch(
            SINE,
            decay=float(rng.uniform(0.6, 2.5)),
            sustain=0.25,
            release=0.12,
            cutoff=7.0,
            sweep=0.0,
            drop=float(rng.uniform(0, 24)),
            glide=0.02,
        )
    shape = int(rng.choice([SAW, SAW, SQUARE, TRIANGLE, FM]))
    return Patch(
        shape,
        count=int(rng.choice([1, 1, 2, 3])),
        detune=float(rng.uniform(3, 18)),
        sub=float(rng.choice([0.0, 0.4, 0.9])),
        attack=float(rng.uniform(0.002, 0.02)),
        decay=float(rng.uniform(0.08, 0.8)),
        sustain=float(rng.uniform(0.2, 0.95)),
        release=float(rng.uniform(0.02, 0.15)),
        cutoff=float(rng.uniform(1.0, 4.5)),
        sweep=float(rng.uniform(0.0, 4.0)),
        sweep_decay=float(rng.uniform(0.04, 0.6)),
        resonance=float(rng.uniform(0.0, 0.85)),
        glide=float(rng.choice([0.0, 0.0, 0.03, 0.08])),
        index=float(rng.uniform(0.5, 4.0)),
        ratio=float(rng.choice([0.5, 1.0, 2.0, 3.0])),
    )


def lead_patch(rng: Rng) -> Patch:
    """Draw a lead: bright, held, with portamento."""
    return Patch(
        int(rng.choice([SAW, SAW, SQUARE, TRIANGLE, SINE, FM])),
        count=int(rng.choice([1, 2, 3])),
        detune=float(rng.uniform(4, 20)),
        attack=float(rng.uniform(0.004, 0.06)),
        decay=0.4,
        sustain=float(rng.uniform(0.6, 1.0)),
        release=float(rng.uniform(0.04, 0.25)),
        cutoff=float(rng.uniform(1.5, 5.0)),
        sweep=float(rng.uniform(0.0, 2.0)),
        resonance=float(rng.uniform(0.0, 0.6)),
        glide=float(rng.uniform(0.0, 0.12)),
        index=float(rng.uniform(0.5, 2.5)),
        ratio=float(rng.choice([1.0, 2.0])),
    )


def chord_patch(rng: Rng, plucked: bool) -> Patch:
    """Draw a sound for chords: a pad, or a pluck that dies away."""
    return Patch(
        int(rng.choice([SAW, SAW, SQUARE, TRIANGLE, FM])),
        count=int(rng.choice([1, 2, 3])),
        detune=float(rng.uniform(6, 25)),
        attack=0.003 if plucked else float(rng.uniform(0.05, 0.6)),
        decay=float(rng.uniform(0.1, 0.6)),
        sustain=0.05 if plucked else 0.9,
        release=float(rng.uniform(0.08, 0.3)) if plucked else 0.5,
        cutoff=float(rng.uniform(0.8, 3.5)),
        sweep=float(rng.uniform(1.0, 4.0)) if plucked else float(rng.uniform(-1.0, 1.5)),
        sweep_decay=float(rng.uniform(0.08, 0.4)) if plucked else 1.5,
        resonance=float(rng.uniform(0.0, 0.6)),
        index=float(rng.uniform(0.5, 3.0)),
        ratio=float(rng.choice([1.0, 2.0, 3.0, 3.5])),
    )


def render(notes: list[Note], patch: Patch, seconds: float) -> Wave:
    """Render notes to `[frames]` float32; overlapping notes go to other voices, at most eight."""
    voices: list[list[Note]] = []
    for note in sorted(notes, key=lambda note: note.start):
        free = next((voice for voice in voices if voice[-1].start + voice[-1].length <= note.start + 0.01), None)
        if free is not None:
            free.append(note)
        elif len(voices) < 8:
            voices.append([note])
    out = np.zeros(int(seconds * RATE), np.float32)
    for voice in voices:
        out += _line(voice, patch, len(out))
    return out


def _line(notes: list[Note], patch: Patch, frames: int) -> Wave:
    """One voice."""
    pitch, loud, cutoff = (np.zeros(frames, np.float32) for _ in range(3))
    pitch[:] = notes[0].pitch
    for index, note in enumerate(notes):
        start = int(note.start * RATE)
        stop = int(notes[index + 1].start * RATE) if index + 1 < len(notes) else frames
        stop = min(stop, frames)
        if stop <= start:
            continue
        after = np.arange(stop - start, dtype=np.float32) / RATE
        pitch[start:] = note.pitch
        if note.bends:
            times, values = zip(*note.bends, strict=True)
            pitch[start:stop] += np.interp(after, times, values)
        if patch.drop:
            pitch[start:stop] += patch.drop * np.exp(-after / 0.012)
        level = patch.sustain + (1.0 - patch.sustain) * np.exp(-after / patch.decay)
        level *= np.minimum(1.0, after / patch.attack)
        over = after > note.length
        level[over] *= np.exp(-(after[over] - note.length) / patch.release)
        loud[start:stop] = level * (note.velocity / 110.0) ** 1.5
        cutoff[start:stop] = patch.sweep * np.exp(-after / patch.sweep_decay) * (note.velocity / 110.0)
    detunes = np.linspace(-0.5, 0.5, patch.count) * patch.detune / 100.0 if patch.count > 1 else np.zeros(1)
    out = np.zeros(frames, np.float32)
    for number, cents in enumerate(detunes):
        out += _oscillate(pitch + np.float32(cents), patch.shape, patch.glide, patch.index, patch.ratio, loud, 0.37 * number)
    if patch.sub:
        out += np.float32(patch.sub * patch.count**0.5) * _oscillate(
            pitch - np.float32(12.0), SINE, patch.glide, 0.0, 1.0, loud, 0.0
        )
    out *= _smoothed(loud)
    filtered = _low_pass(out, pitch, cutoff + np.float32(patch.cutoff), patch.resonance)
    return np.asarray(filtered / np.float32(patch.count**0.5), np.float32)


@njit(cache=True, fastmath=True)
def _smoothed(x: Wave) -> Wave:
    """One-pole smoothing of 1.5 ms, so that a note that begins before the last has died away does not click."""
    out = np.empty_like(x)
    level = 0.0
    for n in range(len(x)):
        level += 0.015 * (x[n] - level)
        out[n] = level
    return out


@njit(cache=True, fastmath=True)
def _blep(phase: float, step: float) -> float:
    """Residual of a band-limited jump at phase 0."""
    if phase < step:
        t = phase / step
        return t + t - t * t - 1.0
    if phase > 1.0 - step:
        t = (phase - 1.0) / step
        return t * t + t + t + 1.0
    return 0.0


@njit(cache=True, fastmath=True)
def _oscillate(pitch: Wave, shape: int, glide: float, index: float, ratio: float, loud: Wave, phase: float) -> Wave:
    """Oscillator over a pitch curve (MIDI keys); FM's index follows the loudness, as a plucked string darkens."""
    out = np.empty(len(pitch), np.float32)
    follow = 1.0 if glide <= 0.0 else 1.0 - np.exp(-4.0 / (glide * RATE))
    key, modulator = float(pitch[0]), 0.0
    for n in range(len(pitch)):
        key += follow * (pitch[n] - key)
        step = 440.0 * 2.0 ** ((key - 69.0) / 12.0) / RATE
        phase += step
        phase -= np.floor(phase)
        if shape == 0:
            out[n] = 2.0 * phase - 1.0 - _blep(phase, step)
        elif shape == 1:
            half = phase + 0.5 - np.floor(phase + 0.5)
            out[n] = (1.0 if phase < 0.5 else -1.0) + _blep(phase, step) - _blep(half, step)
        elif shape == 3:
            out[n] = 4.0 * abs(phase - 0.5) - 1.0
        else:
            shift = 0.0
            if shape == 4:
                modulator += step * ratio
                modulator -= np.floor(modulator)
                shift = index * loud[n] * np.sin(2.0 * np.pi * modulator)
            out[n] = np.sin(2.0 * np.pi * phase + shift)
    return out


@njit(cache=True, fastmath=True)
def _low_pass(x: Wave, pitch: Wave, octaves: Wave, resonance: float) -> Wave:
    """State-variable low-pass, 12 dB per octave; its cutoff lies `octaves` above the pitch."""
    out = np.empty_like(x)
    damping = 2.0 * (1.0 - resonance)
    first, second, g = 0.0, 0.0, 0.1
    for n in range(len(x)):
        if n % 16 == 0:
            hertz = min(440.0 * 2.0 ** ((pitch[n] - 69.0) / 12.0 + octaves[n]), 16000.0)
            g = np.tan(np.pi * max(hertz, 30.0) / RATE)
        high = (x[n] - (damping + g) * first - second) / (1.0 + g * (g + damping))
        band = g * high + first
        first = g * high + band
        low = g * band + second
        second = g * band + low
        out[n] = low
    return out
