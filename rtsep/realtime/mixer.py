"""From rings to outputs: gains with ramps, the fall-back to dry, and smoothing of every jump. Audio thread only.

Output frame t plays the separated frame tau = t - L. It lies in hop j = floor((tau + m) / H), where m is the model's latency
and H its hop, and it may be played if hop j was published. Otherwise the frame is *dry*: the input frame tau, which is still
in the input ring, at the gain of the loudest fader (so what a player has muted altogether stays silent).

Stems to dry happens without warning: the stem that should be faded out is what is missing. So nothing is faded; the jump
between the last frame and the dry one is added back and decays over `FADE` frames. With all faders at unity stems and dry are
the same signal and the jump is zero. Dry to stems waits for `HOLD_MS` of uninterrupted stems, then cross-fades with equal
*gain*: both carry the same music, so an equal-power fade would bulge by 3 dB.

Each output stem is heard after its fader, pan and width (`rtsep.realtime.faders`); the mix is the sum of the stems at every
frame, also when dry, blended with the aligned input and limited (`rtsep.realtime.bus`) if the player wants. It is added up from
the last slot to the first: halves, quarters and eighths of a sample (the `passthrough` model) then give back the sample to the
last bit.

Worked example, H = 1024, m = 1024, L = 3072: at t = 5000, tau = 1928 and j = floor(2952 / 1024) = 2, the hop of input frames
2048 … 3071, whose output covers frames 1024 … 2047.
"""

from __future__ import annotations

import numpy as np
from numba import carray, njit

from rtsep.realtime import layout as at
from rtsep.realtime.atomics import as_float32, as_int64, load_acquire, load_relaxed, store_relaxed
from rtsep.realtime.bus import finish
from rtsep.realtime.faders import aim, loudest, ramp_on, ramping
from rtsep.realtime.restart import notice_restart, rise

ZERO = np.float32(0)
ONE = np.float32(1)


@njit(nogil=True, error_model="numpy", cache=True)
def _heard(mixer, stems, row, p):  # type: ignore[no-untyped-def]
    """One stem, one channel, at ring position p, after its fader, pan and width."""
    return mixer[at.M_VALUE + at.SAME + row] * stems[row, p] + mixer[at.M_VALUE + at.CROSS + row] * stems[row ^ 1, p]


@njit(nogil=True, error_model="numpy", cache=True)
def _smooth_from_here(mixer, counts, source, stems, share, before):  # type: ignore[no-untyped-def]
    """Remember how far the last output is from what the new path would have played at ring position `before`."""
    wet = mixer[at.M_WET]
    dry = (ONE - wet) * loudest(mixer)
    for s in range(at.SLOTS):
        for c in range(at.CHANNELS):
            row = 2 * s + c
            path = dry * share[s] * source[c, before]
            if wet > ZERO:
                path += wet * _heard(mixer, stems, row, before)
            mixer[at.M_OFFSET + row] = mixer[at.M_LAST + row] - path
    for c in range(at.CHANNELS):
        blended = mixer[at.M_VALUE + at.BLEND_DRY] * source[c, before]
        mixer[at.M_BUS_OFFSET + c] = mixer[at.M_BUS_LAST + c] - blended
    counts[at.C_OFFSET] = at.FADE


@njit(nogil=True, error_model="numpy", cache=True)
def _play_steady(mixer, source, stems, outs, first, last, tau, mask):  # type: ignore[no-untyped-def]
    """The usual case of `_play_run`, sample for sample the same, a fifth of the time."""
    wet, dry = mixer[at.M_VALUE + at.BLEND_WET], mixer[at.M_VALUE + at.BLEND_DRY]
    for c in range(at.CHANNELS):
        for k in range(first, last):
            outs[c, k] = ZERO
        for s in range(at.SLOTS - 1, -1, -1):
            row = 2 * s + c
            same, cross = mixer[at.M_VALUE + at.SAME + row], mixer[at.M_VALUE + at.CROSS + row]
            for k in range(first, last):
                p = (tau + k - first) & mask
                value = same * stems[row, p]
                if cross != ZERO:
                    value += cross * stems[row ^ 1, p]
                outs[2 + row, k] = value
                outs[c, k] += value
            mixer[at.M_LAST + row] = outs[2 + row, last - 1]
        if dry != ZERO or wet != ONE:
            for k in range(first, last):
                outs[c, k] = wet * outs[c, k] + dry * source[c, (tau + k - first) & mask]
        mixer[at.M_BUS_LAST + c] = dry * source[c, (tau + last - 1 - first) & mask]


