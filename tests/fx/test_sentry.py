"""Who is blamed for the death of a process, over the words that outlive it."""

from __future__ import annotations

import numpy as np
import pytest

from rtsep.clock import VirtualClock
from rtsep.fx.sentry import CALM_S, DEATHS, Sentry
from rtsep.realtime import layout as at


@pytest.fixture
def header() -> np.ndarray:
    return np.zeros(at.HEADER_WORDS, np.int64)


def dies_in(header: np.ndarray, epoch: int, number: int) -> None:
    """A process with plug-ins that ends while effect `number` runs, 0 for none."""
    with Sentry(header, epoch, plugins=True).watching(number):
        running = int(header[at.FX_RUNNING])
    header[at.FX_RUNNING] = running


def test_an_effect_in_which_the_process_died_is_banned_for_good(header: np.ndarray) -> None:
    dies_in(header, 4, 2)
    for epoch in (5, 6):
        sentry = Sentry(header, epoch, plugins=True)
        assert "crashed" in sentry.banned(2)
        assert not sentry.banned(1)


def test_an_effect_whose_process_was_ended_on_purpose_is_not_banned(header: np.ndarray) -> None:
    dies_in(header, 3, 1)
    assert not Sentry(header, 5, plugins=True).banned(1)


def test_processes_that_die_in_a_row_with_nobody_to_blame_lose_all_plug_ins(header: np.ndarray) -> None:
    for epoch in range(1, 1 + DEATHS):
        assert not Sentry(header, epoch, plugins=True).banned(1)
    assert "again and again" in Sentry(header, 1 + DEATHS, plugins=True).banned(1)


def test_without_plug_ins_deaths_are_nobodys_business(header: np.ndarray) -> None:
    for epoch in range(1, 4 + DEATHS):
        assert not Sentry(header, epoch, plugins=False).banned(1)


def test_deaths_long_apart_are_not_counted_together(header: np.ndarray) -> None:
    clock = VirtualClock()
    for epoch in range(1, 4 + DEATHS):
        sentry = Sentry(header, epoch, plugins=True, clock=clock)
        assert not sentry.banned(1)
        clock.advance(round(CALM_S * 1e9) + 1)
        sentry.look()
