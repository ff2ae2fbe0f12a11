"""Ducking: a stem gets quieter while another one is loud (side-chain compression with a floor).

Per frame: the detector takes the larger of the side's two channels and follows it with one-pole attack and release; the part of
its level above the threshold is taken off the stem, at most `depth_db`. Frame by frame, so that the hop does not matter.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from rtsep.models.separator import Audio


@njit(cache=True)
def _duck(block, side, out, envelope, rate, depth_db, threshold_db, attack_ms, release_ms):  # type: ignore[no-untyped-def]
    attack = 1.0 - np.exp(-1000.0 / (attack_ms * rate))
    release = 1.0 - np.exp(-1000.0 / (release_ms * rate))
    for k in range(block.shape[1]):
        level = max(abs(side[0, k]), abs(side[1, k]))
        envelope += (level - envelope) * (attack if level > envelope else release)
        over_db = 20.0 * np.log10(max(envelope, 1e-9)) - threshold_db
        gain = np.float32(10.0 ** (-min(max(over_db, 0.0), depth_db) / 20.0))
        for c in range(block.shape[0]):
            out[c, k] = block[c, k] * gain
    return envelope


class Duck:
    """One ducker with the state of its detector."""

    def __init__(self, rate: int) -> None:
        self.knobs: dict[str, float] = {}
        self._rate = rate
        self._envelope = 0.0

    def reset(self) -> None:
        """Forget the past."""
        self._envelope = 0.0

    def process(self, block: Audio, side: Audio) -> Audio:
        """Return `block` `[2, n]`, ducked by `side` `[2, n]`."""
        out = np.empty_like(block)
        k = self.knobs
        self._envelope = _duck(
            block, side, out, self._envelope, self._rate, k["depth_db"], k["threshold_db"], k["attack_ms"], k["release_ms"]
        )
        return out
