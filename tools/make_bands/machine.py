"""A drum machine: strokes synthesised as those of 1980 did, no two alike.

Skins are sines that fall in pitch, shells and shakers are filtered noise, metal is six squares out of tune with noise.
"""

from __future__ import annotations

import numpy as np
from pcm import RATE, Stereo
from score import Rng


def stroke(piece: str, rng: Rng) -> Stereo:
    """Synthesise a stroke `[frames, 2]` of peak 1."""
    long = {"crash": 1.6, "ride": 1.2, "bell": 1.0, "open hat": 0.5, "kick": 0.5, "low tom": 0.6, "middle tom": 0.5}.get(
        piece, 0.3
    )
    t = np.arange(int(long * RATE)) / RATE
    noise = rng.standard_normal(t.size)
    bright = noise - np.concatenate([[0.0], noise[:-1]])
    if piece == "kick":
        base, punch = rng.uniform(40, 62), rng.uniform(60, 350)
        sweep = rng.uniform(0.008, 0.05)
        phase = 2 * np.pi * (base * t + punch * sweep * (1 - np.exp(-t / sweep)))
        x = np.sin(phase) * np.exp(-t / rng.uniform(0.06, 0.3)) + rng.uniform(0, 0.3) * bright * np.exp(-t / 0.003)
    elif "tom" in piece or "conga" in piece:
        base = {"low tom": 85, "middle tom": 120, "high tom": 165, "low conga": 190}.get(piece, 280) * rng.uniform(0.85, 1.15)
        x = np.sin(2 * np.pi * base * (t + 0.02 * (1 - np.exp(-t / 0.03)))) * np.exp(
            -t / rng.uniform(0.07, 0.2)
        ) + 0.1 * noise * np.exp(-t / 0.01)
    elif piece == "snare":
        tone = np.sin(2 * np.pi * rng.uniform(160, 240) * t) * np.exp(-t / rng.uniform(0.03, 0.1))
        x = tone + rng.uniform(0.5, 1.2) * (noise + bright) * 0.5 * np.exp(-t / rng.uniform(0.05, 0.16))
    elif piece == "clap":
        bursts = sum(np.where(t >= at, np.exp(-(t - at) / 0.008), 0.0) for at in (0.0, 0.011, 0.022))
        x = (noise + 0.5 * bright) * (bursts + np.where(t > 0.03, 0.7 * np.exp(-(t - 0.03) / rng.uniform(0.04, 0.12)), 0.0))
    elif piece in ("cowbell", "stick"):
        base = rng.uniform(520, 600) if piece == "cowbell" else rng.uniform(1500, 2600)
        x = (np.sign(np.sin(2 * np.pi * base * t)) + np.sign(np.sin(2 * np.pi * 1.48 * base * t))) * np.exp(
            -t / (0.07 if piece == "cowbell" else 0.012)
        )
    elif piece == "shaker":
        x = bright * np.minimum(t / 0.02, 1.0) * np.exp(-t / rng.uniform(0.02, 0.06))
    else:  # metal: six squares out of tune, through a difference filter, with noise
        squares = sum(np.sign(np.sin(2 * np.pi * f * rng.uniform(0.95, 1.05) * t)) for f in (263, 400, 421, 474, 587, 845))
        metal = np.diff(squares, prepend=0.0) * rng.uniform(0.1, 0.6) + bright
        decay = {"crash": 0.5, "ride": 0.35, "bell": 0.3, "open hat": 0.18, "tambourine": 0.07}.get(piece, 0.03)
        x = np.diff(metal, prepend=0.0) * np.exp(-t / (decay * rng.uniform(0.7, 1.4)))
    x *= np.minimum(1.0, (long - t) / 0.01)
    return np.repeat((x / np.abs(x).max()).astype(np.float32)[:, None], 2, 1)
