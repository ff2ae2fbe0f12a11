"""What a studio does to a voice: takes side by side, harmonies, equaliser, compression, saturation, rooms (pedalboard)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pedalboard import (
    Compressor,
    Delay,
    Distortion,
    HighpassFilter,
    HighShelfFilter,
    LowpassFilter,
    LowShelfFilter,
    PeakFilter,
    Pedalboard,
    Reverb,
)
from scipy import ndimage, signal
from speech import RATE, Mono

Stereo = NDArray[np.float32]
USUAL_DB = {
    125: -30, 200: -13, 315: -13, 500: -9, 800: -11, 1250: -14, 2000: -18, 3150: -20, 4000: -21, 5000: -22, 6300: -22,
    8000: -22, 10000: -25, 12500: -29, 16000: -37,
}  # fmt: skip
"""Level of produced vocals in bands of a third of an octave (Hz: dB of the whole), as measured on a CC0 pop album."""

PEAK = 10.0 ** (-3.0 / 20.0)


@dataclass(frozen=True)
class Take:
    """One more rendition of the same phrases: shift in degrees of the scale, formant scale, pan -1 to 1, and level in dB."""

    shift: int
    formants: float
    pan: float
    level_db: float


LEAD = Take(0, 1.0, 0.0, 0.0)


def takes(arrangement: str, rng: np.random.Generator, degrees: int) -> list[Take]:
    """Renditions that an arrangement needs; the first is the lead. `degrees` is the number of degrees in an octave."""
    side = float(rng.choice([-1.0, 1.0]))
    third = 2 if degrees >= 7 else 1
    if arrangement == "doubled":
        width = float(rng.uniform(0.4, 1.0)) * side
        return [Take(0, 1.0, width, 0.0), Take(0, float(rng.uniform(0.97, 1.03)), -width, 0.0)]
    if arrangement == "harmony":
        above = int(rng.choice([third, 2 * third, degrees, -degrees, -third]))
        return [LEAD, Take(above, float(rng.uniform(0.95, 1.05)), 0.7 * side, float(rng.uniform(-8.0, -2.0)))]
    if arrangement == "choir":
        shifts = rng.permutation([0, third, -degrees, 2 * third])[:3]
        pans = (0.8 * side, -0.8 * side, 0.3 * side)
        stack = [Take(int(s), float(rng.uniform(0.9, 1.12)), pan, -3.0) for s, pan in zip(shifts, pans, strict=True)]
        return [LEAD, *stack]
    return [LEAD]


def place(voice: Mono, take: Take) -> Stereo:
    """Pan one take by constant power: `[2, samples]`."""
    angle = (take.pan + 1.0) * np.pi / 4.0
    gain = 10.0 ** (take.level_db / 20.0) * np.sqrt(2.0)
    return np.asarray(np.stack([np.cos(angle) * voice, np.sin(angle) * voice]) * gain, np.float32)


def channel_strip(rng: np.random.Generator, shouted: bool) -> Pedalboard:
    """Draw what happens to the voice before any room."""
    strip = [
        HighpassFilter(float(rng.uniform(70.0, 150.0))),
        HighpassFilter(float(rng.uniform(60.0, 100.0))),
        PeakFilter(float(rng.uniform(200.0, 450.0)), float(rng.uniform(-5.0, 0.5)), 0.8),
        Compressor(float(rng.uniform(-26.0, -14.0)), float(rng.uniform(2.0, 6.0)), float(rng.uniform(1.0, 15.0)), 120.0),
        PeakFilter(float(rng.uniform(2200.0, 4800.0)), float(rng.uniform(-3.0, 3.5)), 0.7),
        HighShelfFilter(float(rng.uniform(7000.0, 10000.0)), float(rng.uniform(-3.0, 5.0)), 0.7),
        LowShelfFilter(float(rng.uniform(150.0, 300.0)), float(rng.uniform(-3.0, 2.0)), 0.7),
    ]
    if shouted:
        strip.append(Distortion(float(rng.uniform(14.0, 30.0))))
        strip.append(PeakFilter(float(rng.uniform(1200.0, 3000.0)), float(rng.uniform(0.0, 5.0)), 0.6))
        strip.append(LowpassFilter(float(rng.uniform(9000.0, 16000.0))))
    elif rng.random() < 0.35:
        strip.append(Distortion(float(rng.uniform(2.0, 9.0))))
    strip.append(Compressor(float(rng.uniform(-18.0, -8.0)), float(rng.uniform(1.5, 4.0)), 5.0, float(rng.uniform(60.0, 250.0))))
    if rng.random() < 0.04:  # through a telephone, as verses and bridges have it
        strip += [HighpassFilter(400.0), HighpassFilter(400.0), LowpassFilter(3400.0), LowpassFilter(3400.0)]
    return Pedalboard(strip)


def room(rng: np.random.Generator, beat: float) -> Pedalboard:
    """Draw echo and reverb; `beat` in seconds sets the echo."""
    effects: list[Delay | Reverb | HighpassFilter] = []
    if rng.random() < 0.4:
        time = beat * float(rng.choice([0.25, 0.5, 0.75, 1.0]))
        effects.append(Delay(time, float(rng.uniform(0.05, 0.4)), float(rng.uniform(0.06, 0.22))))
    size = float(rng.uniform(0.1, 0.9))
    wet = float(rng.uniform(0.05, 0.28)) * (1.1 - 0.5 * size)
    effects.append(Reverb(size, float(rng.uniform(0.3, 0.9)), wet, 1.0 - wet, float(rng.uniform(0.6, 1.0))))
    effects.append(HighpassFilter(80.0))
    return Pedalboard(effects)


def deess(x: Stereo, split_hz: float, strength: float) -> Stereo:
    """Turn the band above `split_hz` down where it outweighs what lies below: sibilants, which compression brings forward."""
    high = signal.sosfilt(signal.butter(2, split_hz, "high", fs=RATE, output="sos"), x)
    window = int(0.01 * RATE)
    loudness = np.sqrt(ndimage.uniform_filter1d((high**2).sum(0), window).clip(0.0)) + 1e-6
    usual = np.sqrt(np.mean(x**2)) * np.sqrt(2.0)
    gain = np.minimum(1.0, 0.35 * usual / loudness) ** strength
    return np.asarray(x + (gain - 1.0) * high, np.float32)


def balance(x: Stereo, rng: np.random.Generator, share: float) -> Stereo:
    """Move the long-term spectrum by `share` of the way to `USUAL_DB`, give or take some dB, as an engineer's ear does."""
    spectrum = np.fft.rfft(x)
    hertz = np.fft.rfftfreq(x.shape[1], 1.0 / RATE)
    power = np.append(0.0, np.cumsum((np.abs(spectrum) ** 2).sum(0)))
    points = np.array(list(USUAL_DB))
    low, high = (np.searchsorted(hertz, points * side) for side in (1.0 / 1.12, 1.12))
    level_db = 10.0 * np.log10((power[high] - power[low]) / power[-1] + 1e-9)
    wanted_db = np.clip(share * (np.array(list(USUAL_DB.values())) - level_db), -8.0, 14.0) + rng.normal(0.0, 1.5, points.size)
    wanted_db[0] = min(wanted_db[0], 0.0)  # nothing below the voice is worth raising
    curve_db = np.interp(np.log(np.maximum(hertz, 20.0)), np.log(points), wanted_db)
    return np.asarray(np.fft.irfft(spectrum * 10.0 ** (curve_db / 20.0), x.shape[1]), np.float32)


def produce(stack: Stereo, rng: np.random.Generator, beat: float, shouted: bool, dry: bool) -> Stereo:
    """Turn the summed takes `[2, samples]` (lead peak near 0.5) into a finished vocal track with a peak of -3 dBFS."""
    loudest = float(np.percentile(np.abs(stack), 99.5)) + 1e-6
    x = balance(stack * np.float32(0.35 / loudest), rng, float(rng.uniform(0.3, 0.8)))
    split_hz, strength = float(rng.uniform(4500.0, 6500.0)), float(rng.uniform(0.4, 0.8))
    x = deess(channel_strip(rng, shouted)(deess(x, split_hz, strength), RATE), split_hz, strength)
    x = x / (float(np.percentile(np.abs(x), 99.9)) + 1e-6) * 0.5
    if not dry:
        x = room(rng, beat)(x, RATE)
    x = x - x.mean(1, keepdims=True)
    x = x / (1.0 + (x / 0.75) ** 6) ** (1.0 / 6.0)  # what the last peaks meet: linear below, 0.75 at most
    return np.asarray(x * (PEAK / (np.abs(x).max() + 1e-9)), np.float32)
