"""The master bus after the stems have been added up: limiter, meters, clip latch. Audio thread only.

The limiter delays nothing. Up to a knee it is not there at all; above, a peak x is aimed at

    y(x) = K + (C - K) u / (1 + u),   u = (x - K) / (C - K)

which leaves the knee K with slope 1 and approaches the ceiling C without reaching it. Both channels get the gain y(x) / x of
the louder one. The gain falls at once and recovers with a time constant of `RELEASE_MS`, so it follows the level and not the
wave; no output sample exceeds the ceiling. Worked example: K = 0.708 (-3 dB), C = 0.989 (-0.1 dB); x = 2 (+6 dB) gives u = 4.6
and y = 0.939.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from rtsep.realtime import layout as at
from rtsep.realtime.atomics import load_relaxed, store_relaxed

ZERO = np.float32(0)
ONE = np.float32(1)
HALF = np.float32(0.5)
KNEE = np.float32(0.7079)
CEILING = np.float32(0.9886)
RELEASE_MS = 80
_SETTLED = np.float32(1e-5)


@njit(nogil=True, error_model="numpy", cache=True)
def _limit(h, mixer, outs, first, last, on):  # type: ignore[no-untyped-def]
    keep = np.float32(1.0 - 1000.0 / (RELEASE_MS * h[at.RATE]))
    span = CEILING - KNEE
    reduction = mixer[at.M_REDUCTION]  # 1 - gain: near a gain of 1, float32 would swallow its last small steps
    for k in range(first, last):
        peak = max(abs(outs[0, k]), abs(outs[1, k]))
        aimed = ZERO
        if on and peak > KNEE:
            over = (peak - KNEE) / span
            aimed = ONE - (KNEE + span * (over / (ONE + over))) / peak
        reduction = max(aimed, reduction * keep)
        if reduction < _SETTLED:
            reduction = ZERO
        outs[0, k] *= ONE - reduction
        outs[1, k] *= ONE - reduction
    mixer[at.M_REDUCTION] = reduction


@njit(nogil=True, error_model="numpy", cache=True)
def _meter(h, meters, outs, first, last):  # type: ignore[no-untyped-def]
    """Raise the peak meters to what was played, and latch what reached full scale."""
    for channel in range(at.OUTPUTS):
        peak = load_relaxed(meters, channel)
        highest = ZERO
        for k in range(first, last):
            highest = max(highest, abs(outs[channel, k]))
        if highest >= ONE:
            h[at.CLIPPED] |= 1 << channel
        store_relaxed(meters, channel, max(peak, highest))


@njit(nogil=True, error_model="numpy", cache=True)
def finish(h, params, mixer, meters, outs, first, last):  # type: ignore[no-untyped-def]
    """Limit and meter block frames [first, last) of `outs` `[OUTPUTS, block]`; only the mix is limited, never a stem."""
    on = load_relaxed(params, at.LIMITER) > HALF
    if on or mixer[at.M_REDUCTION] > ZERO:  # switched off while at work, it recovers first
        _limit(h, mixer, outs, first, last, on)
    store_relaxed(meters, at.LIMITER_GAIN, ONE - mixer[at.M_REDUCTION])
    _meter(h, meters, outs, first, last)
