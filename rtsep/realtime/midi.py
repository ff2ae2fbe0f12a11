"""MIDI messages to parameters, in compiled code: the JACK callback and the MIDI port thread call the same function.

A map `[kind, channel, number]` names the first of a chain of bindings, or -1. A binding says which parameter, what to do with it,
and which curve turns the 7-bit value into the parameter's unit. One message may move many parameters, many messages one.
Any thread; every write is one atomic store, so the last message wins.
"""

from __future__ import annotations

import numpy as np
from numba import carray, njit

from rtsep.realtime import layout as at
from rtsep.realtime.atomics import as_float32, as_int32, as_int64, load_relaxed, store_relaxed


@njit(nogil=True, error_model="numpy", cache=True)
def receive(ctx, status, number, value):  # type: ignore[no-untyped-def]
    """Apply one three-byte channel message.

    Args:
        ctx: int64 context words.
        status: first byte, 0x80 … 0xEF.
        number: controller or note, 0 … 127.
        value: value or velocity, 0 … 127.
    """
    message = status & 0xF0
    if message == 0xB0:
        kind = 0
    elif message == 0x90 and value > 0:
        kind = 1
    elif message == 0x80 or message == 0x90:
        kind = 2
    else:
        return
    h = carray(as_int64(ctx[at.A_HEADER]), at.HEADER_WORDS)
    params = carray(as_float32(ctx[at.A_PARAMS]), at.PARAMS)
    starts = carray(as_int32(ctx[at.A_MIDI_MAP]), (at.MIDI_KINDS, 16, 128))
    bindings = carray(as_int32(ctx[at.A_BINDINGS]), (at.BINDINGS, 4))
    curves = carray(as_float32(ctx[at.A_CURVES]), (at.BINDINGS, 128))
    b = starts[kind, status & 0x0F, number & 0x7F]
    if b >= 0:
        h[at.MIDI_EVENTS] += 1
    pressed = kind == 1 or (kind == 0 and value >= 64)
    while b >= 0:
        param = bindings[b, at.B_PARAM]
        action = bindings[b, at.B_ACTION]
        if action == at.ACT_SET:
            store_relaxed(params, param, curves[bindings[b, at.B_CURVE], value & 0x7F])
        elif action == at.ACT_HOLD:
            store_relaxed(params, param, np.float32(pressed))
        elif action == at.ACT_TOGGLE and pressed:
            store_relaxed(params, param, np.float32(1) - load_relaxed(params, param))
        b = bindings[b, at.B_NEXT]
