"""Balance of a song, and what must hold before it is kept."""

from __future__ import annotations

import numpy as np
from effects import bus
from pcm import RATE, Stereo, active_rms
from score import Rng

PEAK = 10.0 ** (-1.5 / 20.0)
STEMS = ("drums", "bass", "other")
LEVELS_DB = {"drums": (0.0, 2.0), "bass": (-1.5, 2.3), "other": (0.0, 2.3)}
"""Mean and standard deviation of the levels (RMS while playing); bass lies 0 to 3 dB below the others, as in real mixes."""

EXTREME_DB = 5.0
WINDOW = 8192


def balanced(stems: dict[str, Stereo], rng: Rng) -> dict[str, Stereo]:
    """Compress each stem mildly, set the levels, fade the ends, and bring the peak of the mix to -1.5 dBFS.

    Args:
        stems: `[2, frames]` float32 each, of equal length.
        rng: draws levels and compression.
    """
    out = {}
    for name, audio in stems.items():
        mean, deviation = LEVELS_DB[name]
        level_db = float(np.clip(rng.normal(mean, deviation), mean - EXTREME_DB, mean + EXTREME_DB))
        out[name] = bus(audio, rng) * np.float32(10.0 ** (level_db / 20.0))
    frames = next(iter(out.values())).shape[1]
    envelope = np.ones(frames, np.float32)
    opening, ending = int(0.005 * RATE), int(rng.uniform(0.3, 1.4) * RATE)
    envelope[:opening] = np.linspace(0.0, 1.0, opening)
    envelope[-ending:] = 0.5 + 0.5 * np.cos(np.linspace(0.0, np.pi, ending))
    peak = max(
        float(np.abs(sum(out.values()) * envelope).max()), *(float(np.abs(x * envelope).max()) for x in out.values()), 1e-6
    )
    return {name: x * envelope * np.float32(PEAK / peak) for name, x in out.items()}


def low_share(x: Stereo, below_hz: float) -> float:
    """Share of the energy below a frequency."""
    blocks = x.shape[1] // WINDOW
    windowed = x.mean(0)[: blocks * WINDOW].reshape(blocks, WINDOW) * np.hanning(WINDOW).astype(np.float32)
    spectrum = (np.abs(np.fft.rfft(windowed)) ** 2).sum(0)
    return float(spectrum[: round(below_hz * WINDOW / RATE)].sum() / max(spectrum.sum(), 1e-12))


def sounding(x: Stereo) -> float:
    """Share of the 100-ms frames within 40 dB of the loudest."""
    count = x.shape[1] // 4410
    power = (x[:, : count * 4410] ** 2).mean(0).reshape(count, 4410).mean(1)
    return float((power > power.max() * 1e-4).mean()) if power.max() > 1e-10 else 0.0


def faults(stems: dict[str, Stereo]) -> list[str]:
    """Say what is wrong with a song: silence, lost bass, a level far off, or a broken sample; empty is a good one."""
    found = []
    for name in STEMS:
        x = stems[name]
        if not np.isfinite(x).all():
            found.append(f"{name} is not finite")
        elif sounding(x) < 0.35:
            found.append(f"{name} sounds in {sounding(x):.0%} of the song")
        elif abs(float(x.mean())) > 0.01:
            found.append(f"{name} has an offset")
    levels = {name: 20.0 * np.log10(active_rms(x) + 1e-9) for name, x in stems.items()}
    if max(levels.values()) - min(levels.values()) > 14.0:
        found.append("levels are far apart: " + ", ".join(f"{name} {level:.0f} dB" for name, level in levels.items()))
    if low_share(stems["bass"], 160.0) < 0.25:
        found.append(f"only {low_share(stems['bass'], 160.0):.0%} of the bass lies below 160 Hz")
    if low_share(stems["other"], 70.0) > 0.3:
        found.append("the accompaniment rumbles")
    return found
