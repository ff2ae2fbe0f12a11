"""MIDI messages to parameters, in compiled code: the JACK callback and the MIDI port threads call the same function.

A map `[kind, channel, number]` names the first of a chain of bindings, or -1; row 16 holds the bindings of any channel. A binding
says which parameter, what to do with it, and which curve turns a position 0 … 127 into the parameter's raw value. Positions are
fractions where the message has 14 bits, and the curve is read between its points. One message may move many parameters, many
messages one. Every write is one atomic store, so the last message wins.

Pairs: controller n < 32 is the coarse half of controller n + 32, and a new coarse half sets the fine one to 0 (MIDI 1.0). An NRPN
is chosen by controllers 99 and 98 and moved by 6 and 38; an RPN (101, 100) ends the choice.

What is held is let go by its own release, whatever layer is on by then; a key's release has the row after its press.

Take-over, for controllers without motors, in positions:

* jump: the parameter goes where the controller is;
* pickup: it stays until the controller has reached it (within `NEAR`, or by passing it), and from then on until something else
  moves it;
* scale: it moves by a share of the way left in that direction, so both arrive at the end together and stay together from there.
"""

from __future__ import annotations

import numpy as np
from numba import carray, njit

from rtsep.realtime import layout as at
from rtsep.realtime.atomics import as_float32, as_int32, as_int64, load_relaxed, store_relaxed, store_release

NEAR = np.float32(3)
TOP = np.float32(127)
ZERO = np.float32(0)
ONE = np.float32(1)
_NO_NUMBER = -1
_TO_POSITION = np.float32(127 / 16383)


@njit(nogil=True, error_model="numpy", cache=True)
def curve_at(curve, position):  # type: ignore[no-untyped-def]
    """Raw value at a position, read linearly between the 128 points of `curve`; exact at whole positions."""
    position = min(max(position, ZERO), TOP)
    below = np.int64(position)
    if below >= 127:
        return curve[127]
    share = position - np.float32(below)
    return curve[below] if share == ZERO else curve[below] + share * (curve[below + 1] - curve[below])


@njit(nogil=True, error_model="numpy", cache=True)
def position_of(curve, raw):  # type: ignore[no-untyped-def]
    """Inverse of `curve_at` for a curve that only rises or only falls; ends are held."""
    rising = curve[127] >= curve[0]
    low, high = 0, 127
    while high - low > 1:
        middle = (low + high) // 2
        if (curve[middle] <= raw) == rising:
            low = middle
        else:
            high = middle
    span = curve[high] - curve[low]
    if span == ZERO:
        return np.float32(low)
    return np.float32(low) + min(max((raw - curve[low]) / span, ZERO), ONE)


@njit(nogil=True, error_model="numpy", cache=True)
def _ticks(action, value):  # type: ignore[no-untyped-def]
    """Signed steps of an endless encoder in one of its three encodings."""
    if action == at.ACT_TWOS:
        return value if value < 64 else value - 128
    if action == at.ACT_OFFSET:
        return value - 64
    return value if value < 64 else 64 - value


@njit(nogil=True, error_model="numpy", cache=True)
def _follow(takeover, state, curve, present, position):  # type: ignore[no-untyped-def]
    """Where a controller at `position` puts a parameter that stands at raw `present`; NaN to leave it alone."""
    before = state[at.S_POSITION]
    if takeover == at.TAKE_JUMP or state[at.S_WRITTEN] == present:
        together = takeover != at.TAKE_SCALE or state[at.S_HOOKED] > ZERO
        if together:
            return curve_at(curve, position)
    stands = position_of(curve, present)
    passed = before >= ZERO and (before - stands) * (position - stands) <= ZERO
    if abs(stands - position) <= NEAR or (takeover == at.TAKE_PICKUP and passed):
        state[at.S_HOOKED] = ONE
        return curve_at(curve, position)
    state[at.S_HOOKED] = ZERO
    if takeover == at.TAKE_PICKUP or before < ZERO or before == position:
        return np.float32(np.nan)
    if position > before:
        return curve_at(curve, stands + (TOP - stands) * (position - before) / (TOP - before))
    return curve_at(curve, stands - stands * (before - position) / before)


