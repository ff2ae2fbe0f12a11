"""From what a controller sends to a binding: hear it moved for a moment, guess its kind, write it down.

The guess, from the messages of one movement:

* a program change, a note or a pitch bend is what it is;
* controllers 99, 98 and 6 together are an NRPN; a controller below 32 together with the one 32 above is a 14-bit pair;
* an endless encoder repeats itself (a slow turn sends 1, 1, 1 … or 65, 65, 65 …), which a knob with ends never does, and stays
  near the resting value of its encoding: 1 and 127 (`twos`), 65 and 63 (`offset`), 1 and 65 (`sign`);
* a controller that only ever says 0 and 127 is a button; anything else is a knob or fader.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import tomlkit

from rtsep.config import MidiBinding
from rtsep.control.params import find_param
from rtsep.control.saved_state import write_whole

SETTLED_S = 0.7
"""Silence after which a movement counts as over."""

ENOUGH = 40
"""Messages after which it counts as over anyway."""

Heard = tuple[int, int, int]
_ENCODINGS = {
    "twos": (*range(1, 9), *range(120, 128)),
    "offset": (*range(57, 64), *range(65, 72)),
    "sign": (*range(1, 9), *range(65, 73)),
}


def describe(message: Heard) -> str:
    """A message as people read it."""
    status, number, value = message
    names = {0x80: "note off", 0x90: "note", 0xA0: "pressure", 0xB0: "controller", 0xC0: "program", 0xD0: "pressure"}
    kind, channel = status & 0xF0, (status & 0x0F) + 1
    if kind == 0xE0:
        return f"channel {channel:<3} bend        {(value << 7 | number) - 8192:+d}"
    tail = "" if kind in (0xC0, 0xD0) else f" value {value}"
    return f"channel {channel:<3} {names[kind]:<11} {number}{tail}"


def guess(heard: Sequence[Heard], parameter: str) -> tuple[MidiBinding, str] | None:
    """Make a binding of one movement.

    Args:
        heard: messages in order.
        parameter: what shall move.

    Returns:
        The binding and what kind of control it seems to be; None if nothing that can be bound was heard.

    Raises:
        UsageError: there is no such parameter.
    """
    unit = find_param(parameter).unit
    statuses = [message[0] for message in heard if message[0] & 0xF0 in (0x90, 0xB0, 0xC0, 0xE0)]
    if not statuses:
        return None
    status = Counter(statuses).most_common(1)[0][0]
    rows = [message for message in heard if message[0] == status]
    when: dict[str, Any] = {"channel": (status & 0x0F) + 1}
    curve: dict[str, Any] = {}
    if status & 0xF0 == 0xB0:
        kind = _controller(rows, when)
    else:
        when["type"], kind = {0x90: ("note", "key or pad"), 0xC0: ("program", "program change")}.get(
            status & 0xF0, ("bend", "pitch bend or 14-bit fader")
        )
        if when["type"] != "bend":
            when["number"] = Counter(row[1] for row in rows).most_common(1)[0][0]
    if unit == "switch" and kind in ("button", "key or pad"):
        curve["curve"] = "toggle"
    plain = {"when": when, "to": parameter}
    if kind == "knob or fader":
        plain["takeover"] = "pickup"
    if curve:
        plain["map"] = curve
    return msgspec.convert(plain, MidiBinding), kind


def _controller(rows: Sequence[Heard], when: dict[str, Any]) -> str:
    numbers = Counter(row[1] for row in rows)
    if {99, 98, 6} <= numbers.keys():
        last = {row[1]: row[2] for row in rows}
        when.update(type="nrpn", number=last[99] << 7 | last[98])
        return "NRPN"
    number = numbers.most_common(1)[0][0]
    coarse = number % 32 if number < 64 else number
    if number < 64 and coarse in numbers and coarse + 32 in numbers:
        when.update(type="cc14", number=coarse)
        return "14-bit pair"
    when.update(type="cc", number=number)
    values = [row[2] for row in rows if row[1] == number]
    if encoding := _encoding(values):
        when["relative"] = encoding
        return f"endless encoder ({encoding})"
    return "button" if set(values) <= {0, 127} else "knob or fader"


def _encoding(values: Sequence[int]) -> str | None:
    repeats = sum(a == b for a, b in itertools.pairwise(values))
    if len(values) < 3 or repeats < (len(values) - 1) / 3:
        return None
    return next((name for name, allowed in _ENCODINGS.items() if set(values) <= set(allowed)), None)


class Learner:
    """One movement being heard. Time is handed in."""

    def __init__(self, parameter: str) -> None:
        """Raises UsageError: there is no such parameter."""
        self.parameter = find_param(parameter).name
        self.heard: list[Heard] = []
        self._last_s = 0.0

    def hear(self, messages: Sequence[Heard], now_s: float) -> tuple[MidiBinding, str] | None:
        """Take what has come; returns the guess once the movement is over."""
        if messages:
            self.heard += messages
            self._last_s = now_s
        over = len(self.heard) >= ENOUGH or (bool(self.heard) and now_s - self._last_s >= SETTLED_S)
        if not over:
            return None
        guessed = guess(self.heard, self.parameter)
        if guessed is None:
            self.heard.clear()
        return guessed


def write_binding(path: Path, binding: MidiBinding) -> None:
    """Add a binding to a rig file, in place of one from the same message to the same parameter; comments and layout stay.

    Raises:
        OSError: the file cannot be read or written.
        tomlkit.exceptions.ParseError: it is not TOML.
    """
    document = tomlkit.parse(path.read_text(encoding="utf-8")) if path.exists() else tomlkit.document()
    midi = document.setdefault("midi", tomlkit.table())
    rows = midi.setdefault("bind", tomlkit.aot())
    plain = {key: value for key, value in msgspec.to_builtins(binding).items() if value is not None and value != "jump"}
    plain = {key: value for key, value in plain.items() if not (key == "feedback" and value == "same")}
    row = tomlkit.table() if isinstance(rows, tomlkit.items.AoT) else tomlkit.inline_table()
    for key, value in plain.items():
        row[key] = _inline(value) if isinstance(value, dict) else value
    same = [i for i, old in enumerate(rows) if dict(old.get("when", {})) == dict(row["when"]) and old.get("to") == binding.to]
    for i in reversed(same):
        del rows[i]
    rows.append(row)
    write_whole(path, tomlkit.dumps(document))


def _inline(values: dict[str, Any]) -> tomlkit.items.InlineTable:
    table = tomlkit.inline_table()
    defaults = {"number": None, "step": 1.0}
    table.update({key: value for key, value in values.items() if value is not None and defaults.get(key) != value})
    return table
