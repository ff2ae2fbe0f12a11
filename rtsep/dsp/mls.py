"""Delay by maximum-length sequence: noise of ±1 whose circular autocorrelation is a single spike.

Cross-correlating what came back with what was sent gives the impulse response of the loop, whatever its level, and noise
spreads over all of it (Rife and Vanderkooy, JAES 37, 1989). The largest peak is the delay; how far it stands above the rest says
how sure that is.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_TAPS = {10: (10, 7), 13: (13, 12, 11, 8), 15: (15, 14), 16: (16, 15, 13, 4), 17: (17, 14), 18: (18, 11)}
"""Feedback taps of primitive polynomials by order."""


class Delay(NamedTuple):
    """Where a sequence was found."""

    frames: int
    gain: float
    """Of the loop, negative if it inverts."""
    margin_db: float
    """Level of the peak over the largest value that is not part of it."""


def sequence(order: int) -> NDArray[np.float32]:
    """Return the 2^order - 1 values ±1 of a maximum-length sequence.

    Args:
        order: one of 10, 13, 15, 16, 17, 18.
    """
    register = (1 << order) - 1
    values = np.empty((1 << order) - 1, np.float32)
    for k in range(len(values)):
        values[k] = 1.0 if register & 1 else -1.0
        feedback = 0
        for tap in _TAPS[order]:
            feedback ^= register >> (order - tap)
        register = register >> 1 | (feedback & 1) << (order - 1)
    return values


def find(recorded: NDArray[np.float32], sent: NDArray[np.float32], *, neighbourhood: int = 32) -> Delay:
    """Find a sequence that was sent over and over again.

    Args:
        recorded: one whole period of what came back, `[len(sent)]`; frame 0 was recorded while frame 0 was sent.
        sent: one period.
        neighbourhood: frames around the peak that belong to it, as converters ring.

    Returns:
        The delay, from 0 up to one frame less than a period.
    """
    period = len(sent)
    response = np.fft.irfft(np.fft.rfft(recorded) * np.conj(np.fft.rfft(sent)), period) / float(np.dot(sent, sent))
    peak = int(np.argmax(np.abs(response)))
    gain = float(response[peak])
    distance = np.minimum((np.arange(period) - peak) % period, (peak - np.arange(period)) % period)
    rest = float(np.abs(response[distance > neighbourhood]).max())
    return Delay(peak, gain, 20.0 * float(np.log10(max(abs(gain), 1e-12) / max(rest, 1e-12))))
