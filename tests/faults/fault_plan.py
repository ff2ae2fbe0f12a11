"""What shall go wrong and when: a plan drawn by a seed or written by hand, and a separator that follows it.

Only tests know of faults; the product has no switch for them. Time is virtual: a step of the separator moves the clock by what
it is planned to cost, and the audio callbacks of that time run meanwhile (see `rtsep.clock`).
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import numpy as np

from rtsep.clock import VirtualClock
from rtsep.models.separator import Audio, Separator, SeparatorSpec, State


class PlannedFailure(RuntimeError):
    """What a separator raises where its plan says so."""


@dataclass
class FaultPlan:
    """Faults by the number of the step or callback at which they happen."""

    load: float = 0.2
    """Time a step takes as a share of its hop."""
    stalls_ms: dict[int, float] = field(default_factory=dict)
    """Step number to how much longer it takes."""
    raises: set[int] = field(default_factory=set)
    poison: dict[int, float] = field(default_factory=dict)
    """Step number to the value (NaN, infinity) that one sample of its output has."""
    dropped: set[int] = field(default_factory=set)
    """Callbacks that the device never makes."""
    drift_ppm: float = 0.0
    """How much faster than nominal the device's clock runs."""

    @classmethod
    def drawn(cls, seed: int, steps: int, callbacks: int) -> FaultPlan:
        """Draw a plan with a bit of everything over so many steps and callbacks."""
        rng = random.Random(seed)  # noqa: S311  music, not secrets
        return cls(
            load=rng.uniform(0.05, 0.8),
            stalls_ms={rng.randrange(steps): rng.uniform(5.0, 900.0) for _ in range(rng.randrange(6))},
            raises={rng.randrange(steps) for _ in range(rng.randrange(3))},
            poison={rng.randrange(steps): rng.choice([np.nan, np.inf, -np.inf]) for _ in range(rng.randrange(4))},
            dropped={rng.randrange(callbacks) for _ in range(rng.randrange(20))},
            drift_ppm=rng.uniform(-300.0, 300.0),
        )


class FaultySeparator:
    """A separator whose steps cost virtual time and go wrong as planned. Steps are counted over all its lives."""

    def __init__(self, inner: Separator, plan: FaultPlan, clock: VirtualClock) -> None:
        self._inner, self._plan, self._clock = inner, plan, clock
        self._armed = False
        self.steps = 0

    @property
    def spec(self) -> SeparatorSpec:
        """The inner one's."""
        return self._inner.spec

    def arm(self) -> None:
        """Let the plan begin: warming up is over."""
        self._armed = True

    def disarm(self) -> None:
        """Run without faults, for warming up again."""
        self._armed = False

    def init_state(self) -> State:
        """The inner one's."""
        return self._inner.init_state()

    def step(self, mix: Audio, state: State) -> Audio:
        """Separate as the inner one does, at the planned cost and with the planned damage."""
        if not self._armed:
            return self._inner.step(mix, state)
        number, plan = self.steps, self._plan
        self.steps += 1
        cost_ms = plan.load * self.spec.hop / self.spec.rate * 1e3 + plan.stalls_ms.get(number, 0.0)
        stems = self._inner.step(mix, state)
        self._clock.advance(round(cost_ms * 1e6))
        if number in plan.raises:
            raise PlannedFailure(f"planned at step {number}")
        if number in plan.poison:
            stems = stems.copy()
            stems[0, 0, number % self.spec.hop] = plan.poison[number]
        return stems
