"""Changes to a stem that leave it the same instrument: speed, tempo, production, place in the stereo field.

All take and return `[2, frames]` float32 and draw from the generator they are given, so a stream can be made again from its seed.
Equaliser and room are in `rooms`, what is done to a whole mix in `mastering`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pedalboard
import soxr
from numpy.typing import NDArray

from rtsep.units import db_to_gain

Stereo = NDArray[np.float32]
Rng = np.random.Generator

PRODUCTION_RMS_DB = -16.0
"""Level at which stems meet the treatments that depend on it."""


def speed_ratio(rng: Rng, semitones: float, probability: float = 0.5) -> float:
    """Draw a playback speed within ± `semitones`, or exactly 1."""
    return float(2.0 ** (rng.uniform(-semitones, semitones) / 12.0)) if rng.random() < probability else 1.0


def change_speed(x: NDArray[np.float32], ratio: float, rate: int) -> NDArray[np.float32]:
    """Play `[frames, channels]` faster by `ratio`: pitch, tempo and formants move together, as on a tape machine."""
    return x if ratio == 1.0 else np.asarray(soxr.resample(x, rate * ratio, rate, quality="LQ"), np.float32)


def tempo_ratio(rng: Rng, probability: float, span: float = 0.18) -> float:
    """Draw a tempo within a factor of 1 ± `span` (evenly in its logarithm) with `probability`, else exactly 1."""
    if not probability or rng.random() >= probability:
        return 1.0
    return float((1.0 + span) ** rng.uniform(-1.0, 1.0))


def change_tempo(x: NDArray[np.float32], ratio: float, rate: int) -> NDArray[np.float32]:
    """Play `[frames, channels]` faster by `ratio` at the same pitch (Rubber Band, through pedalboard).

    With `change_speed` before it, pitch and tempo move independently of each other.
    """
    if ratio == 1.0:
        return x
    return np.asarray(pedalboard.time_stretch(np.ascontiguousarray(x.T), rate, stretch_factor=ratio, high_quality=False).T)


def saturate(x: Stereo, rng: Rng, probability: float) -> Stereo:
    """Soft-clip at 6 to 18 dB above the stem's RMS level, with probability `probability`."""
    if rng.random() >= probability:
        return x
    ceiling = float(np.sqrt(np.mean(x * x)) + 1e-6) * db_to_gain(rng.uniform(6.0, 18.0))
    return np.asarray(ceiling * np.tanh(x / ceiling), np.float32)


def transpose(x: Stereo, semitones: float, rate: int) -> Stereo:
    """Play at another pitch at the same tempo; formants move along."""
    ratio = float(2.0 ** (semitones / 12.0))
    moved = change_speed(change_tempo(x.T, 1.0 / ratio, rate), ratio, rate).T[:, : x.shape[1]]
    return np.pad(moved, ((0, 0), (0, x.shape[1] - moved.shape[1])))


def harmonise(x: Stereo, rng: Rng, rate: int) -> Stereo:
    """Add the same voice at another pitch, from an octave below to one above, a little softer."""
    second = transpose(x, float(rng.choice((-12, -5, -4, -3, 3, 4, 5, 7, 12))), rate)
    return x + np.float32(rng.uniform(0.2, 0.7)) * second


def reshape_throat(x: Stereo, rng: Rng, rate: int) -> Stereo:
    """Move the formants by 1.5 to 4 semitones and leave the pitch: another singer sings the same.

    `change_speed` moves both, so it makes no low voice with a short throat and no high one with a long throat.
    """
    semitones = rng.choice((-1.0, 1.0)) * rng.uniform(1.5, 4.0)
    ratio = float(2.0 ** (semitones / 12.0))
    voice = x[:1] if np.array_equal(x[0], x[1]) else x  # the stretcher is what takes the time
    moved = np.ascontiguousarray(change_speed(voice.T, ratio, rate).T)
    # Rubber Band's faster engine keeps formants by half only.
    sung = pedalboard.time_stretch(moved, rate, 1.0 / ratio, -semitones, high_quality=True, preserve_formants=True)
    sung = np.pad(sung[:, : x.shape[1]], ((0, 0), (0, max(0, x.shape[1] - sung.shape[1]))))
    return np.asarray(np.broadcast_to(sung, x.shape), np.float32)


def ring(x: Stereo, rng: Rng, rate: int) -> Stereo:
    """Let kicks and toms ring at a pitch of their own, and half of the time snares as well, as tuned and electronic kits do."""
    low = pedalboard.PeakFilter(rng.uniform(40.0, 110.0), rng.uniform(6.0, 18.0), rng.uniform(3.0, 12.0))
    if rng.random() < 0.5:
        return np.asarray(low(np.ascontiguousarray(x), rate), np.float32)
    middle = pedalboard.PeakFilter(rng.uniform(150.0, 400.0), rng.uniform(3.0, 12.0), rng.uniform(2.0, 8.0))
    return np.asarray(pedalboard.Pedalboard([low, middle])(np.ascontiguousarray(x), rate), np.float32)


