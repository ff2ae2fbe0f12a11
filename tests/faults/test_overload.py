"""A model that is late again and again, on a virtual clock: told once, and met with more time or a cheaper tier."""

from __future__ import annotations

import numpy as np
import pytest

from rtsep.engine.overload import CLEAR_S, LOOK_S, SHRINK_S, WARN_S, Hysteresis, OnOverload, OverloadGuard
from rtsep.realtime import layout as at
from tests.faults.fault_plan import FaultPlan
from tests.faults.virtual_stage import Stage, counting


class Host:
    """A backend that only counts how often it was told of another latency."""

    name = "host"

    def __init__(self) -> None:
        self.told = 0

    def latency_changed(self) -> None:
        self.told += 1


class Guarded:
    """A stage with a guard that looks every half second."""

    def __init__(self, plan: FaultPlan, action: OnOverload, tier: str = "46ms") -> None:
        self.stage = Stage(plan, tier=tier)
        self.told: list[tuple[float, str]] = []
        self.host = Host()
        clock = self.stage.clock
        self.guard = OverloadGuard(
            self.stage.engine,
            self.host,  # type: ignore[arg-type]
            action,
            on_event=lambda text: self.told.append((clock.now_ns() / 1e9, text)),
            clock=clock,
        )
        clock.every(LOOK_S, self.guard.look)

    def said(self, text: str) -> list[float]:
        return [moment for moment, sentence in self.told if text in sentence]


def stalls(first_s: float, last_s: float, every_s: float = 0.3, stall_ms: float = 60.0) -> dict[int, float]:
    """A model that is late every now and then between two moments."""
    hop_s = 1024 / 44_100
    return {round(t / hop_s): stall_ms for t in np.arange(first_s, last_s, every_s)}


def test_a_warning_needs_three_seconds_of_trouble_and_five_without_to_go() -> None:
    hysteresis = Hysteresis()
    moments = np.arange(0.0, 30.0, 0.5)
    on = []
    for now in moments:
        hysteresis.look(now, trouble=5.0 <= now < 12.0)
        on.append(hysteresis.on)
    switched_on, switched_off = moments[np.argmax(on)], moments[len(on) - np.argmax(on[::-1])]
    assert 5.0 + WARN_S <= switched_on <= 5.0 + WARN_S + 0.5
    assert 11.5 + CLEAR_S <= switched_off <= 12.0 + CLEAR_S + 0.5


def test_a_single_stall_is_no_overload() -> None:
    guarded = Guarded(FaultPlan(stalls_ms={100: 800.0, 500: 800.0}), "grow")
    guarded.stage.play(20.0)
    assert guarded.told == []


def test_overload_is_told_once_and_taken_back() -> None:
    guarded = Guarded(FaultPlan(stalls_ms=stalls(2.0, 12.0)), "dry")
    guarded.stage.play(25.0)
    assert len(guarded.said("late again and again")) == 1
    assert len(guarded.said("keeps up again")) == 1
    assert guarded.guard.warning == ""
    assert guarded.stage.engine.latency.frames == guarded.stage.latency


def test_growing_ends_the_lateness_and_is_told_to_the_host() -> None:
    guarded = Guarded(FaultPlan(load=0.5, stalls_ms=stalls(2.0, 40.0, stall_ms=30.0)), "grow")
    stage = guarded.stage
    stage.play(10.0)
    assert stage.engine.reserve >= stage.hop
    assert guarded.host.told >= 1
    late = int(stage.header[at.LATE_HOPS])
    stage.play(10.0)
    assert stage.header[at.LATE_HOPS] == late
    assert stage.header[at.LATENCY] == stage.engine.latency.frames == stage.latency + stage.engine.reserve
    heard = stage.heard[0]
    n = 44_100
    now = heard.shape[0]
    assert np.array_equal(heard[-n:], counting(now - n - stage.engine.latency.frames, n)[0])


def test_the_latency_shrinks_again_after_a_minute_without_a_late_hop() -> None:
    guarded = Guarded(FaultPlan(load=0.5, stalls_ms=stalls(2.0, 9.0, stall_ms=30.0)), "grow")
    stage = guarded.stage
    stage.play(10.0 + 2.5 * SHRINK_S)
    assert guarded.said("Latency is now")
    assert stage.engine.reserve == 0
    assert stage.header[at.LATENCY] == stage.latency


def test_a_model_that_needs_more_than_all_of_the_time_is_not_given_latency() -> None:
    guarded = Guarded(FaultPlan(load=1.3), "grow")
    guarded.stage.play(12.0)
    assert len(guarded.said("More latency cannot help")) == 1
    assert guarded.stage.engine.reserve == 0


@pytest.mark.parametrize(("tier", "next_tier"), [("3ms", "12ms"), ("12ms", "46ms")])
def test_stepping_down_asks_for_the_next_tier(tier: str, next_tier: str) -> None:
    guarded = Guarded(FaultPlan(load=1.3), "tier", tier=tier)
    guarded.stage.play(WARN_S + 2.0)
    assert guarded.said(f"Changing to tier {next_tier}")
    assert guarded.stage.engine.spec.tier == next_tier
    assert guarded.host.told == 1


def test_the_cheapest_tier_says_that_it_is_the_last() -> None:
    guarded = Guarded(FaultPlan(load=1.3), "tier")
    guarded.stage.play(WARN_S + 2.0)
    guarded.stage.play(10.0)
    assert len(guarded.said("no cheaper tier")) == 1
