"""How long an effect may take, on a clock of the test's own."""

from __future__ import annotations

import numpy as np
import pytest

from rtsep.clock import VirtualClock
from rtsep.fx.patience import LIMIT_S, SHARE, Patience
from rtsep.realtime import layout as at

HOP_S = 0.0116


@pytest.mark.parametrize(("share", "out"), [(0.9 * SHARE, False), (1.5 * SHARE, True), (3.0, True)])
def test_what_takes_too_much_of_the_time_for_long_ends_patience(share: float, out: bool) -> None:
    clock = VirtualClock()
    patience = Patience(HOP_S, np.zeros(at.HEADER_WORDS, np.int64), clock)
    for _ in range(1000):
        with patience.measuring():
            clock.advance(round(share * HOP_S * 1e9))
    assert patience.exhausted == out


def test_being_held_up_once_is_forgiven() -> None:
    clock = VirtualClock()
    patience = Patience(HOP_S, np.zeros(at.HEADER_WORDS, np.int64), clock)
    for _ in range(10):
        with patience.measuring():
            clock.advance(round(0.9 * LIMIT_S * 1e9))
        assert not patience.exhausted
        for _ in range(100):
            with patience.measuring():
                clock.advance(1000)


def test_while_the_host_waits_time_does_not_count() -> None:
    clock = VirtualClock()
    header = np.zeros(at.HEADER_WORDS, np.int64)
    header[at.FREEWHEEL] = 1
    patience = Patience(HOP_S, header, clock)
    with patience.measuring():
        clock.advance(10**10)
    assert not patience.exhausted
