"""A model that is late, stands still, raises or returns rubbish: the dry mix is heard, nothing is lost, the stems come back."""

from __future__ import annotations

import numpy as np
import pytest

from rtsep.realtime import layout as at
from tests.faults.fault_plan import FaultPlan
from tests.faults.virtual_stage import Stage, tone

ROUNDING = 3e-7
"""Stems and dry mix meet in cross-fades, where three float32 products of full scale are added."""

STEP_DB = -60.0


def largest_step(signal: np.ndarray) -> float:
    return float(np.abs(np.diff(signal)).max())


def runs(flags: np.ndarray) -> list[tuple[int, int]]:
    """First and last-but-one frame of every run of true."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(np.int8), [0]])))
    return list(zip(edges[::2], edges[1::2], strict=True))


def test_nothing_is_lost_doubled_or_moved_whatever_the_model_does(seed: int) -> None:
    stage = Stage(FaultPlan.drawn(seed, steps=400, callbacks=1700))
    stage.play(10.0)
    assert np.abs(stage.heard[:2] - stage.expected()).max() <= ROUNDING


def test_any_plan_of_faults_leaves_every_output_finite_and_at_most_full_scale(seed: int) -> None:
    stage = Stage(FaultPlan.drawn(seed, steps=400, callbacks=1700))
    stage.play(10.0)
    assert np.isfinite(stage.heard).all()
    assert np.abs(stage.heard).max() <= 1.0 + ROUNDING


def test_a_plan_with_the_same_seed_gives_the_same_samples(seed: int) -> None:
    first, second = (Stage(FaultPlan.drawn(seed, steps=100, callbacks=400)) for _ in range(2))
    first.play(2.0)
    second.play(2.0)
    assert np.array_equal(first.heard, second.heard)


def test_a_model_in_time_is_never_dry() -> None:
    stage = Stage(FaultPlan(load=0.98))
    stage.play(5.0)
    assert not stage.dry()[stage.latency :].any()
    assert stage.header[at.LATE_HOPS] == 0


def test_a_stall_of_500_ms_is_heard_dry_and_the_stems_return_within_the_hold_time_after_it() -> None:
    stage = Stage(FaultPlan(stalls_ms={50: 500.0}))
    stage.play(5.0)
    heard = stage.dry()
    (start, end), *others = runs(heard)
    assert not others
    stalled_from = 51 * stage.hop  # step 50 begins when its hop is complete, and would have been in time
    recovered = stalled_from + round(0.5 * stage.rate)
    assert stalled_from < start <= stalled_from + stage.latency + stage.hop
    hold = stage.rate * at.HOLD_MS // 1000
    assert end <= recovered + hold + at.FADE + 2 * stage.latency
    assert stage.header[at.RESYNCS] >= 1
    assert np.abs(stage.heard[:2] - stage.expected()).max() <= ROUNDING


@pytest.mark.parametrize("level", [1.0, 0.5])
def test_falling_back_and_returning_makes_no_step_above_60_db_below_full_scale(level: float) -> None:
    stage = Stage(FaultPlan(stalls_ms={50: 500.0}), signal=tone(40.0, level, 44_100))
    stage.engine.segment.params[at.MUTE] = 1.0  # so that stems and dry mix differ
    stage.play(5.0)
    stem = stage.heard[2 + 2]
    steepest = 2 * np.pi * 40.0 / stage.rate * level  # of the tone itself, at the gain of a stem or of the dry mix
    assert stage.dry()[stage.latency :].any()
    assert largest_step(stem[stage.latency + stage.hop :]) - steepest / 4 <= 10 ** (STEP_DB / 20)
    assert largest_step(stage.heard[0][stage.latency + stage.hop :]) - steepest <= 10 ** (STEP_DB / 20)


def test_latency_is_the_same_before_during_and_after_a_stall() -> None:
    stage = Stage(FaultPlan(stalls_ms={20: 300.0, 60: 300.0}))
    for _ in range(5):
        stage.play(1.0)
        heard, expected = stage.heard[0], stage.expected()[0]
        lags = range(-8, 9)
        middle = slice(len(heard) - 8192, len(heard) - 64)
        errors = [np.abs(heard[middle] - np.roll(expected, lag)[middle]).sum() for lag in lags]
        assert lags[int(np.argmin(errors))] == 0


def test_a_model_at_twice_its_time_does_not_flutter_between_stems_and_dry() -> None:
    stage = Stage(FaultPlan(load=2.0))
    stage.play(20.0)
    dry = stage.dry()[stage.latency :]
    hold = stage.rate * at.HOLD_MS // 1000
    later_wet = [end - start for start, end in runs(~dry)[1:]]
    assert dry.mean() > 0.5
    assert all(end - start >= hold for start, end in runs(dry)[:-1])
    assert len(later_wet) <= 20.0 / (at.HOLD_MS / 1000)


def test_a_model_at_a_fifth_too_much_stays_dry_for_at_least_the_hold_time() -> None:
    stage = Stage(FaultPlan(load=1.2))
    stage.play(20.0)
    hold = stage.rate * at.HOLD_MS // 1000
    falls = runs(stage.dry()[stage.latency :])
    assert falls
    assert all(end - start >= hold for start, end in falls[:-1])
    assert np.abs(stage.heard[:2] - stage.expected()).max() <= ROUNDING


def test_a_model_that_raises_is_started_again_and_heard_again() -> None:
    stage = Stage(FaultPlan(raises={30}))
    stage.play(4.0)
    assert stage.restarts == 1
    assert not stage.dry()[-stage.rate :].any()
    assert np.abs(stage.heard[:2] - stage.expected()).max() <= ROUNDING


def test_a_model_that_always_raises_is_given_up_after_five_restarts_and_the_dry_mix_goes_on() -> None:
    stage = Stage(FaultPlan(raises=set(range(1000))))
    stage.play(40.0)
    assert stage.restarts == 5
    assert np.array_equal(stage.heard[:2][:, -stage.rate :], stage.expected()[:, -stage.rate :])


def test_a_result_of_a_process_that_was_replaced_is_not_played() -> None:
    stage = Stage(FaultPlan(raises={30}))
    stage.play(0.6)
    old = stage.inference
    stage.play(1.5)
    segment = stage.engine.segment
    before = segment.tags.copy()
    newest = stage.inference.next_hop
    segment.tags[(newest + 1) & (at.TAGS - 1)] = at.tag(old.epoch, newest + 1)  # what the old one would still have written
    published = int(segment.tags[(newest + 1) & (at.TAGS - 1)])
    assert published != at.tag(int(stage.header[at.EPOCH]), newest + 1)
    assert not np.array_equal(before, segment.tags)
    stage.play(2.0)
    assert np.abs(stage.heard[:2] - stage.expected()).max() <= ROUNDING


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_number_that_is_none_never_leaves_the_model(value: float) -> None:
    stage = Stage(FaultPlan(poison={40: value}))
    stage.play(3.0)
    assert stage.header[at.BAD_HOPS] == 1
    assert np.isfinite(stage.heard).all()
    assert np.abs(stage.heard[:2] - stage.expected()).max() <= ROUNDING
    assert not stage.dry()[-stage.rate :].any()


def test_a_model_that_only_returns_rubbish_is_heard_dry() -> None:
    stage = Stage(FaultPlan(poison=dict.fromkeys(range(1000), np.nan)))
    stage.play(3.0)
    assert stage.dry()[stage.latency :].all()
    assert np.abs(stage.heard[:2] - stage.expected()).max() <= ROUNDING
