"""From one setting to another, over a time or by a fader. Control threads only.

It moves in the raw unit of the audio thread: gains linearly and not in dB, where most of a fade to silence would be inaudible.
Switches and choices change half-way.

A parameter that somebody touches meanwhile leaves the morph: the player's hand is worth more than the plan.
"""

from __future__ import annotations

from rtsep.control.params import PARAMS, ParamStore
from rtsep.control.snapshots import Values


def between(start: Values, end: Values, share: float) -> dict[str, float]:
    """Raw values at a share 0 … 1 of the way, for the parameters that both name."""
    raws = {}
    for name in start.keys() & end.keys():
        param = PARAMS[name]
        first, last = param.to_raw(start[name]), param.to_raw(end[name])
        if param.unit in ("switch", "choice"):
            raws[name] = first if share < 0.5 else last
        else:
            raws[name] = last if share >= 1.0 else first + (last - first) * share
    return raws


class Morph:
    """A movement that is under way."""

    def __init__(self, params: ParamStore, goal: Values, seconds: float, now_s: float) -> None:
        self._params, self._goal = params, dict(goal)
        self._start = {name: params.get(name) for name in goal}
        self._seconds, self._began_s = seconds, now_s
        self._written = {name: params.raw(name) for name in goal}

    def step(self, now_s: float) -> bool:
        """Move on; returns whether it goes on after this."""
        share = 1.0 if self._seconds <= 0 else min(1.0, (now_s - self._began_s) / self._seconds)
        for name, raw in between(self._start, self._goal, share).items():
            if self._params.raw(name) != self._written[name]:
                del self._goal[name]
                continue
            self._params.set_raw(name, raw)
            self._written[name] = self._params.raw(name)
        return share < 1.0
