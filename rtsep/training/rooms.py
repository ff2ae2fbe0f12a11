"""Equaliser and room of a stem, applied as one spectrum product over the whole stretch, hence two FFTs for both."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rtsep.training.augment import Rng, Stereo

FFT_STEP = 8192
"""FFT sizes are multiples of this, hence of many small primes, which is what makes them fast."""


def random_equaliser(rng: Rng, bins: int, rate: int, depth_db: float = 6.0) -> NDArray[np.float32]:
    """Smooth gain curve over `bins` from 0 Hz to Nyquist: independent gains at eight points on a logarithmic frequency axis."""
    points_hz = np.geomspace(60.0, 16000.0, 8)
    gains_db = np.clip(rng.normal(0.0, 0.5 * depth_db, points_hz.size), -1.5 * depth_db, depth_db)
    frequencies = np.linspace(0.0, rate / 2, bins)
    # Evaluated on a coarse grid first: a logarithm per bin of a 12-second spectrum would cost more than the FFT.
    coarse = np.geomspace(20.0, rate / 2, 256)
    curve = 10.0 ** (np.interp(np.log(coarse), np.log(points_hz), gains_db) / 20.0)
    return np.interp(frequencies, coarse, curve).astype(np.float32)


def random_room(rng: Rng, rate: int) -> NDArray[np.float32]:
    """Impulse response `[2, frames]`: the direct sound, then a decaying noise tail of 0.1 to 1.2 s with its own darkness."""
    seconds = float(rng.uniform(0.1, 1.2))
    frames = int(seconds * rate)
    envelope = np.exp(-6.9 * np.arange(frames, dtype=np.float32) / frames)
    tail = rng.standard_normal((2, frames), np.float32) * envelope
    darkness = float(rng.uniform(0.0, 0.9))
    tail[:, 1:] = (1.0 - darkness) * tail[:, 1:] + darkness * tail[:, :-1]
    tail *= float(rng.uniform(0.05, 0.5)) / np.sqrt((tail**2).sum(1, keepdims=True))
    predelay = int(rng.uniform(0.0, 0.03) * rate)
    response = np.zeros((2, predelay + frames + 1), np.float32)
    response[:, 0] = 1.0
    response[:, predelay + 1 :] = tail
    return response


def filter_stem(x: Stereo, rng: Rng, rate: int, equaliser: float, room: float) -> Stereo:
    """Equalise with probability `equaliser` and reverberate with probability `room`."""
    with_equaliser, with_room = rng.random() < equaliser, rng.random() < room
    if not (with_equaliser or with_room):
        return x
    response = random_room(rng, rate) if with_room else np.ones((1, 1), np.float32)
    size = FFT_STEP * -(-(x.shape[1] + response.shape[1]) // FFT_STEP)
    spectrum = np.fft.rfft(x, size)
    if with_room:
        spectrum *= np.fft.rfft(response, size)
    if with_equaliser:
        spectrum *= random_equaliser(rng, spectrum.shape[1], rate)
    return np.ascontiguousarray(np.fft.irfft(spectrum, size)[:, : x.shape[1]], np.float32)
