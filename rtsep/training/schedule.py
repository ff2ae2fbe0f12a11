"""Warm-up, stable, decay: a learning rate that needs no end date.

Cosine schedules must know the last step in advance; a run that is cut early has wasted its schedule. Here the rate stays,
and a short decay to zero at any point gives the weights to ship (Hu et al., "MiniCPM", 2024; Hägele et al., "Scaling Laws and
Compute-Optimal Training Beyond Fixed Training Durations", NeurIPS 2024, who find 1 - sqrt the best shape).
"""

from __future__ import annotations

import math

from rtsep.training.recipe import TrainingConfig


def rate_factor(config: TrainingConfig, step: int) -> float:
    """Factor of the learning rate for the update after `step` updates."""
    if step < config.warmup_steps:
        return (step + 1) / config.warmup_steps
    if not is_decaying(config, step):
        return 1.0
    progress = (step - config.stable_steps) / config.decay_steps
    return max(0.0, 1.0 - math.sqrt(min(1.0, progress)))


def is_decaying(config: TrainingConfig, step: int) -> bool:
    """Whether the update after `step` updates belongs to the decay phase."""
    return config.decay_steps > 0 and step >= config.stable_steps


def last_step(config: TrainingConfig) -> int:
    """Updates of the whole run."""
    return config.stable_steps + config.decay_steps
