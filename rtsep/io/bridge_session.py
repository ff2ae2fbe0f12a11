"""One plug-in instance and the model that works for it.

The plug-in asks (rate, block, tier, model), the session answers with a layout and keeps an inference process at work on the
segment. Whatever goes wrong is said in the segment, where the DAW shows it, and the plug-in goes on with the delayed input.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

import msgspec

from rtsep.config import Rig
from rtsep.control.params import ParamStore
from rtsep.engine.latency import live_budget
from rtsep.engine.request import WorkerRequest
from rtsep.engine.supervisor import Supervisor, WorkerState
from rtsep.errors import ModelError, RtsepError
from rtsep.fx.prepare import Prepared, prepare
from rtsep.models import registry
from rtsep.models.card import ModelCard, TierCard
from rtsep.models.separator import SeparatorSpec
from rtsep.realtime import layout as at
from rtsep.realtime.segment import Segment

_STATES = {
    WorkerState.LOADING: at.BRIDGE_LOADING,
    WorkerState.RUNNING: at.BRIDGE_RUNNING,
    WorkerState.RESTARTING: at.BRIDGE_LOADING,
    WorkerState.FAILED: at.BRIDGE_FAILED,
    WorkerState.STOPPED: at.BRIDGE_ABSENT,
}


class Plan(msgspec.Struct, frozen=True):
    """What is answered to a plug-in."""

    card: ModelCard
    tier: TierCard
    spec: SeparatorSpec
    latency: int
    effects: Prepared


def plan(rig: Rig, *, model: str, tier_number: int, rate: int, block: int) -> Plan:
    """Find the model and tier that a plug-in asks for, and their latency.

    Args:
        rig: the bridge's own: model and tier for a plug-in that does not ask for others, and effects on stems.
        model: name, or empty.
        tier_number: 0, or 1 + index among the model's live tiers; beyond the last means the last.
        rate: the DAW's sample rate in Hz.
        block: its longest block in frames.

    Raises:
        ModelError: there is no such model, it does not work at this rate, or its latency is more than a plug-in's memory holds.
        ConfigError, PluginError: the effects do not fit.
    """
    card, tier = registry.find(model or rig.engine.model or None, None if model else rig.engine.tier or None)
    live = [candidate for candidate in card.tiers if not candidate.whole_file]
    if tier_number > 0:
        tier = live[min(tier_number, len(live)) - 1]
    spec = registry.describe(card.name, tier.name, rate=rate)
    if spec.rate != rate:
        raise ModelError(f'Model "{card.name}" works at {spec.rate} Hz. Set the project, now at {rate} Hz, to that rate.')
    effects = prepare(rig.fx, model=card.name, tier=tier.name, rate=rate)
    spec = msgspec.structs.replace(spec, latency_terms=(*spec.latency_terms, *effects.extra_latency))
    latency = live_budget(spec, block).frames
    if latency + spec.latency + 4 * spec.hop + 2 * at.MAX_BLOCK > at.PLUGIN_CAPACITY:
        known = ", ".join(card.tier_names)
        raise ModelError(f'Tier "{tier.name}" of "{card.name}" has too much latency for a plug-in. Tiers: {known}.')
    return Plan(card, tier, spec, latency, effects)


class PluginSession:
    """An instance being served. One control thread.

    Attributes:
        segment: the instance's memory.
        supervisor: owner of its inference process; None while there is no usable request.
    """

    def __init__(self, segment: Segment, rig: Rig, say: Callable[[str], None]) -> None:
        self.segment = segment
        self.supervisor: Supervisor | None = None
        self._rig = rig
        self._say = say
        self._answered = -1
        self._plan: Plan | None = None
        header = segment.header
        header[at.STOP] = 0  # a bridge that ended before has left it set
        header[at.BRIDGE_PID] = os.getpid()
        header[at.BRIDGE_VERSION] = at.VERSION

    @property
    def host(self) -> int:
        """Process id of the DAW."""
        return int(self.segment.header[at.HOST_PID])

    def poll(self) -> None:
        """Answer what the plug-in asks now, and show how the model is. Call at least ten times a second."""
        header = self.segment.header
        header[at.BRIDGE_BEAT] += 1  # before the answer: who has got one waits only for a bridge that lives
        request = int(header[at.HOST_REQUEST])
        if request != self._answered and header[at.HOST_BLOCK] > 0:
            self._answered = request
            self._answer(request)
        if self.supervisor is not None:
            header[at.BRIDGE_STATE] = _STATES[self.supervisor.state]
            self._tell_plugin(self.supervisor.reason or self._what_runs())

    def _answer(self, request: int) -> None:
        header = self.segment.header
        try:
            wanted = plan(
                self._rig,
                model=_text(self.segment, at.HOST_MODEL, at.HOST_MODEL_WORDS),
                tier_number=int(header[at.HOST_TIER]),
                rate=int(header[at.RATE]),
                block=int(header[at.HOST_BLOCK]),
            )
        except RtsepError as error:
            self._refuse(str(error), request)
            return
        before, self._plan = self._plan, wanted
        if self.supervisor is not None and before is not None and before.spec == wanted.spec:
            self._change_latency(wanted.latency, request)
            return
        order = WorkerRequest(
            descriptor=self.segment.descriptor,
            capacity=at.PLUGIN_CAPACITY,
            epoch=0,
            model=wanted.card.name,
            tier=wanted.tier.name,
            rate=wanted.spec.rate,
            runtime=self._rig.engine.runtime,
            threads=self._rig.engine.threads or 1,
        )
        wanted.effects.set_knobs(ParamStore(self.segment.params))
        if before is not None and before.effects.worker != wanted.effects.worker:
            self._stop_model()
        if self.supervisor is not None:
            self.supervisor.swap(order, lambda: self._lay_out(wanted, request))
            return
        header[at.READY] = 0
        header[at.BRIDGE_STATE] = at.BRIDGE_LOADING  # before the answer, or the plug-in's first blocks would see no engine
        header[at.EPOCH] += 1  # nothing that an earlier bridge has published is played with the new layout
        self._lay_out(wanted, request)
        self.supervisor = Supervisor(self.segment, order, on_event=self._say, command=wanted.effects.worker)
        self.supervisor.start()

    def _lay_out(self, wanted: Plan, request: int) -> None:
        header, spec = self.segment.header, wanted.spec
        self._count_layout()
        self.segment.lay_out(rate=spec.rate, hop=spec.hop, model_latency=spec.latency, latency=wanted.latency, stems=spec.stems)
        header[at.LAYOUT_FOR] = request
        self._count_layout()

    def _change_latency(self, latency: int, request: int) -> None:
        """Answer a DAW that only has another block size: the model goes on."""
        self._count_layout()
        self.segment.header[at.LATENCY] = latency
        self.segment.header[at.LAYOUT_FOR] = request
        self._count_layout()

    def _count_layout(self) -> None:
        """Begin or end a rewriting. Taking a lock is the memory barrier that keeps the words in order on any processor."""
        with threading.Lock():
            self.segment.header[at.LAYOUT_COUNT] += 1

    def _refuse(self, why: str, request: int) -> None:
        self._stop_model()
        self._plan = None
        header = self.segment.header
        header[at.BRIDGE_STATE] = at.BRIDGE_FAILED
        header[at.LAYOUT_FOR] = request  # the layout stays; there is no use in waiting for another
        self._tell_plugin(why)
        self._say(why)

    def _what_runs(self) -> str:
        return f"{self._plan.card.name}, {self._plan.tier.name}, {self._plan.latency} frames" if self._plan else ""

    def _tell_plugin(self, sentence: str) -> None:
        size = 8 * at.MESSAGE_WORDS
        text = sentence.encode()[: size - 1].decode(errors="ignore").encode()
        bytes_ = self.segment.header[at.MESSAGE : at.MESSAGE + at.MESSAGE_WORDS].view("u1")
        bytes_[: len(text)] = list(text)
        bytes_[len(text) :] = 0

    def _stop_model(self) -> None:
        if self.supervisor is not None:
            self.supervisor.stop()
            self.supervisor = None
            self.segment.header[at.STOP] = 0

    def close(self) -> None:
        """End the model and let the instance go; the plug-in plays the delayed input from now on."""
        self._stop_model()
        self.segment.header[at.BRIDGE_STATE] = at.BRIDGE_ABSENT
        self.segment.header[at.BRIDGE_PID] = 0
        self.segment.close()


def _text(segment: Segment, word: int, count: int) -> str:
    raw: bytes = segment.header[word : word + count].tobytes()
    return raw.split(b"\0", 1)[0].decode(errors="replace")
