"""Bindings of a rig into the tables that compiled code looks messages up in (`rtsep.realtime.midi`).

The `fader` curve has its 0 dB mark at 100 of 127, a straight line in dB from there to the top of the range, and below it the
square law of a mixing desk's fader, gain = (v / 100)^2, which reaches -12 dB at half travel and silence at 0.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rtsep.config import MidiBinding, MidiCurve
from rtsep.control.params import Param, find_param
from rtsep.errors import ConfigError
from rtsep.realtime import layout as at
from rtsep.realtime.segment import Context
from rtsep.units import db_to_gain

UNITY = 100
"""Controller value of a fader's 0 dB mark."""

_KINDS = {"cc": (0,), "note": (1, 2)}
_ACTIONS = {"toggle": at.ACT_TOGGLE, "momentary": at.ACT_HOLD}


def curve_table(curve: MidiCurve, param: Param) -> NDArray[np.float32]:
    """Raw values of a parameter for controller values 0 … 127, float32 `[128]`."""
    low, high = curve.range
    values = np.arange(128)
    if param.unit == "switch":
        return (values >= 64).astype(np.float32)
    if curve.curve == "fader":
        top_db = (values - UNITY) / (127 - UNITY) * high
        raw = [(v / UNITY) ** 2 if v <= UNITY else db_to_gain(top_db[v]) for v in values]
    elif curve.curve == "db":
        raw = [db_to_gain(low + (high - low) * v / 127) for v in values]
    else:
        raw = [db_to_gain(low) + (db_to_gain(high) - db_to_gain(low)) * v / 127 for v in values]
    return np.array(raw, np.float32)


def install(context: Context, bindings: Sequence[MidiBinding]) -> None:
    """Replace the MIDI tables of a context.

    Raises:
        ConfigError: a binding names no parameter, does not fit it, or there are too many.
    """
    context.midi_map[:] = -1
    count = 0
    for number, binding in enumerate(bindings):
        param = find_param(binding.to)
        curve = binding.curve or MidiCurve(curve="toggle" if param.unit == "switch" and binding.when.type == "note" else "fader")
        if param.unit == "dB" and curve.curve in _ACTIONS:
            raise ConfigError(
                f"$.midi.bind[{number}]: {curve.curve} is for mute and solo; {binding.to} takes fader, db or linear."
            )
        channels = range(16) if binding.when.channel is None else (binding.when.channel - 1,)
        for channel in channels:
            for kind in _KINDS[binding.when.type]:
                if kind == 2 and curve.curve != "momentary":
                    continue
                if count == at.BINDINGS:
                    raise ConfigError(
                        f"A rig holds {at.BINDINGS} MIDI bindings, and one without a channel counts 16 times. "
                        "Give channels, or bind fewer."
                    )
                context.curves[count] = curve_table(curve, param)
                chain = int(context.midi_map[kind, channel, binding.when.number])
                context.bindings[count] = (param.word, _ACTIONS.get(curve.curve, at.ACT_SET), count, chain)
                context.midi_map[kind, channel, binding.when.number] = count
                count += 1
