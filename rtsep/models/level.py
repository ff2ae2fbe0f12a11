"""Slow level control for nets that expect music at a certain level.

A net trained on mastered songs hears a quiet input as a different kind of music: 12 dB less costs Spleeter 1.6 dB
of vocal SDR, 20 dB cost 4.3. Masks do not depend on scale, so only what the net sees is brought to level, by one
gain per evaluation; the audio keeps its own.

The power is averaged block by block, equally at first and over `MEMORY` blocks later on, which answers from the
first block on without ever jumping. Silent blocks (and blocks with NaN or infinity in them) count for nothing: a
pause neither winds the gain up nor costs the level that was found before it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rtsep.models.separator import Audio, State

Powers = NDArray[np.float64]
"""`[blocks]` mean squares, 0 for blocks that do not count."""

BLOCK = 1024
"""Frames per measurement, whatever the hop, so that every tier hears the same level."""

MEMORY = 130
"""Blocks: three seconds at 44.1 kHz, longer than a phrase's swells and shorter than a verse."""

TARGET = 0.2
"""RMS the nets are shown, full scale 1. Measured on twelve songs: 0.1 costs Spleeter 0.6 dB, 0.17 and 0.25 are even."""

SILENCE = 1e-7
"""Mean square below which a block is silence: -70 dB."""

ABSURD = 1e6
"""Mean square above which a block is broken input, not music."""


def init_level(memory: int = MEMORY) -> State:
    """Return the state of a level control that has heard nothing and will average over `memory` blocks."""
    return {"power": 0.0, "blocks": 0, "memory": memory}


def block_powers(audio: Audio) -> Powers:
    """Return the mean square of each block of `audio: [channels, n * BLOCK]`; 0 for silence and for broken input."""
    blocks = audio.reshape(len(audio), -1, BLOCK)
    powers: Powers = np.square(blocks, dtype=np.float64).mean(axis=(0, 2))
    powers[~((powers > SILENCE) & (powers < ABSURD))] = 0.0
    return powers


def follow(powers: Powers, level: State) -> float:
    """Take new blocks into account and return the gain for the net's input.

    Args:
        powers: from `block_powers`.
        level: from `init_level`, updated in place.
    """
    for power in powers[powers > 0]:
        level["blocks"] = min(level["blocks"] + 1, level["memory"])
        level["power"] += (power - level["power"]) / level["blocks"]
    return TARGET / float(np.sqrt(level["power"])) if level["blocks"] else 1.0
