"""Decibels, frames and milliseconds."""

from __future__ import annotations

import math

SILENCE_DB = -120.0
"""Levels at or below this are treated as off and shown as `-inf`."""


def db_to_gain(level_db: float) -> float:
    """Amplitude gain of a level in dB; at or below `SILENCE_DB` it is exactly 0."""
    return 0.0 if level_db <= SILENCE_DB else math.pow(10.0, level_db / 20.0)


def gain_to_db(gain: float) -> float:
    """Level in dB of an amplitude gain, never below `SILENCE_DB`."""
    return SILENCE_DB if gain <= 1e-6 else 20.0 * math.log10(gain)


def frames_to_ms(frames: float, rate_hz: float) -> float:
    """Duration of `frames` at `rate_hz`, in milliseconds."""
    return 1000.0 * frames / rate_hz


def format_db(level_db: float) -> str:
    """A level as players read it: `-inf`, `-12.5 dB`, `0.0 dB`."""
    return "-inf" if level_db <= SILENCE_DB else f"{round(level_db, 1) + 0.0:.1f} dB"  # and never -0.0
