"""One effect in its place in a chain: always as late as measured, with wet/dry, a bypass that keeps the latency, and a way out.

An effect that raises, returns other shapes than measured, or NaN or infinity is taken out for good and its stem goes on without
it, as late as before.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from rtsep.errors import RtsepError
from rtsep.fx.alignment import Delay, Queue
from rtsep.fx.effect import Effect
from rtsep.fx.plan import EffectPlan
from rtsep.models.separator import Audio


class Insert:
    """An effect with its queue. Inference thread.

    Attributes:
        effect: None once it has been taken out.
    """

    def __init__(self, plan: EffectPlan, hop: int, effect: Effect | None, report: Callable[[str], None]) -> None:
        self.plan = plan
        self.effect = effect
        self._report = report
        self._hop = hop
        self._values = {knob.knob: knob.start for knob in plan.knobs}
        self._share = 0.0
        self._ramp = np.linspace(1.0 / hop, 1.0, hop, dtype=np.float32)
        if effect is not None:
            for knob, value in plan.settings.items():
                effect.set(knob, value)
        self.reset()

    def reset(self) -> None:
        """Start from silence; the first hop is processed without a ramp."""
        silence = np.zeros((2, self._hop), np.float32)
        self._dry = Delay(self.plan.alignment.latency)
        self._queue = Queue(self.plan.alignment)
        self._fresh = True
        if self.effect is not None:
            self._run(self.effect, silence, silence)
        if self.effect is not None:
            self.effect.reset()
            self._queue = Queue(self.plan.alignment)

    def move(self, values: dict[str, float]) -> None:
        """Set knobs to what the parameters say: `wet`, `bypass`, and the effect's own."""
        for knob, value in values.items():
            if self._values.get(knob) == value:
                continue
            self._values[knob] = value
            if knob not in ("wet", "bypass") and self.effect is not None:
                try:
                    self.effect.set(knob, value)
                except (RtsepError, ValueError, TypeError, RuntimeError) as error:
                    self._take_out(f"does not take {knob} = {value:g}: {error}")

    def process(self, block: Audio, side: Audio) -> Audio:
        """Take and return `[2, hop]`, `plan.alignment.latency` late; `side` is the stem that a ducker listens to."""
        dry = self._dry(block)
        bypassed = self._values.get("bypass", 0.0) >= 0.5 or self.effect is None
        goal = 0.0 if bypassed else self._values.get("wet", 1.0)
        if self.effect is None:
            wet: Audio | None = None
        else:
            wet = self._run(self.effect, block, side)  # also while bypassed: it keeps up, so that it can come back
        before = goal if self._fresh else self._share
        self._share, self._fresh = goal, False
        if wet is None or before == goal == 0.0:
            return dry
        if before == goal == 1.0:
            return wet
        share = np.float32(before) + self._ramp * np.float32(goal - before)
        return dry + (wet - dry) * share

    def _run(self, effect: Effect, block: Audio, side: Audio) -> Audio | None:
        try:
            came = effect.process(block, side)
        except (ValueError, RuntimeError, TypeError) as error:
            self._take_out(f"failed: {error}")
            return None
        if came.ndim != 2 or came.shape[0] != 2:
            self._take_out(f"returned an array of shape {came.shape}")
            return None
        if not np.isfinite(came.sum()):
            self._take_out("returned a value that is not a number")
            return None
        out = self._queue.exchange(came, self._hop)
        if out is None:
            self._take_out("returned fewer frames than when it was measured")
        return out

    def _take_out(self, why: str) -> None:
        self.effect = None
        self._report(f'Effect "{self.plan.label}" {why}. It is bypassed from now on.')