@njit(nogil=True, error_model="numpy", cache=True)
def _solo_only(params, word):  # type: ignore[no-untyped-def]
    alone = load_relaxed(params, word) > ZERO
    for s in range(at.SLOTS):
        alone = alone and (at.SOLO + s == word or load_relaxed(params, at.SOLO + s) == ZERO)
    for s in range(at.SLOTS):
        store_relaxed(params, at.SOLO + s, ONE if at.SOLO + s == word and not alone else ZERO)


@njit(nogil=True, error_model="numpy", cache=True)
def _act(ctx, params, binding, state, curve, position, pressed, value):  # type: ignore[no-untyped-def]
    """Do what one binding says."""
    word, action = binding[at.B_PARAM], binding[at.B_ACTION]
    if action == at.ACT_SET:
        raw = _follow(binding[at.B_TAKEOVER], state, curve, load_relaxed(params, word), position)
        state[at.S_POSITION] = position
        if raw == raw:  # not NaN
            state[at.S_WRITTEN] = raw
            store_relaxed(params, word, raw)
    elif action == at.ACT_TWOS or action == at.ACT_OFFSET or action == at.ACT_SIGN:
        stands = position_of(curve, load_relaxed(params, word))
        moved = np.float32(_ticks(action, value)) * state[at.S_STEP]
        store_relaxed(params, word, curve_at(curve, stands + moved))
    elif action == at.ACT_HOLD:
        store_relaxed(params, word, curve[127] if pressed else curve[0])
    elif action == at.ACT_TOGGLE and pressed:
        store_relaxed(params, word, curve[0] if load_relaxed(params, word) == curve[127] else curve[127])
    elif action == at.ACT_ALONE and pressed:
        _solo_only(params, word)
    elif action == at.ACT_SIGNAL and pressed:
        _note(ctx, at.A_SIGNALS, at.SIGNALS, word)


@njit(nogil=True, error_model="numpy", cache=True)
def _note(ctx, address, size, entry):  # type: ignore[no-untyped-def]
    """Append to a ring whose word 0 counts entries; control threads read it, the oldest are overwritten."""
    ring = carray(as_int64(ctx[address]), size + 1)
    ring[1 + ring[0] % size] = entry
    store_release(ring, 0, ring[0] + 1)


@njit(nogil=True, error_model="numpy", cache=True)
def _apply(ctx, kind, channel, number, position, pressed, value):  # type: ignore[no-untyped-def]
    """Run the bindings of one message: those of its channel, then those of any channel."""
    params = carray(as_float32(ctx[at.A_PARAMS]), at.PARAMS)
    starts = carray(as_int32(ctx[at.A_MIDI_MAP]), (at.MIDI_KINDS, 17, 128))
    bindings = carray(as_int32(ctx[at.A_BINDINGS]), (at.BINDINGS, at.BINDING_WORDS))
    curves = carray(as_float32(ctx[at.A_CURVES]), (at.BINDINGS, 128))
    states = carray(as_float32(ctx[at.A_MIDI_STATE]), (at.BINDINGS, at.STATE_WORDS))
    layer = np.int64(load_relaxed(params, at.LAYER))
    moved = False
    for row in (channel, 16):
        b = starts[kind, row, number & 0x7F]
        while b >= 0:
            binding = bindings[b]
            here = binding[at.B_LAYER] < 0 or binding[at.B_LAYER] == layer
            if binding[at.B_ACTION] == at.ACT_HOLD and binding[at.B_NUMBER] == number:
                held = states[b - 1 if kind == at.KIND_NOTE_OFF else b]
                if not pressed:
                    here = held[at.S_HOOKED] > ZERO
                if here:
                    held[at.S_HOOKED] = ONE if pressed else ZERO
            if here and binding[at.B_NUMBER] == number:
                _act(ctx, params, binding, states[b], curves[b], position, pressed, value)
                moved = True
            b = binding[at.B_NEXT]
    if moved:
        h = carray(as_int64(ctx[at.A_HEADER]), at.HEADER_WORDS)
        h[at.MIDI_EVENTS] += 1


