"""One block of audio: input into the ring, wake the model, outputs from the rings, clocks forward. Audio thread only.

The same functions serve JACK, PortAudio and the virtual clock; only where the samples come from and go to differs.
Never blocks, except under freewheel, where the host has said that it would rather wait than have a hole.
"""

from __future__ import annotations

import numpy as np
from numba import carray, njit

from rtsep.realtime import layout as at
from rtsep.realtime.atomics import (
    as_float32,
    as_int64,
    call_i32_of_i64,
    call_i32_of_u32,
    load_acquire,
    load_relaxed,
    store_relaxed,
    store_release,
)
from rtsep.realtime.mixer import render

_POLL_US = 20
_PATIENCE_US = 20_000_000  # a hop that takes longer than this under freewheel is given up and heard dry


@njit(nogil=True, error_model="numpy", cache=True)
def listen(ctx, ins, n):  # type: ignore[no-untyped-def]
    """Append n input frames to the ring and wake the model when a hop is complete. Ignored while a song's feeder writes the ring.

    Args:
        ctx: int64 context words.
        ins: `[CHANNELS, >= n]` float32; NaN and infinity enter as 0 and are counted.
        n: frames.
    """
    h = carray(as_int64(ctx[at.A_HEADER]), at.HEADER_WORDS)
    if h[at.PLAYING] != 0:
        return
    meters = carray(as_float32(ctx[at.A_METERS]), at.METERS)
    capacity = h[at.CAPACITY]
    source = carray(as_float32(ctx[at.A_INPUT]), (at.CHANNELS, capacity))
    start = h[at.IN_W]
    for c in range(at.CHANNELS):
        peak = load_relaxed(meters, at.OUTPUTS + c)
        for k in range(n):
            x = ins[c, k]
            if not np.isfinite(x):
                x = np.float32(0)
                h[at.BAD_INPUT] += 1
            source[c, (start + k) & (capacity - 1)] = x
            peak = max(peak, abs(x))
        store_relaxed(meters, at.OUTPUTS + c, peak)
    store_release(h, at.IN_W, start + n)
    if (start + n) // h[at.HOP] != start // h[at.HOP]:
        call_i32_of_i64(ctx[at.F_SEM_POST], ctx[at.A_HEADER] + 8 * at.WAKE)


@njit(nogil=True, error_model="numpy", cache=True)
def wait_for_model(ctx, n):  # type: ignore[no-untyped-def]
    """Under freewheel, wait until every hop that this block of n frames plays has been computed.

    The wait ends early if the model has been given up, the engine stops, or the patience is over.
    """
    h = carray(as_int64(ctx[at.A_HEADER]), at.HEADER_WORDS)
    if load_acquire(h, at.FREEWHEEL) == 0:
        return
    last = h[at.OUT_POS] + n - 1 - h[at.LATENCY]
    if last < 0:
        return
    if h[at.PLAYING] != 0 and load_relaxed(h, at.END) >= 0:
        last = min(last, load_relaxed(h, at.END) - 1)
    needed = (last + h[at.MODEL_LATENCY]) // h[at.HOP]
    waited = 0
    while load_acquire(h, at.NEXT_HOP) <= needed and waited < _PATIENCE_US:
        if load_relaxed(h, at.STOP) != 0 or load_relaxed(h, at.GIVEN_UP) != 0:
            return
        call_i32_of_u32(ctx[at.F_USLEEP], np.uint32(_POLL_US))
        waited += _POLL_US


@njit(nogil=True, error_model="numpy", cache=True)
def playable(ctx, n):  # type: ignore[no-untyped-def]
    """Frames of this block that exist: n live, fewer when a song's feeder is behind or the song ends."""
    h = carray(as_int64(ctx[at.A_HEADER]), at.HEADER_WORDS)
    if h[at.PLAYING] == 0:
        return n
    there = min(np.int64(n), max(np.int64(0), load_acquire(h, at.IN_W) - h[at.OUT_POS]))
    end = load_relaxed(h, at.END)
    if end >= 0:
        there = min(there, max(np.int64(0), end - h[at.OUT_POS]))
    if there < n and (end < 0 or h[at.OUT_POS] + there < end):
        h[at.STARVED] += n - there
    return there


@njit(nogil=True, error_model="numpy", cache=True)
def advance(ctx, outs, there, n):  # type: ignore[no-untyped-def]
    """Silence what could not be played, keep what was, move the output clock by it, count the block."""
    h = carray(as_int64(ctx[at.A_HEADER]), at.HEADER_WORDS)
    for c in range(at.OUTPUTS):
        for k in range(there, n):
            outs[c, k] = np.float32(0)
    played = carray(as_float32(ctx[at.A_PLAYED]), (at.OUTPUTS, at.PLAYED))
    start = h[at.OUT_POS]
    for c in range(at.OUTPUTS):
        for k in range(there):
            played[c, (start + k) & (at.PLAYED - 1)] = outs[c, k]
    store_release(h, at.OUT_POS, h[at.OUT_POS] + there)
    h[at.CYCLES] += 1
    h[at.LONGEST_BLOCK] = max(h[at.LONGEST_BLOCK], n)


@njit(nogil=True, error_model="numpy", cache=True)
def process(ctx, ins, outs, n):  # type: ignore[no-untyped-def]
    """One whole block without MIDI.

    Args:
        ctx: int64 context words.
        ins: `[CHANNELS, >= n]` float32, full scale ±1.
        outs: `[OUTPUTS, >= n]` float32, always filled.
        n: frames, up to `MAX_BLOCK`.
    """
    listen(ctx, ins, n)
    wait_for_model(ctx, n)
    there = playable(ctx, n)
    render(ctx, outs, 0, there)
    advance(ctx, outs, there, n)
