"""A separator with effects behind it: a separator again, later by the latest chain, with every stem aligned.

State is the model's; effects keep theirs inside (they are other people's objects) and forget it when `init_state` is called.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from rtsep.fx.alignment import Delay
from rtsep.fx.effect import BuiltinEffect, DuckEffect, Effect, PluginEffect
from rtsep.fx.insert import Insert
from rtsep.fx.plan import EffectPlan, FxPlan
from rtsep.fx.sentry import Sentry
from rtsep.fx.vst3 import PluginError
from rtsep.models.separator import Audio, Separator, State


class SeparatorWithEffects:
    """Wraps a separator; see the module. Inference thread.

    Attributes:
        spec: the separator's, with the effects' latency.
    """

    def __init__(
        self,
        inner: Separator,
        plan: FxPlan,
        *,
        words: NDArray[np.float32],
        sentry: Sentry,
        report: Callable[[str], None],
    ) -> None:
        """Load every effect that is not banned.

        Args:
            inner: separates. Its hop may be another than was planned for, after a change of tier: then plug-ins, whose
                timing is not known at this hop, are bypassed, and everything else goes on.
            plan: what to load.
            words: parameter words of the segment, which move the knobs.
            sentry: knows which effects have crashed.
            report: takes a sentence when an effect is taken out.
        """
        self._inner = inner
        self._plan = plan
        self._words = words
        self._sentry = sentry
        self._report = report
        self.spec = msgspec.structs.replace(inner.spec, latency_terms=(*inner.spec.latency_terms, *plan.latency_terms))
        self._stems = {name: index for index, name in enumerate(inner.spec.stems)}
        numbers = iter(range(1, 64))
        numbered = {stem: [(next(numbers), effect) for effect in chain] for stem, chain in plan.chains.items()}
        self._chains = {  # another model may make fewer stems; a ducker without one to listen to has no latency and is left out
            stem: [pair for pair in chain if pair[1].by in ("", *self._stems)]
            for stem, chain in numbered.items()
            if stem in self._stems
        }
        self._inserts = {stem: [self._load(*pair) for pair in chain] for stem, chain in self._chains.items()}
        self._out = np.zeros((len(inner.spec.stems), inner.spec.channels, inner.spec.hop), np.float32)
        self._align()

    def _load(self, number: int, plan: EffectPlan) -> Insert:
        effect: Effect | None = None
        spec = self._inner.spec
        if plan.path and (spec.hop, spec.rate) != (self._plan.hop, self._plan.rate):
            self._report(
                f'Effect "{plan.label}" was measured for another tier and is bypassed. Start again with this tier to have it.'
            )
        elif self._sentry.banned(number):
            self._report(f'Effect "{plan.label}" has crashed and is bypassed from now on.')
        else:
            with self._sentry.watching(number if plan.path else 0):
                try:
                    effect = make_effect(plan, spec.rate)
                except PluginError as error:
                    self._report(f"{error} It is bypassed.")
                return Insert(plan, spec.hop, effect, self._report)
        return Insert(plan, spec.hop, effect, self._report)

    def _align(self) -> None:
        """Delay lines: each stem at the end, and what each ducker hears."""
        self._ends, self._sides = {}, {}
        for stem in self._stems:
            passed = 0
            for number, effect in self._chains.get(stem, []):
                self._sides[number] = Delay(passed)
                passed += effect.alignment.latency
            self._ends[stem] = Delay(self._plan.latency - passed)

    def init_state(self) -> State:
        """Return the state of a stream that has heard only silence."""
        for stem, inserts in self._inserts.items():
            for (number, plan), insert in zip(self._chains[stem], inserts, strict=True):
                with self._sentry.watching(number if plan.path else 0):
                    insert.reset()
        self._align()
        return self._inner.init_state()

    def step(self, mix: Audio, state: State) -> Audio:
        """Separate a hop and send each stem through its chain; see `Separator.step`."""
        stems = self._inner.step(mix, state)
        for stem, index in self._stems.items():
            block = stems[index]
            for (number, plan), insert in zip(self._chains.get(stem, []), self._inserts.get(stem, []), strict=True):
                insert.move({knob.knob: float(self._words[knob.word]) for knob in plan.knobs})
                side = self._sides[number](stems[self._stems[plan.by]]) if plan.by else block
                with self._sentry.watching(number if plan.path else 0):
                    block = insert.process(block, side)
            self._out[index] = self._ends[stem](block)
        return self._out


def make_effect(plan: EffectPlan, rate: int) -> Effect:
    """Load the effect that a plan names.

    Raises:
        PluginError: a plug-in cannot be loaded.
    """
    if plan.path:
        return PluginEffect(Path(plan.path), rate, channels=plan.channels, state=plan.state)
    return DuckEffect(rate) if plan.by else BuiltinEffect(plan.use, rate)