@njit(nogil=True, error_model="numpy", cache=True)
def _apply_fine(ctx, kind, channel, number, value):  # type: ignore[no-untyped-def]
    """Run the bindings of a 14-bit value."""
    _apply(ctx, kind, channel, number, np.float32(value) * _TO_POSITION, value >= 8192, value >> 7)


@njit(nogil=True, error_model="numpy", cache=True)
def _control(ctx, channel, number, value):  # type: ignore[no-untyped-def]
    """A control change: itself, a half of a pair, or a part of an NRPN."""
    registers = carray(as_int32(ctx[at.A_MIDI_REGISTERS]), (16, at.REGISTERS))[channel]
    _apply(ctx, at.KIND_CC, channel, number, np.float32(value), value >= 64, value)
    if number < 32:
        registers[at.R_COARSE + number] = value
        _apply_fine(ctx, at.KIND_CC14, channel, number, value << 7)
    elif number < 64:
        _apply_fine(ctx, at.KIND_CC14, channel, number - 32, registers[at.R_COARSE + number - 32] << 7 | value)
    if number == 99:
        registers[at.R_NRPN] = (registers[at.R_NRPN] & 0x7F) | value << 7 if registers[at.R_NRPN] >= 0 else value << 7
    elif number == 98:
        registers[at.R_NRPN] = (registers[at.R_NRPN] & 0x3F80) | value if registers[at.R_NRPN] >= 0 else value
    elif number == 100 or number == 101:
        registers[at.R_NRPN] = _NO_NUMBER
    elif registers[at.R_NRPN] >= 0 and number == 6:
        _apply_fine(ctx, at.KIND_NRPN, channel, np.int64(registers[at.R_NRPN]), value << 7)
    elif registers[at.R_NRPN] >= 0 and number == 38:
        _apply_fine(ctx, at.KIND_NRPN, channel, np.int64(registers[at.R_NRPN]), registers[at.R_COARSE + 6] << 7 | value)


@njit(nogil=True, error_model="numpy", cache=True)
def is_whole(status, size):  # type: ignore[no-untyped-def]
    """Whether a channel message of `size` bytes is complete: one that is cut off would move a fader to its end."""
    return size == (2 if status & 0xE0 == 0xC0 else 3)  # a program or a pressure has no third byte


@njit(nogil=True, error_model="numpy", cache=True)
def receive(ctx, status, number, value):  # type: ignore[no-untyped-def]
    """Apply one channel message; anything else is ignored.

    Args:
        ctx: int64 context words.
        status: first byte, 0x80 … 0xEF.
        number: second byte: controller, note, program, or the fine half of a pitch bend.
        value: third byte: value, velocity, or the coarse half of a pitch bend; 0 if there is none.
    """
    message, channel = status & 0xF0, status & 0x0F
    number, value = number & 0x7F, value & 0x7F
    if message < 0x80 or message == 0xF0:
        return
    _note(ctx, at.A_MIDI_LOG, at.MIDI_LOG, (status & 0xFF) << 16 | number << 8 | value)
    if message == 0xB0:
        _control(ctx, channel, number, value)
    elif message == 0x90 and value > 0:
        _apply(ctx, at.KIND_NOTE_ON, channel, number, np.float32(value), True, value)
    elif message == 0x80 or message == 0x90:
        _apply(ctx, at.KIND_NOTE_OFF, channel, number, ZERO, False, 0)
    elif message == 0xE0:
        _apply_fine(ctx, at.KIND_BEND, channel, 0, value << 7 | number)
    elif message == 0xC0:
        _apply(ctx, at.KIND_PROGRAM, channel, number, TOP, True, 127)
