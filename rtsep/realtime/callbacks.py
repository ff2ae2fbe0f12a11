"""The functions that JACK and PortAudio call: C functions by Numba, which never touch the interpreter.

Channel buffers are copied through two scratch arrays, so that the mixer sees plain `[channels, frames]` whatever the host's
layout.
"""

from __future__ import annotations

import numpy as np
from numba import carray, cfunc, njit, types

from rtsep.realtime import layout as at
from rtsep.realtime.atomics import (
    as_float32,
    as_int64,
    as_uint8,
    call_i32_of_i64_i64_u32,
    call_i64_of_i64_u32,
    call_u32_of_i64,
    flush_to_zero,
    restore_float_mode,
)
from rtsep.realtime.block import advance, listen, playable, process, wait_for_model
from rtsep.realtime.midi import is_whole, receive
from rtsep.realtime.mixer import render
from rtsep.realtime.two_clocks import WORDS as BRIDGE_WORDS
from rtsep.realtime.two_clocks import deliver

_SCRATCH = (at.CHANNELS + at.OUTPUTS, at.MAX_BLOCK)
SCRATCH_FLOATS = _SCRATCH[0] * _SCRATCH[1] + 8
"""Scratch memory in float32: inputs, outputs, and one MIDI event."""


@njit(nogil=True, error_model="numpy", cache=True)
def _channel(ctx, word):  # type: ignore[no-untyped-def]
    return carray(as_float32(ctx[word]), at.MAX_BLOCK)


@njit(nogil=True, error_model="numpy", cache=True)
def _jack_block(ctx, n):  # type: ignore[no-untyped-def]
    """Read ports, play with every MIDI event taking effect at its own frame, write ports."""
    scratch = carray(as_float32(ctx[at.A_SCRATCH]), _SCRATCH)
    ins, outs = scratch[: at.CHANNELS], scratch[at.CHANNELS :]
    for c in range(at.CHANNELS):
        ctx[at.IN_BUFFERS + c] = call_i64_of_i64_u32(ctx[at.F_PORT_BUFFER], ctx[at.IN_PORTS + c], np.uint32(n))
        port = _channel(ctx, at.IN_BUFFERS + c)
        for k in range(n):
            ins[c, k] = port[k]
    listen(ctx, ins, n)
    wait_for_model(ctx, n)
    there = playable(ctx, n)
    done = np.int64(0)
    event_address = ctx[at.A_SCRATCH] + 4 * (_SCRATCH[0] * _SCRATCH[1])
    midi = call_i64_of_i64_u32(ctx[at.F_PORT_BUFFER], ctx[at.P_MIDI], np.uint32(n))
    for i in range(call_u32_of_i64(ctx[at.F_MIDI_COUNT], midi)):
        if call_i32_of_i64_i64_u32(ctx[at.F_MIDI_GET], event_address, midi, np.uint32(i)) != 0:
            continue
        event = carray(as_int64(event_address), 3)  # jack_midi_event_t: uint32 time, size_t size, pointer to bytes
        if event[1] < 2 or not is_whole(np.int64(carray(as_uint8(event[2]), 1)[0]), event[1]):
            continue
        frame = min(np.int64(event[0] & 0xFFFFFFFF), there)
        if frame > done:
            render(ctx, outs, done, frame)
            done = frame
        data = carray(as_uint8(event[2]), 3)
        receive(ctx, np.int64(data[0]), np.int64(data[1]), np.int64(data[2]) if event[1] == 3 else 0)
    if there > done:
        render(ctx, outs, done, there)
    advance(ctx, outs, there, n)
    for c in range(at.OUTPUTS):
        ctx[at.OUT_BUFFERS + c] = call_i64_of_i64_u32(ctx[at.F_PORT_BUFFER], ctx[at.OUT_PORTS + c], np.uint32(n))
        port = _channel(ctx, at.OUT_BUFFERS + c)
        for k in range(n):
            port[k] = outs[c, k]


@cfunc(types.int32(types.uint32, types.CPointer(types.int64)), error_model="numpy", cache=True)
def jack_process(n, context):  # type: ignore[no-untyped-def]
    """JackProcessCallback; the argument is the address of the context."""
    ctx = carray(context, at.CONTEXT_WORDS)
    saved = flush_to_zero()
    if n <= at.MAX_BLOCK:
        _jack_block(ctx, np.int64(n))
    restore_float_mode(saved)
    return np.int32(0)


@njit(nogil=True, error_model="numpy", cache=True)
def _interleave(ctx, outs, played, start, n):  # type: ignore[no-untyped-def]
    """Put n frames of every output on its channel of the device; a device with one channel gets the mean of left and right."""
    wide = ctx[at.OUT_CHANNELS]
    if wide == 1:
        for k in range(n):
            played[start + k] = np.float32(0.5) * (outs[0, k] + outs[1, k])
        return
    for k in range(start * wide, (start + n) * wide):
        played[k] = np.float32(0)
    for c in range(at.OUTPUTS):
        channel = ctx[at.OUT_MAP + c]
        if channel >= 0:
            for k in range(n):
                played[(start + k) * wide + channel] = outs[c, k]


@cfunc(
    types.int32(
        types.CPointer(types.float32),
        types.CPointer(types.float32),
        types.uint64,
        types.CPointer(types.float64),
        types.uint64,
        types.CPointer(types.int64),
    ),
    error_model="numpy",
    cache=True,
)
def portaudio_process(source, sink, frames, _times, flags, context):  # type: ignore[no-untyped-def]
    """PaStreamCallback for interleaved float32; the channel maps say what is heard and played where."""
    ctx = carray(context, at.CONTEXT_WORDS)
    saved = flush_to_zero()
    h = carray(as_int64(ctx[at.A_HEADER]), at.HEADER_WORDS)
    if flags & 0x0F:  # input or output, underflow or overflow; priming is no loss
        h[at.XRUNS] += 1
    scratch = carray(as_float32(ctx[at.A_SCRATCH]), _SCRATCH)
    ins, outs = scratch[: at.CHANNELS], scratch[at.CHANNELS :]
    wide_in, wide_out = ctx[at.IN_CHANNELS], ctx[at.OUT_CHANNELS]
    total = np.int64(frames)
    heard = carray(source, max(1, total * wide_in))
    played = carray(sink, max(1, total * wide_out))
    start = np.int64(0)
    while start < total:
        n = min(total - start, np.int64(at.MAX_BLOCK))
        if ctx[at.A_BRIDGE] != 0:
            deliver(carray(as_int64(ctx[at.A_BRIDGE]), BRIDGE_WORDS), ins, n)
        else:
            for c in range(at.CHANNELS):
                for k in range(n):
                    ins[c, k] = heard[(start + k) * wide_in + ctx[at.IN_MAP + c]] if wide_in > 0 else np.float32(0)
        process(ctx, ins, outs, n)
        _interleave(ctx, outs, played, start, n)
        start += n
    restore_float_mode(saved)
    return np.int32(0)
