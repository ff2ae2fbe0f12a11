"""A teacher: a model that has heard far more music says what it takes for vocals, and the network learns that beside the truth.

The truth of a made mix says what is in it; the teacher says what a separator that knows thousands of songs makes of it. Its masks
vary less than the truth, look into the future, and hear in every sound how much of a voice is in it (knowledge distillation,
Hinton et al. 2015). It listens to whole stretches, once each.
"""

from __future__ import annotations

from typing import cast

import msgspec
import numpy as np
from numpy.typing import NDArray

from rtsep.errors import ConfigError
from rtsep.models import registry
from rtsep.models.separator import WholeFileSeparator

HEARING_HZ = 11000.0
"""Spleeter looks at the spectrum below this frequency and gives nothing above it to the vocals."""


class TeacherConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which model teaches, and how much."""

    model: str = "spleeter-2stems"
    tier: str = "offline"
    share: float = 0.0
    """Share of the stretches with vocals that it hears; it costs 40 ms of a core per second of music."""
    weight: float = 1.0
    """Weight of its vocals as a target; a true stem has 1."""


class Teacher:
    """Estimates the vocals of whole stretches."""

    def __init__(self, config: TeacherConfig, rate: int) -> None:
        """Load the model.

        Raises:
            ConfigError: it is no model for whole files.
            ModelError: there is no such model or tier.
            WeightsError: its weights are not there.
        """
        card, tier = registry.find(config.model, config.tier)
        if not tier.whole_file:
            files = ", ".join(other.name for other in card.tiers if other.whole_file) or f"none of {card.name}'s"
            raise ConfigError(f'The recipe\'s [teacher] tier "{tier.name}" separates live; tiers for whole files: {files}.')
        self.share, self.weight, self._rate = config.share, config.weight, rate
        self._model = cast(WholeFileSeparator, registry.load(card.name, tier.name, rate=rate))

    def vocals(self, mix: NDArray[np.float32], truth: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return what it takes for the vocals `[2, frames]` of `mix: [2, frames]`; of the `truth` what lies above its hearing."""
        taken = self._model.separate(np.ascontiguousarray(mix))[self._model.spec.stems.index("vocals")]
        above = np.fft.rfft(truth - taken)
        above[:, np.fft.rfftfreq(mix.shape[1], 1.0 / self._rate) < HEARING_HZ] = 0.0
        vocals: NDArray[np.float32] = taken + np.fft.irfft(above, mix.shape[1]).astype(np.float32)
        return vocals