def double(bass: Stereo, rng: Rng, rate: int) -> Stereo:
    """Play along with a bass on an overdriven guitar, an octave above it or in fifths; its level is as it comes.

    Guitars of rock and metal do so for whole songs. Where bass and `other` are of different pieces, they never do.
    """
    guitar = transpose(bass, 12.0, rate)
    if rng.random() < 0.6:
        guitar = guitar + np.float32(rng.uniform(0.5, 1.0)) * transpose(bass, 19.0, rate)
    return overdrive(guitar, rng, rate)


def amplify(x: Stereo, rng: Rng, rate: int) -> Stereo:
    """Add the overtones of a driven bass amplifier: the low end stays clean, what the valves make of it comes on top.

    Sampled basses sound dull: between 350 and 500 Hz half of the training cuts had less than -20 dB of their energy, where a
    recorded one has -6 dB (the excerpt of `tools/training/README.md`). A network that knows only the former takes the growl of
    the latter for a voice.
    """
    level = float(np.sqrt(np.mean(x * x))) + 1e-6
    drive, offset = db_to_gain(rng.uniform(0.0, 24.0)), rng.uniform(0.0, 0.8)
    low = pedalboard.HighpassFilter(rng.uniform(30.0, 120.0))(np.ascontiguousarray(x, np.float32), rate)
    # Off centre, so that there are even overtones as well.
    driven = np.asarray(np.tanh(low * np.float32(drive / level) + np.float32(offset)), np.float32) - np.float32(np.tanh(offset))
    added = driven - low * (np.vdot(low, driven) / (np.vdot(low, low) + np.float32(1e-9)))
    cabinet = pedalboard.Pedalboard(
        [
            pedalboard.HighpassFilter(rng.uniform(200.0, 700.0)),
            pedalboard.PeakFilter(rng.uniform(250.0, 1200.0), rng.uniform(0.0, 9.0), 0.7),
            pedalboard.LowpassFilter(rng.uniform(700.0, 4000.0)),
            pedalboard.LowpassFilter(rng.uniform(2000.0, 6000.0)),
        ]
    )
    growl = cabinet(added, rate)
    share = level * db_to_gain(rng.uniform(-9.0, 9.0)) / (float(np.sqrt(np.mean(growl * growl))) + 1e-6)
    return np.asarray(x + np.float32(share) * growl, np.float32)


def overdrive(x: Stereo, rng: Rng, rate: int) -> Stereo:
    """Drive everything hard and let it out through a guitar's loudspeaker, which has nothing below 60 Hz and little above 5 kHz.

    Chords through it are a wall without gaps for a voice; sampled guitars, a note at a time, never are.
    """
    level = float(np.sqrt(np.mean(x * x))) + 1e-6
    loud = np.ascontiguousarray(x * np.float32(db_to_gain(PRODUCTION_RMS_DB) / level), np.float32)
    amplifier = pedalboard.Pedalboard(
        [
            pedalboard.HighpassFilter(rng.uniform(60.0, 200.0)),
            pedalboard.Distortion(rng.uniform(15.0, 40.0)),
            pedalboard.PeakFilter(rng.uniform(400.0, 3000.0), rng.uniform(-9.0, 9.0), 0.7),
            pedalboard.LowpassFilter(rng.uniform(2000.0, 6000.0)),
            pedalboard.LowpassFilter(rng.uniform(3000.0, 6000.0)),
        ]
    )
    driven = amplifier(loud, rate)
    share = level * db_to_gain(rng.uniform(-3.0, 15.0)) / (float(np.sqrt(np.mean(driven * driven))) + 1e-6)
    return np.asarray(x + np.float32(share) * driven, np.float32)


SWEEP_STEP = 512
"""Frames for which the resonance of `sweep` stands still; the filter glides from one place to the next."""


