"""A spoken clip made ready: decoded, freed of hiss, trimmed, and given the high band that its source lacks.

Band-limited speech (telephone prompts end at 7 kHz, the synthesiser at 12 kHz) would teach a separator that voices have no air.
The missing band becomes noise under the temporal envelope of the highest octave that is there, as the high band of real voices is
mostly turbulence modulated by the glottis and strong in sibilants.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import soundfile as sf
import soxr
from numpy.typing import NDArray
from scipy import signal

RATE = 44100
FULL_BAND_HZ = 15000.0

Mono = NDArray[np.float64]


def decode(path: Path) -> Mono:
    """Read a file as mono at `RATE`; G.722 goes through ffmpeg."""
    if path.suffix == ".g722":
        call = ["ffmpeg", "-v", "error", "-f", "g722", "-i", str(path), "-f", "f32le", "-ac", "1", "-"]
        x = np.frombuffer(subprocess.run(call, capture_output=True, check=True).stdout, np.float32).astype(np.float64)
        rate = 16000
    else:
        stereo, rate = sf.read(path, always_2d=True)
        x = stereo.mean(1)
    return np.asarray(soxr.resample(x, rate, RATE) if rate != RATE else x, np.float64)


def clean(x: Mono) -> Mono:
    """Remove rumble and steady noise (a spectral gate against the quietest tenth of the frames), trim, level to 0.7."""
    x = signal.sosfilt(signal.butter(2, 60.0, "high", fs=RATE, output="sos"), x)
    _, _, spectrum = signal.stft(x, RATE, nperseg=1024, noverlap=768)
    power = np.abs(spectrum) ** 2
    noise = 3.0 * np.quantile(power, 0.1, axis=1, keepdims=True)
    gain = np.maximum(0.06, 1.0 - noise / (power + 1e-14))
    gain = signal.convolve2d(gain, np.ones((3, 3)) / 9.0, mode="same", boundary="symm")
    x = signal.istft(spectrum * gain, RATE, nperseg=1024, noverlap=768)[1][: len(x)]
    level = np.sqrt(signal.fftconvolve(x * x, np.ones(882) / 882, mode="same").clip(0.0))
    loud = np.flatnonzero(level > 0.02 * level.max())
    if loud.size == 0:
        return np.zeros(0)
    x = x[max(0, loud[0] - 1323) : loud[-1] + 1323].copy()
    fade = np.linspace(0.0, 1.0, min(441, len(x) // 2))
    x[: fade.size] *= fade
    x[len(x) - fade.size :] *= fade[::-1]
    return np.asarray(x * (0.7 / max(1e-6, np.abs(x).max())))


def bandwidth(x: Mono) -> float:
    """Frequency in Hz above which there is nothing: 58 dB below the strongest kilohertz, or past a cliff of 20 dB."""
    frequencies, power = signal.welch(x, RATE, nperseg=4096)
    bands = np.arange(1000.0, 17000.0, 500.0)
    level = [10.0 * np.log10(power[(frequencies >= low) & (frequencies < low + 500.0)].mean() + 1e-15) for low in bands]
    top = max(level)
    for low, here, following in zip(bands, level, level[1:], strict=False):
        if following < top - 58.0 or (low >= 3000.0 and following < here - 20.0):
            return float(low + 400.0)
    return float(bands[-1])


def extend(x: Mono, limit_hz: float, rng: np.random.Generator) -> Mono:
    """Continue `x` above `limit_hz` to 17 kHz by shaped noise; a full-band `x` comes back as it is."""
    if limit_hz >= FULL_BAND_HZ or len(x) < 2048:
        return x
    below = signal.butter(4, (0.7 * limit_hz, 0.95 * limit_hz), "band", fs=RATE, output="sos")
    top = signal.sosfiltfilt(below, x)
    envelope = np.sqrt(signal.fftconvolve(top * top, np.hanning(66) / np.hanning(66).sum(), mode="same").clip(0.0))
    carrier = envelope * rng.standard_normal(len(x))
    spectrum = np.fft.rfft(carrier)
    hertz = np.fft.rfftfreq(len(x), 1.0 / RATE)
    octaves = np.log2(np.maximum(hertz, limit_hz) / limit_hz)
    slope_db = -7.0 * octaves - 14.0 * np.maximum(0.0, np.log2(np.maximum(hertz, 1.0) / 11000.0))
    # The carrier's noise is white up to Nyquist, the band it copies holds only a quarter of `limit_hz`: equal density wants this.
    density = np.sqrt((RATE / 2) / (0.25 * limit_hz))
    fade_in = np.clip((hertz - 0.93 * limit_hz) / (0.07 * limit_hz), 0.0, 1.0)
    fade_out = np.clip((17500.0 - hertz) / 1500.0, 0.0, 1.0)
    high = np.fft.irfft(spectrum * density * 10.0 ** (slope_db / 20.0) * fade_in * fade_out, len(x))
    return np.asarray(x + high)
