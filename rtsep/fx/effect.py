"""An effect as a chain uses it: something that takes a hop and gives back frames, with knobs by name.

Three kinds: pedalboard's own, VST3 plug-ins (one instance, or one per side if the plug-in is mono) and the ducker, which also
hears another stem.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import numpy as np

from rtsep.errors import UsageError, nearest
from rtsep.fx import vst3
from rtsep.fx.builtin import BUILTINS, DUCK_KNOBS
from rtsep.fx.duck import Duck
from rtsep.models.separator import Audio


class Effect(Protocol):
    """What a chain needs of an effect."""

    foreign: bool
    """Code of others: it may crash, be slow, and have a state that only it understands."""

    @property
    def reported_latency(self) -> int:
        """Frames that it claims to be late now."""
        ...

    def set(self, knob: str, value: float | bool | str) -> None:
        """Move a knob, in the effect's own unit."""
        ...

    def process(self, block: Audio, side: Audio) -> Audio:
        """Take `[2, n]` of the stem and of the stem it listens to; return `[2, any]`."""
        ...

    def reset(self) -> None:
        """Forget the past."""
        ...


class BuiltinEffect:
    """One of pedalboard's own."""

    foreign = False
    reported_latency = 0

    def __init__(self, name: str, rate: int) -> None:
        import pedalboard

        self._rate = rate
        self._name = name
        self._unit = getattr(pedalboard, BUILTINS[name].kind)()

    def set(self, knob: str, value: float | bool | str) -> None:
        """Move a knob; held to its range."""
        knobs = BUILTINS[self._name].knobs
        if knob not in knobs:
            raise UsageError(f'Effect "{self._name}" has no knob "{knob}".{nearest(knob, knobs)} Knobs: {", ".join(knobs)}.')
        high = knobs[knob].high
        if knob.endswith("frequency_hz"):
            high = min(high, 0.49 * self._rate)
        setattr(self._unit, knob, min(max(float(value), knobs[knob].low), high))

    def process(self, block: Audio, side: Audio) -> Audio:
        """Process one block."""
        out: Audio = self._unit.process(block, self._rate, buffer_size=block.shape[1], reset=False)
        return out

    def reset(self) -> None:
        """Forget the past."""
        self._unit.reset()


class PluginEffect:
    """A VST3 plug-in."""

    foreign = True

    def __init__(self, path: Path, rate: int, *, channels: int, state: bytes = b"") -> None:
        self._rate = rate
        self._units: list[Any] = [vst3.load(path) for _ in range(3 - channels)]
        if state:
            self.take_state(state)

    @property
    def reported_latency(self) -> int:
        """Frames that the plug-in claims to be late."""
        return int(self._units[0].reported_latency_samples)

    @property
    def state(self) -> bytes:
        """All that the plug-in wants to be remembered; knobs that were moved are in it after the next block."""
        return bytes(self._units[0].raw_state)

    def take_state(self, state: bytes) -> None:
        """Take over a state that this plug-in gave. The first call is slow, and therefore part of loading."""
        for unit in self._units:
            unit.raw_state = state

    def load_preset(self, path: Path) -> None:
        """Take over a `.vstpreset` file.

        Raises:
            PluginError: there is no such file, or it is another plug-in's.
        """
        try:
            for unit in self._units:
                unit.load_preset(str(path))
        except (OSError, ValueError, RuntimeError) as error:
            raise vst3.PluginError(f"{path} is no preset of this plug-in: {error}.") from error

    def numeric_parameters(self) -> dict[str, tuple[float, float, float]]:
        """Lowest, highest and present value of every parameter that is a number or a switch."""
        found = {}
        for name, parameter in self._units[0].parameters.items():
            low, high = parameter.range[0], parameter.range[1]
            value = getattr(self._units[0], name)
            if isinstance(value, bool):
                found[name] = (0.0, 1.0, float(value))
            elif isinstance(low, int | float) and isinstance(high, int | float):
                found[name] = (float(low), float(high), float(value))
        return found

    def set(self, knob: str, value: float | bool | str) -> None:
        """Set a parameter by pedalboard's name for it."""
        known = self._units[0].parameters
        if knob not in known:
            raise UsageError(f'The plug-in has no parameter "{knob}".{nearest(knob, known)} Parameters: {", ".join(known)}.')
        for unit in self._units:
            setattr(unit, knob, value)

    def process(self, block: Audio, side: Audio) -> Audio:
        """Process one block, each side by itself if the plug-in is mono."""
        n = block.shape[1]
        if len(self._units) == 1:
            out: Audio = self._units[0].process(block, self._rate, buffer_size=n, reset=False)
            return out
        sides = [
            unit.process(np.ascontiguousarray(block[c : c + 1]), self._rate, buffer_size=n, reset=False)
            for c, unit in enumerate(self._units)
        ]
        return np.concatenate(sides, axis=0)

    def reset(self) -> None:
        """Forget the past."""
        for unit in self._units:
            unit.reset()


class DuckEffect:
    """The ducker."""

    foreign = False
    reported_latency = 0

    def __init__(self, rate: int) -> None:
        self._duck = Duck(rate)
        self._duck.knobs = {name: knob.default for name, knob in DUCK_KNOBS.items()}

    def set(self, knob: str, value: float | bool | str) -> None:
        """Move a knob; held to its range."""
        if knob not in DUCK_KNOBS:
            raise UsageError(f'Effect "duck" has no knob "{knob}".{nearest(knob, DUCK_KNOBS)} Knobs: {", ".join(DUCK_KNOBS)}.')
        self._duck.knobs[knob] = min(max(float(value), DUCK_KNOBS[knob].low), DUCK_KNOBS[knob].high)

    def process(self, block: Audio, side: Audio) -> Audio:
        """Process one block."""
        return self._duck.process(block, side)

    def reset(self) -> None:
        """Forget the past."""
        self._duck.reset()
