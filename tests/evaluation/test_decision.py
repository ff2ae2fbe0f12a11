"""From figures to a choice, without measuring: which tier, which way to compute it, what to do when it is late, which period."""

from __future__ import annotations

import time

import pytest

from rtsep.evaluation.decision import best_tier, best_way, when_late
from rtsep.evaluation.wakes import PERIODS, WakeWatch, shortest_period
from tests.evaluation.figures import measured

TIERS = ("46ms", "70ms", "116ms", "440ms")


@pytest.mark.parametrize(
    ("slow", "tier"),
    [((), "70ms"), (("70ms",), "116ms"), (("70ms", "116ms"), "440ms"), (("70ms", "116ms", "440ms"), "46ms")],
)
def test_the_default_tier_is_taken_or_the_next_that_holds(slow: tuple[str, ...], tier: str) -> None:
    chosen = best_tier("70ms", [measured(name, late_hops=500 if name in slow else 0) for name in TIERS])
    assert chosen is not None
    assert chosen.tier == tier


def test_without_a_tier_that_holds_there_is_none() -> None:
    assert best_tier("46ms", [measured("46ms", real_time_factor=2.0)]) is None


@pytest.mark.parametrize(
    ("usual", "two_threads", "torch", "taken"),
    [
        ({"p99_ms": 10.0}, {"p99_ms": 9.0}, {"p99_ms": 8.0}, ("onnx", 1)),  # faster, but not by enough
        ({"p99_ms": 10.0}, {"p99_ms": 6.0}, {"p99_ms": 8.0}, ("onnx", 2)),
        ({"p99_ms": 10.0}, {"p99_ms": 6.0}, {"p99_ms": 3.0}, ("torch", 1)),
        ({"p99_ms": 10.0}, {"p99_ms": 6.0, "late_hops": 1}, {"p99_ms": 20.0}, ("onnx", 1)),  # faster, but late
        ({"p99_ms": 29.0}, {"p99_ms": 22.0}, {"p99_ms": 28.0}, ("onnx", 2)),  # the only way that holds
        ({"p99_ms": 29.0}, {"p99_ms": 28.0}, {"p99_ms": 28.5}, ("onnx", 1)),  # none holds
    ],
)
def test_another_way_must_be_needed_or_much_faster(
    usual: dict[str, float], two_threads: dict[str, float], torch: dict[str, float], taken: tuple[str, int]
) -> None:
    others = [measured("70ms", threads=2, **two_threads), measured("70ms", runtime="torch", **torch)]
    best = best_way(measured("70ms", **usual), others)
    assert (best.runtime, best.threads) == taken


@pytest.mark.parametrize(
    ("load", "slower", "policy"),
    [(0.3, 0.3, "grow"), (0.5, 0.3, "grow"), (0.6, 0.3, "tier"), (0.6, 0.6, "dry"), (0.6, 0.7, "dry")],
)
def test_a_light_tier_is_given_time_and_a_heavy_one_gives_way(load: float, slower: float, policy: str) -> None:
    loads = [measured("46ms", real_time_factor=load), measured("70ms", real_time_factor=slower)]
    assert when_late(loads[0], loads) == policy


def test_the_slowest_tier_has_nothing_to_give_way_to() -> None:
    loads = [measured("46ms", real_time_factor=0.1), measured("70ms", real_time_factor=0.8)]
    assert when_late(loads[1], loads) == "dry"


@pytest.mark.parametrize(
    ("late_ms", "rate", "period"),
    [(0.0, 44_100, 64), (0.7, 44_100, 64), (0.8, 44_100, 128), (0.7, 48_000, 128), (2.5, 44_100, 256), (50.0, 44_100, 1024)],
)
def test_a_period_lasts_twice_as_long_as_wake_ups_are_late(late_ms: float, rate: int, period: int) -> None:
    assert shortest_period(late_ms, rate) == period
    assert period in PERIODS


def test_wake_ups_are_counted_while_it_runs_and_not_longer() -> None:
    with WakeWatch() as watch:
        while watch.count < 20:
            time.sleep(0.01)
    counted, late_ms = watch.count, watch.late_ms()
    time.sleep(0.02)
    assert watch.count == counted
    assert watch.late_ms() == late_ms > 0.0
