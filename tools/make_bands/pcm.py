"""Sound as arrays: `[2, frames]` float32 at one rate, and how loud it is."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

RATE = 44100
NOMINAL = 0.1
"""RMS level (-20 dBFS, while playing) at which parts meet their effects."""

Stereo = NDArray[np.float32]


def active_rms(x: Stereo) -> float:
    """RMS over the 100-ms frames that lie within 30 dB of the loudest one; 0 of silence."""
    power = (x.astype(np.float32) ** 2).mean(0)
    count = len(power) // 4410
    frames = power[: count * 4410].reshape(count, 4410).mean(1)
    loud = frames[frames > frames.max() * 1e-3] if count and frames.max() > 1e-12 else np.zeros(1)
    return float(np.sqrt(loud.mean()))


def levelled(x: Stereo) -> Stereo:
    """Bring a part to the nominal level; silence stays silence."""
    level = active_rms(x)
    return x * np.float32(NOMINAL / level) if level > 1e-6 else x
