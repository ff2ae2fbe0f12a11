"""One store for everything that can be moved: names, units, ranges, and one atomic word each.

MIDI, the command line, snapshots and remote control all use these names (`stem.vocals.gain_db`, `stem.drums.mute`,
`master.gain_db`). A write is a single store into the shared segment, which the audio thread reads at the next block and ramps
to; whoever writes last wins. Any thread.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import msgspec
import numpy as np
from numpy.typing import NDArray

from rtsep.errors import UsageError, nearest
from rtsep.realtime import layout as at
from rtsep.stems import STEMS
from rtsep.units import SILENCE_DB, db_to_gain, format_db, gain_to_db

MAX_GAIN_DB = 12.0
RECORD = "engine.record"
"""Whether mix and stems are recorded; a snapshot never moves it."""

GROUP_NAMES = ("a", "b")
"""Groups 1 and 2: a fader and a mute that hold for every stem assigned to them."""


class Param(msgspec.Struct, frozen=True):
    """A parameter: its word in the segment, and its range in its own unit.

    Units: `dB`; `switch` for 0 and 1; `choice` for whole numbers; `ratio`, `pan` and `width` for plain numbers.
    """

    name: str
    word: int
    unit: str
    low: float
    high: float
    default: float = 0.0

    def to_raw(self, value: float) -> float:
        """What the audio thread works with, for a value in the parameter's unit: a gain for dB, else the number itself."""
        if self.unit == "dB":
            return db_to_gain(value)
        if self.unit == "switch":
            return float(value >= 0.5)
        return float(round(value)) if self.unit == "choice" else float(value)

    def from_raw(self, raw: float) -> float:
        """Inverse of `to_raw`."""
        if self.unit == "dB":
            return gain_to_db(raw)
        return float(raw >= 0.5) if self.unit == "switch" else float(raw)

    def hold_to_range(self, value: float) -> float:
        """The nearest value that is allowed."""
        return min(max(value, self.low), self.high)

    def text(self, value: float) -> str:
        """A value as players read it."""
        if self.unit == "dB":
            return format_db(value)
        if self.unit == "switch":
            return "on" if value >= 0.5 else "off"
        return f"{value:g}" if self.unit == "choice" else f"{value:.2f}"


def _table() -> dict[str, Param]:
    params = [
        Param("master.gain_db", at.MASTER, "dB", SILENCE_DB, MAX_GAIN_DB),
        Param("master.blend", at.BLEND, "ratio", 0.0, 1.0, 1.0),
        Param("master.karaoke", at.KARAOKE, "ratio", 0.0, 1.0),
        Param("master.limiter", at.LIMITER, "switch", 0.0, 1.0),
        Param("snapshot.morph", at.MORPH, "ratio", 0.0, 1.0),
        Param("midi.layer", at.LAYER, "choice", 0.0, 7.0),
        Param(RECORD, at.RECORD, "switch", 0.0, 1.0),
    ]
    for group, name in enumerate(GROUP_NAMES):
        params += [
            Param(f"group.{name}.gain_db", at.GROUP_GAIN + group, "dB", SILENCE_DB, MAX_GAIN_DB),
            Param(f"group.{name}.mute", at.GROUP_MUTE + group, "switch", 0.0, 1.0),
        ]
    for slot, stem in enumerate(STEMS):
        params += [
            Param(f"stem.{stem}.gain_db", at.GAIN + slot, "dB", SILENCE_DB, MAX_GAIN_DB),
            Param(f"stem.{stem}.mute", at.MUTE + slot, "switch", 0.0, 1.0),
            Param(f"stem.{stem}.solo", at.SOLO + slot, "switch", 0.0, 1.0),
            Param(f"stem.{stem}.pan", at.PAN + slot, "pan", -1.0, 1.0),
            Param(f"stem.{stem}.width", at.WIDTH + slot, "width", 0.0, 2.0, 1.0),
            Param(f"stem.{stem}.group", at.GROUP + slot, "choice", 0.0, float(at.GROUPS)),
        ]
    return {param.name: param for param in params}


PARAMS: dict[str, Param] = _table()


def add_params(params: Iterable[Param]) -> None:
    """Make more parameters known, such as the knobs of effects, before anything is bound to them."""
    PARAMS.update({param.name: param for param in params})


def find_param(name: str) -> Param:
    """Look a parameter up.

    Raises:
        UsageError: there is no such name.
    """
    if name not in PARAMS:
        raise UsageError(f'There is no parameter "{name}".{nearest(name, PARAMS)} Parameters: {", ".join(PARAMS)}.')
    return PARAMS[name]


class ParamStore:
    """Names over the segment's parameter words."""

    def __init__(self, words: NDArray[np.float32]) -> None:
        self._words = words

    def set(self, name: str, value: float) -> None:
        """Move a parameter; the value, in its unit, is held to its range.

        Raises:
            UsageError: unknown name, or the value is not a number.
        """
        param = find_param(name)
        if math.isnan(value) or value == math.inf or (value == -math.inf and param.unit != "dB"):
            raise UsageError(f"{name} takes a value from {param.low:g} to {param.high:g} {param.unit}, not {value}.")
        self._words[param.word] = param.to_raw(param.hold_to_range(value))

    def get(self, name: str) -> float:
        """Where a parameter stands, in its unit."""
        param = find_param(name)
        return param.from_raw(float(self._words[param.word]))

    def raw(self, name: str) -> float:
        """The word of a parameter as the audio thread reads it."""
        return float(self._words[find_param(name).word])

    def set_raw(self, name: str, raw: float) -> None:
        """Write the word of a parameter."""
        self._words[find_param(name).word] = raw

    def solo_only(self, stem: str) -> None:
        """Solo one stem and no other; once more lets all be heard again."""
        alone = [name for name in STEMS if self.get(f"stem.{name}.solo")] == [stem]
        for name in STEMS:
            self.set(f"stem.{name}.solo", float(name == stem and not alone))

    def all(self) -> dict[str, float]:
        """Every parameter in its unit."""
        return {name: self.get(name) for name in PARAMS}
