"""When a process counts as hanging, and how long it is waited before the next one: time is handed in."""

from __future__ import annotations

import itertools

import pytest

from rtsep.engine.restarts import BACK_OFF_S, HEALTHY_S, LOADING_S, STALL_S, Heartbeat, RestartPolicy

LOOK_S = 0.05


def noticed_after_s(heart: Heartbeat, *, loaded: bool, limit_s: float) -> float | None:
    """Seconds after which a heart that stands still from 0 on is said to hang."""
    for look in range(round(limit_s / LOOK_S)):
        if heart.hangs(look * LOOK_S, 7, loaded):
            return look * LOOK_S
    return None


def test_a_model_that_stands_still_is_noticed_within_a_second_and_two_looks() -> None:
    after_s = noticed_after_s(Heartbeat(0.0), loaded=True, limit_s=10.0)
    assert after_s is not None
    assert STALL_S <= after_s <= STALL_S + 2 * LOOK_S


def test_a_model_may_take_two_minutes_to_load_and_no_longer() -> None:
    after_s = noticed_after_s(Heartbeat(0.0), loaded=False, limit_s=200.0)
    assert after_s is not None
    assert LOADING_S <= after_s <= LOADING_S + 2 * LOOK_S


def test_a_beat_ten_times_a_second_is_a_sign_of_life() -> None:
    heart = Heartbeat(0.0)
    assert not any(heart.hangs(look * LOOK_S, look // 2, True) for look in range(10_000))


def test_whoever_was_suspended_together_with_the_model_gives_it_time_to_beat_again() -> None:
    heart = Heartbeat(0.0)
    assert not heart.hangs(0.05, 1, True)
    assert not heart.hangs(3_600.0, 1, True)
    assert not heart.hangs(3_600.5, 1, True)
    assert not heart.hangs(3_600.55, 2, True)


def test_waits_double_and_after_five_restarts_there_is_no_other() -> None:
    policy = RestartPolicy()
    assert [policy.wait_s(1.0, permanent=False) for _ in range(7)] == [*BACK_OFF_S, None, None]
    assert len(BACK_OFF_S) == 5
    assert all(later >= 2 * earlier for earlier, later in itertools.pairwise(BACK_OFF_S))


def test_a_process_that_ran_for_a_minute_has_the_count_begin_anew() -> None:
    policy = RestartPolicy()
    for _ in range(4):
        policy.wait_s(1.0, permanent=False)
    assert policy.wait_s(HEALTHY_S + 1.0, permanent=False) == BACK_OFF_S[0]


@pytest.mark.parametrize("ran_s", [0.0, HEALTHY_S + 1.0])
def test_what_another_attempt_cannot_mend_is_not_attempted(ran_s: float) -> None:
    assert RestartPolicy().wait_s(ran_s, permanent=True) is None
