"""One store for everything that can be moved: names, units, ranges, and one atomic word each.

MIDI, the command line, snapshots and remote control all use these names (`stem.vocals.gain_db`, `stem.drums.mute`,
`master.gain_db`). A write is a single store into the shared segment, which the audio thread reads at the next block and ramps
to; whoever writes last wins. Any thread.
"""

from __future__ import annotations

import math

import msgspec
import numpy as np
from numpy.typing import NDArray

from rtsep.errors import UsageError, nearest
from rtsep.realtime import layout as at
from rtsep.stems import STEMS
from rtsep.units import SILENCE_DB, db_to_gain, gain_to_db

MAX_GAIN_DB = 12.0


class Param(msgspec.Struct, frozen=True):
    """A parameter: its word in the segment, and its range in its own unit (`dB`, or `switch` for 0 and 1)."""

    name: str
    word: int
    unit: str
    low: float
    high: float

    def to_raw(self, value: float) -> float:
        """What the audio thread multiplies by, for a value in the parameter's unit."""
        return db_to_gain(value) if self.unit == "dB" else float(value >= 0.5)

    def from_raw(self, raw: float) -> float:
        """Inverse of `to_raw`."""
        return gain_to_db(raw) if self.unit == "dB" else float(raw >= 0.5)


def _table() -> dict[str, Param]:
    params = [Param("master.gain_db", at.MASTER, "dB", SILENCE_DB, MAX_GAIN_DB)]
    for slot, stem in enumerate(STEMS):
        params += [
            Param(f"stem.{stem}.gain_db", at.GAIN + slot, "dB", SILENCE_DB, MAX_GAIN_DB),
            Param(f"stem.{stem}.mute", at.MUTE + slot, "switch", 0.0, 1.0),
            Param(f"stem.{stem}.solo", at.SOLO + slot, "switch", 0.0, 1.0),
        ]
    return {param.name: param for param in params}


PARAMS: dict[str, Param] = _table()


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
        if not math.isfinite(value) and value != -math.inf:
            raise UsageError(f"{name} takes a value from {param.low:g} to {param.high:g} {param.unit}, not {value}.")
        self._words[param.word] = param.to_raw(min(max(value, param.low), param.high))

    def get(self, name: str) -> float:
        """Where a parameter stands, in its unit."""
        param = find_param(name)
        return param.from_raw(float(self._words[param.word]))
