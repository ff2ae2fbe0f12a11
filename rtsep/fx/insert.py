"""One effect in its place in a chain: always as late as measured, with wet/dry, a bypass that keeps the latency, and a way out.

With x the stem, E the effect, D a delay of E's latency, s the share that is wet and g the gate of a bypass:

    bypass that cuts       y = D(x) + s g (E(x) - D(x))
    bypass that rings out  y = D(x) + s (E(g x) - D(g x))      the gate is before the effect: what is in it still comes out

Shares and gates move over one hop. A new state of a plug-in is taken over between two hops, while the stem is heard dry.

An effect that raises, returns other shapes than measured, NaN or infinity, or takes too long is taken out for good and its stem
goes on without it, as late as before. One that changes its latency is heard dry for as long as that lasts.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from rtsep.errors import RtsepError
from rtsep.fx.alignment import Delay, Queue
from rtsep.fx.effect import Effect, PluginEffect
from rtsep.fx.patience import Patience
from rtsep.fx.plan import EffectPlan
from rtsep.models.separator import Audio


class _Fade:
    """A factor that moves over one hop."""

    def __init__(self, hop: int) -> None:
        self.now: float | None = None
        self._ramp = np.linspace(1.0 / hop, 1.0, hop, dtype=np.float32)

    def to(self, goal: float) -> Audio | float:
        """The factor for the next hop: `[hop]`, or a number while it does not move. The first is not faded in."""
        before, self.now = goal if self.now is None else self.now, goal
        return goal if before == goal else np.float32(before) + self._ramp * np.float32(goal - before)


class Insert:
    """An effect with its queue. Inference thread.

    Attributes:
        effect: None once it has been taken out.
    """

    def __init__(
        self, plan: EffectPlan, hop: int, effect: Effect | None, patience: Patience, report: Callable[[str], None]
    ) -> None:
        self.plan = plan
        self.effect = effect
        self._patience = patience
        self._report = report
        self._hop = hop
        self._values = {knob.knob: knob.start for knob in plan.knobs}
        self._state = b""
        self._shifted = False
        if effect is not None:
            for knob, value in plan.settings.items():
                effect.set(knob, value)
        self.reset()

    def reset(self) -> None:
        """Start from silence; the first hop is processed without a ramp."""
        silence = np.zeros((2, self._hop), np.float32)
        self._dry, self._gated = Delay(self.plan.alignment.latency), Delay(self.plan.alignment.latency)
        self._queue = Queue(self.plan.alignment)
        self._share, self._gate = _Fade(self._hop), _Fade(self._hop)
        self._patience.reset()
        if self.effect is not None:
            self._run(self.effect, silence, silence)
        if self.effect is not None:
            self.effect.reset()
            self._queue = Queue(self.plan.alignment)

    def move(self, values: dict[str, float]) -> None:
        """Set knobs to what the parameters say: `wet`, `bypass`, and the effect's own."""
        for knob, value in values.items():
            if self._values.get(knob) != value:
                self._values[knob] = value
                self._set(knob, value)

    def take_state(self, state: bytes) -> None:
        """Let a plug-in have another state as soon as it is faded out. Knobs stay where the parameters say."""
        self._state = state

    def process(self, block: Audio, side: Audio) -> Audio:
        """Take and return `[2, hop]`, `plan.alignment.latency` late; `side` is the stem that a ducker listens to."""
        if self._state and not self._share.now:
            self._change_state()
        self._look_at_latency()
        bypassed = self._values.get("bypass", 0.0) >= 0.5
        heard = self.effect is not None and not self._shifted and not self._state
        gate = self._gate.to(float(not (self.plan.tails and bypassed)))
        fed = block if isinstance(gate, float) and gate == 1.0 else block * np.float32(gate)
        dry, gated = self._dry(block), self._gated(fed)
        wet = self._run(self.effect, fed, side) if self.effect is not None else None  # also while bypassed: it keeps up
        share = self._share.to(self._values.get("wet", 1.0) if heard and (self.plan.tails or not bypassed) else 0.0)
        if wet is None or (isinstance(share, float) and share == 0.0):
            return dry
        if isinstance(share, float) and share == 1.0 and not self.plan.tails:
            return wet
        return dry + (wet - gated) * np.float32(share)

    def _set(self, knob: str, value: float | bool | str) -> None:
        if knob in ("wet", "bypass") or self.effect is None:
            return
        try:
            self.effect.set(knob, value)
        except (RtsepError, ValueError, TypeError, RuntimeError) as error:
            self._take_out(f"does not take {knob} = {value}: {error}")

    def _change_state(self) -> None:
        state, self._state = self._state, b""
        if not isinstance(self.effect, PluginEffect) or self.effect.state == state:
            return
        try:
            self.effect.take_state(state)
        except (ValueError, RuntimeError) as error:
            self._take_out(f"does not take the state of a snapshot: {error}")
        for knob, value in self._values.items():
            self._set(knob, value)

    def _look_at_latency(self) -> None:
        if self.effect is None:
            return
        now, before = self.effect.reported_latency, self.plan.reported_latency
        if (now != before) != self._shifted:
            self._shifted = now != before
            late = f'Effect "{self.plan.label}" is now {now} frames late'
            self._report(
                f"{late}, not {before}. It is bypassed, so that stems stay aligned; set so in the rig, it can be had."
                if self._shifted
                else f"{late} again, and is heard again."
            )

    def _run(self, effect: Effect, block: Audio, side: Audio) -> Audio | None:
        try:
            with self._patience.measuring():
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
        if effect.foreign and self._patience.exhausted:
            self._take_out("takes longer than the music lasts")
            return None
        out = self._queue.exchange(came, self._hop)
        if out is None:
            self._take_out("returned fewer frames than when it was measured")
        return out

    def _take_out(self, why: str) -> None:
        self.effect = None
        self._report(f'Effect "{self.plan.label}" {why}. It is bypassed from now on.')
