"""Bindings of a rig into the tables that compiled code looks messages up in (`rtsep.realtime.midi`).

The `fader` curve has its 0 dB mark at 100 of 127, a straight line in dB from there to the top of the range, and below it the
square law of a mixing desk's fader, gain = (v / 100)^2, which reaches -12 dB at half travel and silence at 0.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rtsep.config import MidiBinding, MidiCurve
from rtsep.control.params import PARAMS, Param, find_param
from rtsep.errors import ConfigError, ModelError
from rtsep.models import registry
from rtsep.realtime import layout as at
from rtsep.realtime.segment import Context
from rtsep.units import db_to_gain

UNITY = 100
"""Controller value of a fader's 0 dB mark."""

SNAPSHOT = "snapshot."
"""A binding to this and a name recalls a snapshot."""

MODEL = "model."
"""A binding to this, a model and perhaps a tier (`model.cascade.70ms`) changes over to it."""

_WISHES = (SNAPSHOT, MODEL)
_GAIN_RANGE_DB = (-60.0, 6.0)
_KINDS = {
    "cc": at.KIND_CC,
    "cc14": at.KIND_CC14,
    "nrpn": at.KIND_NRPN,
    "note": at.KIND_NOTE_ON,
    "bend": at.KIND_BEND,
    "program": at.KIND_PROGRAM,
}
_HIGHEST = {"cc": 127, "cc14": 31, "nrpn": 16383, "note": 127, "bend": 0, "program": 127}
_ACTIONS = {"toggle": at.ACT_TOGGLE, "momentary": at.ACT_HOLD, "alone": at.ACT_ALONE}
_RELATIVE = {"twos": at.ACT_TWOS, "offset": at.ACT_OFFSET, "sign": at.ACT_SIGN}
_TAKEOVER = {"jump": at.TAKE_JUMP, "pickup": at.TAKE_PICKUP, "scale": at.TAKE_SCALE}


def shape_of(binding: MidiBinding, param: Param) -> str:
    """Name of the curve that a binding uses: its own, or what suits parameter and message."""
    if binding.curve and binding.curve.curve:
        return binding.curve.curve
    if param.unit == "switch":
        return "toggle" if binding.when.type == "note" else "linear"
    return "fader" if param.unit == "dB" else "linear"


def curve_table(binding: MidiBinding, param: Param) -> NDArray[np.float32]:
    """Raw values of a parameter for positions 0 … 127, float32 `[128]`."""
    given = binding.curve or MidiCurve()
    low, high = given.range or (_GAIN_RANGE_DB if param.unit == "dB" else (param.low, param.high))
    shape, places = shape_of(binding, param), np.arange(128) / 127
    if low > high and param.unit != "switch" and shape == "fader":
        return _table(shape, high, low, places, param)[::-1].copy()
    return _table(shape, low, high, places, param)


def _table(shape: str, low: float, high: float, places: NDArray[np.float64], param: Param) -> NDArray[np.float32]:
    if param.unit != "dB":
        steps = np.round(places) if param.unit == "switch" or shape in _ACTIONS else places
        return np.array([param.to_raw(low + (high - low) * x) for x in steps], np.float32)
    if shape == "fader":
        values = np.arange(128)
        top_db = (values - UNITY) / (127 - UNITY) * high
        raw = [(v / UNITY) ** 2 if v <= UNITY else db_to_gain(top_db[v]) for v in values]
    elif shape == "db":
        raw = [db_to_gain(low + (high - low) * x) for x in places]
    else:
        raw = [db_to_gain(low) + (db_to_gain(high) - db_to_gain(low)) * x for x in places]
    return np.array(raw, np.float32)


def install(context: Context, bindings: Sequence[MidiBinding]) -> tuple[str, ...]:
    """Replace the MIDI tables of a context.

    Returns:
        What bindings ask for that moves no parameter, such as `snapshot.verse`; signal number i means the i-th.

    Raises:
        ConfigError: a binding names no parameter, does not fit it, or there are too many; the old tables stay then.
    """
    check(bindings)
    context.midi_map[:] = -1
    wishes: list[str] = []
    rows = [(binding, kind) for binding in bindings for kind in rows_of(binding)]
    for row, (binding, kind) in enumerate(rows):
        when = binding.when
        context.midi_state[row] = (-1.0, np.nan, 0.0, (binding.curve or MidiCurve()).step)
        if binding.to in PARAMS:
            word, action = PARAMS[binding.to].word, action_of(binding)
            context.curves[row] = curve_table(binding, PARAMS[binding.to])
        else:
            if binding.to not in wishes:
                wishes.append(binding.to)
            word, action = wishes.index(binding.to), at.ACT_SIGNAL
        channel = 16 if when.channel is None else when.channel - 1
        start = context.midi_map[kind, channel, when.number & 0x7F]
        layer = -1 if binding.layer is None else binding.layer
        context.bindings[row] = (word, action, start, when.number, _TAKEOVER[binding.takeover], layer)
        context.midi_map[kind, channel, when.number & 0x7F] = row
    return tuple(wishes)


def action_of(binding: MidiBinding) -> int:
    """What a message does to the parameter of a binding, one of the layout's `ACT_…`."""
    if binding.when.relative:
        return _RELATIVE[binding.when.relative]
    return _ACTIONS.get(shape_of(binding, find_param(binding.to)), at.ACT_SET)


def rows_of(binding: MidiBinding) -> tuple[int, ...]:
    """Kinds of message, one table row each, that a binding listens to: releasing a key matters only where it holds something."""
    kind = _KINDS[binding.when.type]
    holds = binding.curve is not None and binding.curve.curve == "momentary"
    return (kind, at.KIND_NOTE_OFF) if kind == at.KIND_NOTE_ON and holds else (kind,)


def check(bindings: Sequence[MidiBinding]) -> None:
    """Find out whether bindings can work. Raises ConfigError or UsageError with the place of the first that cannot."""
    if sum(len(rows_of(binding)) for binding in bindings) > at.BINDINGS:
        raise ConfigError(f"A rig holds {at.BINDINGS} MIDI bindings, and a momentary note counts twice. Bind fewer.")
    for number, binding in enumerate(bindings):
        where, when = f"$.midi.bind[{number}]", binding.when
        if when.number > _HIGHEST[when.type]:
            raise ConfigError(f"{where}: {when.type} has numbers 0 to {_HIGHEST[when.type]}, not {when.number}.")
        if when.relative and when.type != "cc":
            raise ConfigError(f'{where}: relative is for endless encoders, which send type = "cc", not "{when.type}".')
        if binding.to not in PARAMS and binding.to.startswith(_WISHES):
            if binding.to.startswith(MODEL):
                _check_model(where, *binding.to.removeprefix(MODEL).partition(".")[::2])
            continue
        param = find_param(binding.to)
        shape = shape_of(binding, param)
        if param.unit == "dB" and shape in _ACTIONS:
            raise ConfigError(f"{where}: {shape} is for mute and solo; {binding.to} takes fader, db or linear.")
        if param.unit != "dB" and shape in ("fader", "db"):
            raise ConfigError(f"{where}: {shape} is for gains; {binding.to} takes linear, toggle or momentary.")
        if shape == "alone" and not binding.to.endswith(".solo"):
            raise ConfigError(f"{where}: alone is for solo, for example stem.vocals.solo, not {binding.to}.")


def _check_model(where: str, model: str, tier: str) -> None:
    try:
        if registry.find(model, tier or None)[1].whole_file:
            raise ConfigError(f"{where}: tier {tier} of {model} needs the whole file and cannot run live.")
    except ModelError as error:
        raise ConfigError(f"{where}: {error}") from error
