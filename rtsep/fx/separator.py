"""A separator with effects behind it: a separator again, later by the latest chain, with every stem aligned.

State is the model's; effects keep theirs inside (they are other people's objects) and forget it when `init_state` is called.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from rtsep.fx.alignment import Delay
from rtsep.fx.effect import BuiltinEffect, DuckEffect, Effect, PluginEffect
from rtsep.fx.insert import Insert
from rtsep.fx.mailbox import Inbox
from rtsep.fx.patience import Patience
from rtsep.fx.plan import EffectPlan, FxPlan
from rtsep.fx.refit import refit
from rtsep.fx.sentry import Sentry
from rtsep.fx.vst3 import PluginError
from rtsep.models.separator import Audio, Separator, State


class _Slot(NamedTuple):
    """An effect of a chain."""

    number: int
    plan: EffectPlan
    insert: Insert

    @property
    def watched(self) -> int:
        """What the sentry shall write: its number if it is other people's code."""
        return self.number if self.plan.path else 0


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
        header: NDArray[np.int64],
        epoch: int,
        report: Callable[[str], None],
    ) -> None:
        """Load every effect that is not banned.

        Args:
            inner: separates. Its hop may be another than was planned for, after a change of tier: then plug-ins are measured
                again.
            plan: what to load.
            words: parameter words of the segment, which move the knobs.
            header: header words of the segment.
            epoch: of this process.
            report: takes a sentence when an effect is taken out.
        """
        self._inner = inner
        self._plan = plan
        self._words = words
        self._header = header
        numbered = plan.numbered()
        self._sentry = Sentry(header, epoch, plugins=any(effect.path for _, _, effect in numbered))
        self._inbox = Inbox(Path(plan.mailbox), header) if plan.mailbox else None
        self._report = report
        self.spec = msgspec.structs.replace(inner.spec, latency_terms=(*inner.spec.latency_terms, *plan.latency_terms))
        self._stems = {name: index for index, name in enumerate(inner.spec.stems)}
        self._chains: dict[str, list[_Slot]] = {stem: [] for stem in self._stems}
        for number, stem, effect in numbered:
            # another model may make fewer stems; a ducker without one to listen to has no latency and is left out
            if stem in self._stems and effect.by in ("", *self._stems):
                insert = self._load(number, effect)
                self._chains[stem].append(_Slot(number, insert.plan, insert))
        self._out = np.zeros((len(inner.spec.stems), inner.spec.channels, inner.spec.hop), np.float32)
        self._align()

    def _load(self, number: int, plan: EffectPlan) -> Insert:
        spec = self._inner.spec
        state = self._inbox.first.get(number, b"") if self._inbox else b""
        effect: Effect | None = None
        with self._sentry.watching(number if plan.path else 0):
            try:
                if plan.path and (why := self._sentry.banned(number)):
                    raise PluginError(f'Effect "{plan.label}" {why}.')
                if plan.path and (spec.hop, spec.rate) != (self._plan.hop, self._plan.rate):
                    plan = refit(plan, hop=spec.hop, rate=spec.rate, state=state)
                effect = make_effect(plan, spec.rate, state)
            except PluginError as error:
                self._report(f"{error} It is bypassed from now on.")
            return Insert(plan, spec.hop, effect, Patience(spec.hop / spec.rate, self._header), self._report)

    def _align(self) -> None:
        """Delay lines: each stem at the end, and what each ducker hears."""
        self._ends, self._sides = {}, {}
        for stem, chain in self._chains.items():
            passed = 0
            for slot in chain:
                self._sides[slot.number] = Delay(passed)
                passed += slot.plan.alignment.latency
            self._ends[stem] = Delay(self._plan.latency - passed)

    def init_state(self) -> State:
        """Return the state of a stream that has heard only silence."""
        for chain in self._chains.values():
            for slot in chain:
                with self._sentry.watching(slot.watched):
                    slot.insert.reset()
        self._align()
        return self._inner.init_state()

    def step(self, mix: Audio, state: State) -> Audio:
        """Separate a hop and send each stem through its chain; see `Separator.step`."""
        stems = self._inner.step(mix, state)
        self._sentry.look()
        self._exchange_states()
        for stem, index in self._stems.items():
            block = stems[index]
            for slot in self._chains[stem]:
                plan = slot.plan
                side = self._sides[slot.number](stems[self._stems[plan.by]]) if plan.by else block
                with self._sentry.watching(slot.watched):
                    slot.insert.move({knob.knob: float(self._words[knob.word]) for knob in plan.knobs})
                    block = slot.insert.process(block, side)
            self._out[index] = self._ends[stem](block)
        return self._out

    def _exchange_states(self) -> None:
        if self._inbox is None:
            return
        news, asked = self._inbox.news(), self._inbox.asked
        if not news and not asked:
            return
        states: dict[int, bytes] = {}
        for slot in (slot for chain in self._chains.values() for slot in chain):
            if slot.number in news:
                slot.insert.take_state(news[slot.number])
            if asked and isinstance(slot.insert.effect, PluginEffect):
                with self._sentry.watching(slot.watched):
                    states[slot.number] = slot.insert.effect.state
        if asked:
            self._inbox.answer(states)


def make_effect(plan: EffectPlan, rate: int, state: bytes = b"") -> Effect:
    """Load the effect that a plan names, a plug-in with its state.

    Raises:
        PluginError: a plug-in cannot be loaded.
    """
    if plan.path:
        return PluginEffect(Path(plan.path), rate, channels=plan.channels, state=state)
    return DuckEffect(rate) if plan.by else BuiltinEffect(plan.use, rate)
