"""Utterance SDR: how far a separated stem is from the true one, as one number in dB over the whole excerpt.

    SDR = 10 log10( (Σ s² + δ) / (Σ (s - ŝ)² + δ) )        sums over channels and frames, δ = 1e-7

This is the metric of the Music Demixing Challenge (Mitsufuji et al., "Music Demixing Challenge 2021",
Frontiers in Signal Processing 2022, eq. 1; "nSDR" or "uSDR" elsewhere). It allows no gain or filter between
estimate and truth, unlike BSSEval, so it costs nothing to compute and cannot be flattered by scaling. δ only
bounds the score of silence: a perfect estimate scores high, not infinite.

Worked example: an estimate with a tenth of the true amplitude missing has an error of s/10, so 20 dB.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

DELTA = 1e-7
"""Energy that keeps the ratio finite where the reference or the error is silence."""

Signal = NDArray[np.floating]
"""`[channels, frames]`, full scale ±1."""


def utterance_sdr(reference: Signal, estimate: Signal) -> float:
    """Signal-to-distortion ratio of a whole excerpt, in dB.

    Args:
        reference: the true stem, `[channels, frames]`.
        estimate: the separated stem, same shape and aligned to the frame.

    Returns:
        dB; 0 for silence as the estimate, negative for an estimate worse than silence.

    Raises:
        ValueError: the shapes differ.
    """
    if reference.shape != estimate.shape:
        raise ValueError(f"reference is {reference.shape} but estimate is {estimate.shape}")
    truth = reference.astype(np.float64)
    error = truth - estimate
    return float(10.0 * np.log10((np.sum(truth * truth) + DELTA) / (np.sum(error * error) + DELTA)))


def gain_over_mix(reference: Signal, estimate: Signal, mix: Signal) -> float:
    """Return by how many dB the estimate's SDR exceeds that of the unseparated mix taken as the estimate."""
    return utterance_sdr(reference, estimate) - utterance_sdr(reference, mix)
