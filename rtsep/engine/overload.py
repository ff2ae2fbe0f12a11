"""What to do when the model is late again and again: say so, give it time, or step down to a cheaper tier.

A single late hop is heard dry and forgotten. If hops have been late in each of the last `WARN_S` seconds, that is overload: the
player is told, and by choice

* `dry` leaves it at that: the dry mix is heard whenever stems are late;
* `grow` adds one hop to the latency, and takes it back when no hop has been late for a while, twice as long after each failed
  attempt; it helps against jitter, not against a model that needs more than all of the time, which is told instead;
* `tier` changes to the model's next tier, which computes less often and delays more.

The warning is taken back after `CLEAR_S` seconds without a late hop. Every change of latency is told and reported to the host.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Literal

import numpy as np

from rtsep.clock import MONOTONIC, Clock
from rtsep.engine.session import Backend, Engine
from rtsep.errors import ModelError
from rtsep.models import registry
from rtsep.realtime import layout as at
from rtsep.units import frames_to_ms

OnOverload = Literal["dry", "grow", "tier"]
ACTIONS: tuple[OnOverload, ...] = ("dry", "grow", "tier")

LOOK_S = 0.5
WARN_S = 3.0
CLEAR_S = 5.0
SHRINK_S = 60.0
MOST_HOPS = 4
"""Hops of latency that `grow` adds at most."""

_HOPELESS = 0.97
"""Share of real time that the model's computing may take before more latency cannot help."""


class Hysteresis:
    """On after `WARN_S` of trouble, off after `CLEAR_S` without. Pure: time is handed in."""

    def __init__(self) -> None:
        self.on = False
        self._trouble_since_s: float | None = None
        self._last_trouble_s = -np.inf

    def look(self, now_s: float, trouble: bool) -> bool:
        """Take in what was seen since the last look; returns whether `on` changed.

        Trouble that pauses for up to a second goes on: a model with long hops is late only now and then.
        """
        if trouble:
            if self._trouble_since_s is None:
                self._trouble_since_s = now_s
            self._last_trouble_s = now_s
        elif now_s - self._last_trouble_s > 1.0:
            self._trouble_since_s = None
        before = self.on
        if self._trouble_since_s is not None and now_s - self._trouble_since_s >= WARN_S:
            self.on = True
        elif now_s - self._last_trouble_s >= CLEAR_S:
            self.on = False
        return self.on != before


class OverloadGuard:
    """Watches a live engine. Control threads only.

    Attributes:
        warning: sentence while there is overload, empty otherwise.
    """

    def __init__(
        self,
        engine: Engine,
        backend: Backend,
        action: OnOverload = "dry",
        *,
        on_event: Callable[[str], None] | None = None,
        clock: Clock = MONOTONIC,
    ) -> None:
        self.warning = ""
        self._engine, self._backend, self._action, self._clock = engine, backend, action, clock
        self._tell = on_event or (lambda _text: None)
        self._hysteresis = Hysteresis()
        self._counted = engine.segment.header.copy()
        self._calm_since_s = clock.now_ns() / 1e9
        self._shrink_s = SHRINK_S
        self._acted = False
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self.watch, name="rtsep-overload", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self) -> None:
        """End the watch."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def watch(self) -> None:
        """Watch until `stop` is called. `start` does this in a thread of its own."""
        while not self._clock.wait(self._stopping, round(LOOK_S * 1e9)):
            self.look()

    def look(self) -> None:
        """Take in what was counted since the last look, and act on it."""
        now_s = self._clock.now_ns() / 1e9
        header = self._engine.segment.header.copy()
        since = header - self._counted
        self._counted = header
        late = int(since[at.LATE_HOPS]) > 0
        if late:
            self._calm_since_s = now_s
        if self._hysteresis.look(now_s, late):
            if self._hysteresis.on:
                self._overloaded(since)
            else:
                self.warning = ""
                self._tell("The model keeps up again.")
        elif self._hysteresis.on and late and self._acted:
            self._hysteresis = Hysteresis()  # what was done was not enough: after another WARN_S more is done
        elif self._engine.reserve and self._action == "grow" and now_s - self._calm_since_s >= self._shrink_s:
            self._calm_since_s = now_s
            self._shrink_s *= 2
            self._set_reserve(max(0, self._engine.reserve - self._engine.spec.hop))

    def _overloaded(self, since: np.ndarray) -> None:
        spec = self._engine.spec
        hops = max(1, int(since[at.HOPS]))
        share = float(since[at.HOP_NS_SUM]) / hops / 1e9 / (spec.hop / spec.rate)
        self.warning = (
            f"The model is late again and again: it takes {share:.0%} of the time there is. The dry mix is heard meanwhile."
        )
        self._tell(self.warning)
        self._acted = False
        if self._action == "tier":
            self._step_down()
        elif self._action == "grow" and share >= _HOPELESS:
            self._tell("More latency cannot help; a cheaper tier can: rtsep run --on-overload tier, or see: rtsep models")
        elif self._action == "grow":
            self._grow()

    def _grow(self) -> None:
        reserve = self._engine.reserve + self._engine.spec.hop
        if reserve > MOST_HOPS * self._engine.spec.hop or not self._engine.has_room_for(reserve):
            self._tell("The latency has grown as far as it may; a cheaper tier helps more: see rtsep models")
            return
        self._set_reserve(reserve)

    def _set_reserve(self, frames: int) -> None:
        self._engine.set_reserve(frames)
        self._latency_changed()

    def _step_down(self) -> None:
        spec = self._engine.spec
        tiers = [tier.name for tier in registry.find(spec.name)[0].tiers if not tier.whole_file]
        cheaper = tiers[tiers.index(spec.tier) + 1 :]
        if not cheaper:
            self._tell(f"{spec.name} has no cheaper tier than {spec.tier}.")
            return
        try:
            self._engine.change(tier=cheaper[0])
        except ModelError as error:
            self._tell(str(error))
            return
        self._tell(f"Changing to tier {cheaper[0]}.")
        self._latency_changed()

    def _latency_changed(self) -> None:
        self._acted = True
        getattr(self._backend, "latency_changed", lambda: None)()
        frames, rate = self._engine.latency.frames, self._engine.stream.rate
        self._tell(f"Latency is now {frames} frames, {frames_to_ms(frames, rate):.0f} ms.")
