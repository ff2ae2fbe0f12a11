"""A fader move is heard from the very frame of its message on, and stands after one ramp: measured on a real JACK server."""

from __future__ import annotations

import shutil

import pytest

from rtsep.evaluation.control_delay import FLOOD_PER_S, RATE, flood, measure
from rtsep.realtime import layout as at


@pytest.mark.jack
@pytest.mark.skipif(not shutil.which("jackd"), reason="needs the Debian package jackd2")
@pytest.mark.parametrize("period", [128, 512])
def test_a_controller_is_heard_at_its_own_frame_and_done_after_a_ramp(period: int) -> None:
    delay = measure(period, moves=8)
    assert delay.first == (0, 0)
    assert RATE * at.RAMP_MS // 1000 - 2 <= delay.settled[0] <= delay.settled[1] <= RATE * at.RAMP_MS // 1000


@pytest.mark.jack
@pytest.mark.skipif(not shutil.which("jackd"), reason="needs the Debian package jackd2")
def test_of_ten_thousand_messages_a_second_none_is_missed_and_the_last_is_heard_within_twenty_milliseconds() -> None:
    result = flood(256)
    assert result.sent == FLOOD_PER_S + 1
    assert result.applied == result.sent, "the audio thread has taken in every one, in the cycle that brought it"
    assert result.settled <= RATE * at.RAMP_MS // 1000 <= 0.020 * RATE