@njit(nogil=True, error_model="numpy", cache=True)
def _play_run(h, mixer, counts, source, stems, share, outs, present, first, last, tau):  # type: ignore[no-untyped-def]
    """Render block frames [first, last) from separated frames tau …, which all lie in one hop."""
    mask = h[at.CAPACITY] - 1
    if not present and mixer[at.M_WET] > ZERO:
        mixer[at.M_WET] = ZERO
        _smooth_from_here(mixer, counts, source, stems, share, (tau - 1) & mask)
        counts[at.C_HOLD] = h[at.RATE] * at.HOLD_MS // 1000
    if not present:
        h[at.DRY_FRAMES] += last - first
    if present and mixer[at.M_WET] == ONE and counts[at.C_OFFSET] == 0 and ramping(counts) == 0:
        _play_steady(mixer, source, stems, outs, first, last, tau, mask)
        return
    fade_step = ONE / np.float32(at.FADE)
    for k in range(first, last):
        p = (tau + k - first) & mask
        ramp_on(mixer, counts)
        if present and mixer[at.M_WET] < ONE:
            if counts[at.C_HOLD] > 0:
                counts[at.C_HOLD] -= 1
            else:
                mixer[at.M_WET] = min(ONE, mixer[at.M_WET] + fade_step)
            h[at.DRY_FRAMES] += 1
        smoothing = ZERO
        if counts[at.C_OFFSET] > 0:
            counts[at.C_OFFSET] -= 1
            smoothing = np.float32(counts[at.C_OFFSET]) * fade_step
        wet = mixer[at.M_WET]
        dry = (ONE - wet) * loudest(mixer)
        for c in range(at.CHANNELS):
            mix = ZERO
            for s in range(at.SLOTS - 1, -1, -1):
                row = 2 * s + c
                value = _heard(mixer, stems, row, p) * wet if wet > ZERO else ZERO
                if smoothing > ZERO:
                    value += mixer[at.M_OFFSET + row] * smoothing
                mix += value
                value += dry * share[s] * source[c, p]
                mixer[at.M_LAST + row] = value
                outs[2 + row, k] = value
            blended = mixer[at.M_VALUE + at.BLEND_DRY] * source[c, p]
            if smoothing > ZERO:
                blended += mixer[at.M_BUS_OFFSET + c] * smoothing
            mixer[at.M_BUS_LAST + c] = blended
            outs[c, k] = mixer[at.M_VALUE + at.BLEND_WET] * (mix + dry * source[c, p]) + blended


@njit(nogil=True, error_model="numpy", cache=True)
def render(ctx, outs, first, last):  # type: ignore[no-untyped-def]
    """Fill block frames [first, last) of every output.

    Args:
        ctx: int64 context words.
        outs: `[OUTPUTS, block]` float32, filled completely in that range.
        first: first frame of the range within this block.
        last: frame after the range.
    """
    h = carray(as_int64(ctx[at.A_HEADER]), at.HEADER_WORDS)
    tags = carray(as_int64(ctx[at.A_TAGS]), at.TAGS)
    params = carray(as_float32(ctx[at.A_PARAMS]), at.PARAMS)
    meters = carray(as_float32(ctx[at.A_METERS]), at.METERS)
    mixer = carray(as_float32(ctx[at.A_MIXER]), at.MIXER_FLOATS)
    counts = carray(as_int64(ctx[at.A_COUNTS]), at.MIXER_COUNTS)
    capacity = h[at.CAPACITY]
    source = carray(as_float32(ctx[at.A_INPUT]), (at.CHANNELS, capacity))
    stems = carray(as_float32(ctx[at.A_STEMS]), (at.CHANNELS * at.SLOTS, capacity))

    share = np.float32(0)
    for s in range(at.SLOTS):
        share += np.float32(h[at.STEM_MASK] >> s & 1)
    shares = (
        np.float32(h[at.STEM_MASK] & 1) / share,
        np.float32(h[at.STEM_MASK] >> 1 & 1) / share,
        np.float32(h[at.STEM_MASK] >> 2 & 1) / share,
        np.float32(h[at.STEM_MASK] >> 3 & 1) / share,
    )
    aim(h, params, mixer, counts)
    notice_restart(h, counts, first)
    latency = load_relaxed(h, at.LATENCY)
    origin = h[at.OUT_POS] - latency
    if counts[at.C_STARTED] == 0:
        counts[at.C_LATENCY] = latency
        counts[at.C_LATE_HOP] = -1
        mixer[at.M_WET] = ONE
    elif counts[at.C_LATENCY] != latency:
        counts[at.C_LATENCY] = latency
        _smooth_from_here(mixer, counts, source, stems, shares, (origin + first - 1) & (capacity - 1))
    counts[at.C_STARTED] = 1

    hop = h[at.HOP]
    shift = h[at.MODEL_LATENCY]
    epoch = load_relaxed(h, at.EPOCH)
    k = first
    while k < last:
        tau = origin + k
        if tau < 0:  # before the music began: silence, which every model has separated already
            end = min(last, k - tau)
            _play_run(h, mixer, counts, source, stems, shares, outs, True, k, end, tau)
            k = end
            continue
        j = (tau + shift) // hop
        end = min(last, k + (j + 1) * hop - shift - tau)
        present = load_acquire(tags, j & (at.TAGS - 1)) == (epoch << 40 | j + 1)
        owed = load_relaxed(h, at.READY) == epoch and j >= load_relaxed(h, at.FIRST_HOP)
        if not present and owed and counts[at.C_LATE_HOP] != j:
            counts[at.C_LATE_HOP] = j
            h[at.LATE_HOPS] += 1
        _play_run(h, mixer, counts, source, stems, shares, outs, present, k, end, tau)
        if not present and load_relaxed(h, at.READY) != epoch:
            counts[at.C_HOLD] = 0  # the model is still loading: its first stems need not prove themselves
        k = end
    rise(h, counts, outs, first, last, origin + first)
    finish(h, params, mixer, meters, outs, first, last)
    store_relaxed(h, at.SEPARATED, np.int64(mixer[at.M_WET] > ZERO))
