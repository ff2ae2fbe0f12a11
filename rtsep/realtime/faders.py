"""What faders, switches and knobs make of a stem: four coefficients, which ramp. Audio thread only.

A stem with channels l and r is heard as

    L = SAME_L l + CROSS_L r        R = SAME_R r + CROSS_R l

With gain g, width w and balance p, mid and side are (l + r) / 2 and w (l - r) / 2, and each channel is then turned down away
from the pan: b_L = min(1, 1 - p), b_R = min(1, 1 + p). Hence SAME = g b (1 + w) / 2 and CROSS = g b (1 - w) / 2. At w = 1 and
p = 0 they are exactly g and 0, so that unity stays unity to the last bit.

g is the product of the stem's fader, its group's fader, the master and the karaoke fader, or 0 when muted or not among those
soloed. Karaoke at k turns the vocals down by (1 - k)^2 and the rest up by `KARAOKE_LIFT` at k = 1: the vocals carry about 30 %
of the power of a pop mix, and 1 / sqrt(1 - 0.3) is what keeps its loudness.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from rtsep.realtime import layout as at
from rtsep.realtime.atomics import load_relaxed
from rtsep.stems import STEMS

ZERO = np.float32(0)
ONE = np.float32(1)
HALF = np.float32(0.5)
VOCALS = STEMS.index("vocals")
KARAOKE_LIFT = np.float32(1.1952)


@njit(nogil=True, error_model="numpy", cache=True)
def _stem_gain(params, s, soloed):  # type: ignore[no-untyped-def]
    if load_relaxed(params, at.MUTE + s) > HALF or (soloed and load_relaxed(params, at.SOLO + s) < HALF):
        return ZERO
    gain = load_relaxed(params, at.GAIN + s) * load_relaxed(params, at.MASTER)
    group = np.int64(load_relaxed(params, at.GROUP + s))
    if group >= 1 and group <= at.GROUPS:
        if load_relaxed(params, at.GROUP_MUTE + group - 1) > HALF:
            return ZERO
        gain *= load_relaxed(params, at.GROUP_GAIN + group - 1)
    k = load_relaxed(params, at.KARAOKE)
    if k > ZERO:
        gain *= (ONE - k) * (ONE - k) if s == VOCALS else ONE + k * (KARAOKE_LIFT - ONE)
    return gain


@njit(nogil=True, error_model="numpy", cache=True)
def _aim(mixer, counts, counter, coefficient, goal, ramp):  # type: ignore[no-untyped-def]
    """Head for a new value of one coefficient; coefficients that share a counter arrive together."""
    if counts[at.C_STARTED] == 0:
        mixer[at.M_VALUE + coefficient] = goal
        mixer[at.M_GOAL + coefficient] = goal
        mixer[at.M_STEP + coefficient] = ZERO
    elif goal != mixer[at.M_GOAL + coefficient]:
        mixer[at.M_GOAL + coefficient] = goal
        counts[counter] = ramp


@njit(nogil=True, error_model="numpy", cache=True)
def _set_steps(mixer, counts, counter, coefficient, ramp):  # type: ignore[no-untyped-def]
    if counts[counter] == ramp:
        mixer[at.M_STEP + coefficient] = (mixer[at.M_GOAL + coefficient] - mixer[at.M_VALUE + coefficient]) / np.float32(ramp)


@njit(nogil=True, error_model="numpy", cache=True)
def aim(h, params, mixer, counts):  # type: ignore[no-untyped-def]
    """Start a ramp wherever the parameters say something new."""
    soloed = False
    for s in range(at.SLOTS):
        soloed = soloed or load_relaxed(params, at.SOLO + s) > HALF
    ramp = max(1, h[at.RATE] * at.RAMP_MS // 1000)
    for s in range(at.SLOTS):
        gain = _stem_gain(params, s, soloed)
        width, pan = load_relaxed(params, at.WIDTH + s), load_relaxed(params, at.PAN + s)
        for c in range(at.CHANNELS):
            side = gain * min(ONE, ONE - pan if c == 0 else ONE + pan)
            _aim(mixer, counts, at.C_RAMP + s, at.SAME + 2 * s + c, side * ((ONE + width) * HALF), ramp)
            _aim(mixer, counts, at.C_RAMP + s, at.CROSS + 2 * s + c, side * ((ONE - width) * HALF), ramp)
        for c in range(at.CHANNELS):
            _set_steps(mixer, counts, at.C_RAMP + s, at.SAME + 2 * s + c, ramp)
            _set_steps(mixer, counts, at.C_RAMP + s, at.CROSS + 2 * s + c, ramp)
    wet = load_relaxed(params, at.BLEND)
    _aim(mixer, counts, at.C_BLEND_RAMP, at.BLEND_WET, wet, ramp)
    _aim(mixer, counts, at.C_BLEND_RAMP, at.BLEND_DRY, (ONE - wet) * load_relaxed(params, at.MASTER), ramp)
    _set_steps(mixer, counts, at.C_BLEND_RAMP, at.BLEND_WET, ramp)
    _set_steps(mixer, counts, at.C_BLEND_RAMP, at.BLEND_DRY, ramp)


@njit(nogil=True, error_model="numpy", cache=True)
def _step(mixer, coefficient, arrived):  # type: ignore[no-untyped-def]
    if arrived:
        mixer[at.M_VALUE + coefficient] = mixer[at.M_GOAL + coefficient]
    else:
        mixer[at.M_VALUE + coefficient] += mixer[at.M_STEP + coefficient]


@njit(nogil=True, error_model="numpy", cache=True)
def ramp_on(mixer, counts):  # type: ignore[no-untyped-def]
    """Move every ramping coefficient by one frame; the last step lands exactly on the goal."""
    for s in range(at.SLOTS):
        if counts[at.C_RAMP + s] > 0:
            counts[at.C_RAMP + s] -= 1
            for c in range(at.CHANNELS):
                _step(mixer, at.SAME + 2 * s + c, counts[at.C_RAMP + s] == 0)
                _step(mixer, at.CROSS + 2 * s + c, counts[at.C_RAMP + s] == 0)
    if counts[at.C_BLEND_RAMP] > 0:
        counts[at.C_BLEND_RAMP] -= 1
        _step(mixer, at.BLEND_WET, counts[at.C_BLEND_RAMP] == 0)
        _step(mixer, at.BLEND_DRY, counts[at.C_BLEND_RAMP] == 0)


@njit(nogil=True, error_model="numpy", cache=True)
def ramping(counts):  # type: ignore[no-untyped-def]
    """Frames left of the ramps, added up; 0 when all is still."""
    left = counts[at.C_BLEND_RAMP]
    for s in range(at.SLOTS):
        left += counts[at.C_RAMP + s]
    return left


@njit(nogil=True, error_model="numpy", cache=True)
def loudest(mixer):  # type: ignore[no-untyped-def]
    """Gain of the dry mix while there are no stems: that of the loudest fader (SAME + CROSS takes the width out again)."""
    gain = ZERO
    for row in range(at.SLOTS * at.CHANNELS):
        gain = max(gain, mixer[at.M_VALUE + at.SAME + row] + mixer[at.M_VALUE + at.CROSS + row])
    return gain
