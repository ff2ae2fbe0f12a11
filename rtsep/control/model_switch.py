"""Another model or tier while the audio goes on: what there is, the change, and the way back if it fails.

Dry is heard from the change until the new model has loaded (`Engine.change`). If it cannot load, the one before comes back and
the sentence why is kept: a player on stage is never left without stems over a wrong choice. Control threads only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rtsep.config import FxTable
from rtsep.engine.latency import live_budget
from rtsep.engine.session import Engine
from rtsep.engine.supervisor import WorkerState
from rtsep.errors import ModelError, RtsepError
from rtsep.models import registry
from rtsep.realtime import layout as at
from rtsep.units import frames_to_ms


class ModelSwitch:
    """Changes the model of one engine.

    Attributes:
        error: sentence on why the last change did not work; empty otherwise.
        loading: model and tier that are being loaded after a change; empty otherwise.
        on_latency: called when the latency may have changed, so that the host can be told.
    """

    def __init__(self, engine: Engine, fx: FxTable, *, tell: Callable[[str], None]) -> None:
        self._engine, self._tell = engine, tell
        self._treated = [stem for stem in fx.__struct_fields__ if getattr(fx, stem)]
        self._before: tuple[str, str] | None = None
        self.error, self.loading = "", ""
        self.on_latency: Callable[[], None] = lambda: None

    def choices(self) -> list[dict[str, Any]]:
        """Every model with its live tiers, their latency on this device in ms, and a sentence on what it lacks, if anything."""
        return [
            {
                "name": card.name,
                "summary": card.summary,
                "stems": list(card.stems),
                "missing": (missing := registry.missing(card.name)),
                "tiers": [] if missing else self._tiers(card.name),
            }
            for card in registry.catalogue()
        ]

    def _tiers(self, model: str) -> list[dict[str, Any]]:
        card, _ = registry.find(model)
        stream = self._engine.stream
        return [
            {
                "name": tier.name,
                "summary": tier.summary,
                "default": tier.name == card.live_tier,
                "latency_ms": frames_to_ms(live_budget(spec, stream.block, stream.device_terms).frames, stream.rate),
            }
            for tier in card.tiers
            if not tier.whole_file and (spec := registry.describe(model, tier.name, rate=stream.rate))
        ]

    def change(self, model: str = "", tier: str = "") -> str:
        """Go on with another model or tier; returns at once with what is loading now.

        Args:
            model: name, empty for the same.
            tier: name, empty for the same, or for the default tier of another model.

        Raises:
            ModelError: unknown, not on this machine, not for live use, or without a stem that the rig's effects need.
        """
        now = self._engine.spec
        if missing := registry.missing(model or now.name):
            raise ModelError(missing)
        card, chosen = registry.find(model or now.name, tier or (now.tier if model in ("", now.name) else None))
        lacking = [stem for stem in self._treated if stem not in card.stems]
        if lacking:
            raise ModelError(f"{card.name} makes no {lacking[0]}, which the rig's effects are on: fx.{lacking[0]}.")
        if (card.name, chosen.name) == (now.name, now.tier) and not self.loading:
            return f"{now.name} {now.tier}"
        self._engine.change(model=card.name, tier=chosen.name)
        self._before = self._before or (now.name, now.tier)
        self.error, self.loading = "", f"{card.name} {chosen.name}"
        self.on_latency()
        return self.loading

    def look(self) -> None:
        """See what has become of a change; to be called again and again."""
        state, header = self._engine.supervisor.state, self._engine.segment.header
        ready = state is WorkerState.RUNNING and header[at.READY] == header[at.EPOCH]
        if not self.loading or not (ready or state is WorkerState.FAILED):
            return
        loaded, before = self.loading, self._before
        self.loading, self._before = "", None
        if ready:
            self._tell(f"{loaded} is running, latency {self._latency_ms():.0f} ms.")
            return
        self.error = f"{loaded} did not start: {self._engine.supervisor.reason}"
        if before is None or before == (self._engine.spec.name, self._engine.spec.tier):
            return
        try:
            self._engine.change(model=before[0], tier=before[1])
        except RtsepError as error:
            self._tell(str(error))
            return
        self.error += f" Back to {' '.join(before)}."
        self.on_latency()
        self._tell(self.error)

    def _latency_ms(self) -> float:
        return frames_to_ms(self._engine.latency.frames, self._engine.stream.rate)