def sweep(x: Stereo, rng: Rng, rate: int) -> Stereo:
    """Let a resonance wander over the sound, by itself or with the loudness: synthesizer filters, wah-wahs, auto-wahs.

    A resonance that moves over overtones is what a vowel is. A network that has met it in voices alone takes the notes of a
    swept bass for singing.
    """
    steps = np.arange(-(-x.shape[1] // SWEEP_STEP))
    if rng.random() < 0.5:
        motion = np.sin(2.0 * np.pi * (rng.uniform(0.1, 5.0) * steps * SWEEP_STEP / rate + rng.random()))
    else:
        padded = np.zeros(steps.size * SWEEP_STEP, np.float32)
        padded[: x.shape[1]] = np.abs(x).max(0)
        loudness = padded.reshape(-1, SWEEP_STEP).max(1)
        motion = rng.choice((-1.0, 1.0)) * (2.0 * loudness / (loudness.max() + 1e-6) - 1.0)
    cutoffs_hz = np.clip(np.exp(rng.uniform(*np.log((250.0, 1500.0)))) * 2.0 ** (rng.uniform(0.3, 1.5) * motion), 80.0, 8000.0)
    modes = pedalboard.LadderFilter.Mode
    mode = rng.choice(np.array((modes.LPF12, modes.LPF24, modes.BPF12, modes.BPF24), object))
    ladder = pedalboard.LadderFilter(mode, float(cutoffs_hz[0]), rng.uniform(0.3, 0.9), rng.uniform(1.0, 4.0))
    level = float(np.sqrt(np.mean(x * x))) + 1e-6
    loud = np.ascontiguousarray(x * np.float32(db_to_gain(PRODUCTION_RMS_DB) / level), np.float32)
    swept = np.empty_like(loud)
    for step, cutoff_hz in enumerate(cutoffs_hz):
        ladder.cutoff_hz = float(cutoff_hz)
        span = slice(step * SWEEP_STEP, (step + 1) * SWEEP_STEP)
        swept[:, span] = ladder(loud[:, span], rate, reset=False)
    share = level * db_to_gain(rng.uniform(-3.0, 12.0)) / (float(np.sqrt(np.mean(swept * swept))) + 1e-6)
    return np.asarray(x + np.float32(share) * swept, np.float32)


def bend(x: Stereo, rng: Rng, rate: int) -> Stereo:
    """Let the pitch waver, as a vibrato or as slides; recorded guitars do what sampled ones leave to voices.

    Read at a speed of 1 + d(t), d being a sine of 4 to 8 Hz up to 60 cents or smooth noise up to 150 cents, fading in and out.
    The sound never runs ahead or behind by more than 30 ms.
    """
    frames = x.shape[1]
    seconds = np.arange(frames, dtype=np.float32) / rate
    if rng.random() < 0.5:
        hz, cents = rng.uniform(4.0, 8.0), rng.uniform(10.0, 60.0)
        wave = np.sin(2.0 * np.pi * hz * seconds)
    else:
        hz, cents = rng.uniform(0.5, 2.5), rng.uniform(30.0, 150.0)
        points = rng.uniform(-1.0, 1.0, int(2.0 * hz * frames / rate) + 3)
        wave = np.sin(0.5 * np.pi * np.interp(2.0 * hz * seconds, np.arange(points.size), points))
    ahead = (2.0 ** (cents / 1200.0) - 1.0) * rate / (2.0 * np.pi * hz) * wave  # d is its slope
    knots = np.arange(frames // rate + 2)
    amount = np.clip(np.interp(seconds, knots, rng.uniform(-0.5, 1.5, knots.size)), 0.0, 1.0)
    at = np.clip(np.arange(frames) + amount * ahead, 0.0, frames - 1.0)
    before = np.minimum(at.astype(np.int64), frames - 2)
    part = (at - before).astype(np.float32)
    return np.asarray(x[:, before] + part * (x[:, before + 1] - x[:, before]), np.float32)


class Production(NamedTuple):
    """How often a class of stems gets each treatment when it is produced."""

    throat: float = 0.0
    harmony: float = 0.0
    ring: float = 0.0
    bend: float = 0.0
    amplifier: float = 0.0
    overdrive: float = 0.0
    sweep: float = 0.0
    compressor: float = 0.0
    distortion: float = 0.0
    band: float = 0.0
    phaser: float = 0.0
    chorus: float = 0.0
    echo: float = 0.0
    hall: float = 0.0
    limiter: float = 0.0


PRODUCTION = {
    "vocals": Production(
        throat=0.12,
        harmony=0.1,
        bend=0.1,
        compressor=0.7,
        distortion=0.15,
        band=0.08,
        chorus=0.35,
        echo=0.3,
        hall=0.3,
        limiter=1.0,
    ),
    "drums": Production(ring=0.3, compressor=0.5, distortion=0.15, band=0.05, echo=0.05, hall=0.3, limiter=0.2),
    "bass": Production(
        bend=0.25, amplifier=0.8, sweep=0.35, compressor=0.6, distortion=0.25, phaser=0.1, chorus=0.1, hall=0.05, limiter=0.5
    ),
    "other": Production(
        bend=0.25,
        overdrive=0.2,
        sweep=0.15,
        compressor=0.4,
        distortion=0.25,
        band=0.05,
        phaser=0.15,
        chorus=0.3,
        echo=0.25,
        hall=0.3,
        limiter=0.3,
    ),
    "accompaniment": Production(compressor=0.3, hall=0.1, limiter=0.3),
}
"""Harmonies are rare because one costs ten times as much as all other treatments together; throats cost as much."""


def produce(x: Stereo, rng: Rng, rate: int, stem: str, probability: float) -> Stereo:
    """Treat a stem as records do, with `probability`: compressed, driven, doubled, with echo and hall, limited. Its level stays.

    Recordings to train on are mostly dry and of one singer or instrument standing still; what songs hold hardly ever is.
    """
    if rng.random() >= probability:
        return x
    often = PRODUCTION[stem]
    level = float(np.sqrt(np.mean(x * x))) + 1e-6
    if rng.random() < often.throat:
        x = reshape_throat(x, rng, rate)
    if rng.random() < often.harmony:
        x = harmonise(x, rng, rate)
    if rng.random() < often.ring:
        x = ring(x, rng, rate)
    if rng.random() < often.bend:
        x = bend(x, rng, rate)
    if rng.random() < often.amplifier:
        x = amplify(x, rng, rate)
    if rng.random() < often.overdrive:
        x = overdrive(x, rng, rate)
    if rng.random() < often.sweep:
        x = sweep(x, rng, rate)
    sides = [pedalboard.Pedalboard(), pedalboard.Pedalboard()]
    if rng.random() < often.compressor:
        threshold_db = PRODUCTION_RMS_DB + rng.uniform(-12.0, 3.0)
        _insert(sides, pedalboard.Compressor, threshold_db, rng.uniform(2, 10), rng.uniform(1, 20), rng.uniform(40, 250))
    if rng.random() < often.distortion:
        _insert(sides, pedalboard.Distortion, rng.uniform(2.0, 16.0))
    if rng.random() < often.band:
        _insert(sides, pedalboard.HighpassFilter, rng.uniform(150.0, 500.0))
        _insert(sides, pedalboard.LowpassFilter, rng.uniform(2500.0, 6000.0))
    if rng.random() < often.phaser:
        speed_hz, depth, centre_hz = rng.uniform(0.1, 2.0), rng.uniform(0.3, 1.0), rng.uniform(300.0, 2000.0)
        _insert(sides, pedalboard.Phaser, speed_hz, depth, centre_hz, rng.uniform(0.0, 0.7), rng.uniform(0.3, 0.6))
    if rng.random() < often.chorus:  # two players, or one twice: each side drifts by itself
        depth, share = rng.uniform(0.05, 0.3), rng.uniform(0.3, 0.6)
        for side in sides:
            side.append(pedalboard.Chorus(rng.uniform(0.1, 1.5), depth, rng.uniform(8.0, 30.0), 0.0, share))
    if rng.random() < often.echo:
        seconds, feedback, share = rng.uniform(0.06, 0.5), rng.uniform(0.0, 0.45), rng.uniform(0.1, 0.4)
        for side in sides:
            side.append(pedalboard.Delay(seconds * rng.choice((1.0, 1.0, 1.5)), feedback, share))
    if rng.random() < often.hall:
        wet = rng.uniform(0.05, 0.3)
        _insert(sides, pedalboard.Reverb, rng.uniform(0.2, 0.95), rng.uniform(0.1, 0.9), wet, 1.0 - wet)
    loud = x * np.float32(db_to_gain(PRODUCTION_RMS_DB) / level)
    y = np.stack([side(np.ascontiguousarray(wave), rate) for side, wave in zip(sides, loud, strict=True)])
    y = saturate(y, rng, often.limiter)
    return np.asarray(y * (level / (float(np.sqrt(np.mean(y * y))) + 1e-6)), np.float32)


def _insert(sides: list[pedalboard.Pedalboard], effect: type[pedalboard.Plugin], *settings: float) -> None:
    for side in sides:
        side.append(effect(*settings))


def place(x: Stereo, rng: Rng) -> Stereo:
    """Swap sides and polarity at random; narrow or pan half of the stems a little."""
    if rng.random() < 0.5:
        x = x[::-1]
    if rng.random() < 0.5:
        width, balance = rng.uniform(0.0, 1.0), rng.uniform(-0.4, 0.4)
        middle = 0.5 * (x[0] + x[1])
        x = middle + width * (x - middle)
        x = x * np.array([[1.0 - balance], [1.0 + balance]])
    return np.asarray(x * rng.choice((-1.0, 1.0)), np.float32)
