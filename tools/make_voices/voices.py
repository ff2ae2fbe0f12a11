"""From a score to sound, in two ways, so that no single vocoder's trace becomes the mark of a voice.

* `vocode`: WORLD resynthesis; the envelope can be tilted and the breath raised.
* `splice`: pitch-synchronous overlap-add (Moulines & Charpentier 1990); it keeps the speaker's own glottal pulses and noise.
"""

from __future__ import annotations

import numpy as np
import pyworld
from numpy.typing import NDArray
from scipy import ndimage, signal
from singer import Manner, Score
from speech import RATE, Mono
from syllables import FRAME_S, Spoken, envelopes

HOP = round(FRAME_S * RATE)


def vocode(spoken: Spoken, score: Score, manner: Manner, rng: np.random.Generator) -> Mono:
    """Sing with WORLD."""
    envelope, aperiodicity = envelopes(spoken)
    bins = envelope.shape[1]
    hertz = np.linspace(0.0, RATE / 2, bins)
    low = np.minimum(score.source.astype(int), len(envelope) - 2)
    part = (score.source - low)[:, None]
    shape = envelope[low] * (1.0 - part) + envelope[low + 1] * part
    noise = aperiodicity[low] * (1.0 - part) + aperiodicity[low + 1] * part
    if manner.formants != 1.0:
        position = np.minimum(np.arange(bins) / manner.formants, bins - 1.001)
        floor = position.astype(int)
        weight = position - floor
        shape = shape[:, floor] * (1.0 - weight) + shape[:, floor + 1] * weight
        noise = noise[:, floor] * (1.0 - weight) + noise[:, floor + 1] * weight
    voiced = score.f0 > 0.0
    octaves = np.clip(np.log2(np.maximum(hertz, 1.0) / 700.0), 0.0, 3.5)
    tilt_db = (7.0 * manner.effort - 4.0) * octaves
    tilt_db += 5.0 * manner.effort * np.exp(-0.5 * ((hertz - 3000.0) / 500.0) ** 2)  # the singer's formant
    wobble = ndimage.gaussian_filter1d(rng.standard_normal(len(voiced)), 20.0) * 4.0  # no vowel stands quite still
    colour = 10.0 ** ((tilt_db + 0.8 * wobble[:, None] * octaves) / 10.0)
    shape = np.where(voiced[:, None], shape * colour, shape) * (score.gain**2)[:, None] + 1e-12
    breathy = manner.breath * np.clip((hertz - 1500.0) / 5000.0, 0.0, 1.0)
    noise = np.clip(noise, 0.0, 1.0) ** (1.0 + 0.4 * manner.effort)
    noise = np.where(voiced[:, None], 1.0 - (1.0 - noise) * (1.0 - 0.75 * breathy), 1.0)
    noise = np.clip(noise, 0.001, 1.0 - 1e-9)  # WORLD takes the logarithm of the rest
    y = pyworld.synthesize(score.f0, np.ascontiguousarray(shape), np.ascontiguousarray(noise), RATE, 1000.0 * FRAME_S)
    return _roughen(y, score, manner, rng)


def _marks(x: Mono, f0: Mono) -> tuple[NDArray[np.int64], Mono]:
    """Sample positions of glottal pulses (every 5 ms where unvoiced) and the period at each."""
    smooth = signal.sosfiltfilt(signal.butter(2, (60.0, 900.0), "band", fs=RATE, output="sos"), x)
    if np.mean(smooth**3) < 0.0:
        smooth = -smooth
    marks: list[int] = []
    periods: list[float] = []
    position = 0.0
    was_voiced = False
    while position < len(x):
        frequency = f0[min(int(position / HOP), len(f0) - 1)]
        if frequency > 0.0:
            period = RATE / frequency
            reach = 0.2 if was_voiced else 0.5
            start, stop = int(max(0.0, position - reach * period)), int(min(len(x), position + reach * period + 1))
            here = start + int(np.argmax(smooth[start:stop])) if stop > start else int(position)
            was_voiced = True
        else:
            period, here, was_voiced = float(HOP), int(position), False
        if marks and here <= marks[-1]:
            here = marks[-1] + max(1, int(0.5 * period))
        marks.append(here)
        periods.append(period)
        position = here + period
    return np.array(marks), np.array(periods)


def splice(spoken: Spoken, score: Score, manner: Manner, rng: np.random.Generator) -> Mono:
    """Sing with the speaker's own pulses."""
    x = spoken.wave
    marks, periods = _marks(x, spoken.f0)
    voiced_mark = periods != float(HOP)
    y = np.zeros(len(score.f0) * HOP + RATE // 10)
    time, stop = 0.0, (len(score.f0) - 1) * HOP
    while time < stop:
        frame = int(time / HOP)
        frequency = score.f0[frame]
        origin = score.source[frame] * HOP
        index = int(np.searchsorted(marks, origin))
        index = min(max(0, index + int(rng.integers(-1, 2))), len(marks) - 1)  # a stretched vowel repeats no pulse for long
        period = min(periods[index], 0.016 * RATE)
        step = RATE / frequency if frequency > 0.0 else float(HOP)
        half = int(period / manner.formants)
        place = int(time)
        offset = (np.arange(-half, half + 1) - (time - place)) * manner.formants + marks[index]
        left, right = max(0, int(offset[0]) - 1), min(len(x), int(offset[-1]) + 3)
        grain = np.interp(offset, np.arange(left, right), x[left:right], 0.0, 0.0) if right - left > 1 else np.zeros(offset.size)
        level = score.gain[frame] * (np.sqrt(step / period) if voiced_mark[index] and frequency > 0.0 else 1.0)
        grain = grain * np.hanning(2 * half + 1) * level
        first = place - half
        if first >= 0 and place + half < len(y):
            y[first : place + half + 1] += grain
        time += max(step, 20.0)
    tilt = 0.9 * manner.effort - 0.45
    bright = signal.lfilter([1.0, -0.9], [1.0], y) * 1.6
    return _roughen(y + tilt * (bright - 0.4 * y), score, manner, rng)


def inhale(seconds: float, rng: np.random.Generator) -> Mono:
    """Breathe in before a phrase: noise through an open throat, with a peak near one."""
    noise = rng.standard_normal(int(seconds * RATE))
    throat = signal.butter(1, (rng.uniform(700.0, 1400.0), rng.uniform(5000.0, 9000.0)), "band", fs=RATE, output="sos")
    formant = signal.butter(1, (1500.0, 2300.0), "band", fs=RATE, output="sos")
    breath = signal.sosfilt(throat, noise) + signal.sosfilt(formant, noise)
    return np.asarray(breath / np.abs(breath).max() * np.sin(np.linspace(0.0, 1.0, breath.size) ** 1.5 * np.pi) ** 1.5)


def _roughen(y: Mono, score: Score, manner: Manner, rng: np.random.Generator) -> Mono:
    """Growl: amplitude modulation at a half and a third of the pitch, which adds subharmonics, where the voice is loud."""
    if manner.growl <= 0.0:
        return y
    frames = np.arange(len(y)) / HOP
    f0 = np.interp(frames, np.arange(len(score.f0)), score.f0)
    phase = 2.0 * np.pi * np.cumsum(f0) / RATE
    amount = np.clip(0.6 + ndimage.gaussian_filter1d(rng.standard_normal(len(score.f0)), 25.0) * 4.0, 0.0, 1.0)
    depth = manner.growl * np.interp(frames, np.arange(len(score.f0)), amount)
    return np.asarray(y * (1.0 + depth * (0.5 * np.cos(phase / 2.0 + 1.0) + 0.35 * np.cos(phase / 3.0))))
