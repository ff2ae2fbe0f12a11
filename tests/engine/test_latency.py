"""The declared latency against a naive oracle that plays callbacks one by one; and the names and sums of its terms."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtsep.engine.latency import LatencyBudget, compute_budget, live_budget, schedule
from rtsep.models.separator import LatencyTerm
from tests.realtime.deck import RATE, fractions


def frames_to_compute(hop: int, block: int, delay: int) -> int:
    """Fewest frames between the callback that completes a hop and the one that plays its first stem frame, found by counting.

    Callback k hears and plays the frames from `k * block` up to `(k + 1) * block`. After `lcm(hop, block)` frames all is as
    before.
    """
    heard_in, due_in = {}, {}
    hops = math.lcm(hop, block) // hop
    for k in range((math.lcm(hop, block) + hop + delay) // block + 2):
        for frame in range(k * block, (k + 1) * block):
            if (frame + 1) % hop == 0:
                heard_in[(frame + 1) // hop - 1] = k
            if frame >= delay and (frame - delay) % hop == 0:
                due_in[(frame - delay) // hop] = k
    return min((due_in[j] - heard_in[j]) * block for j in range(hops))


@pytest.mark.parametrize("hop", range(1, 65))
def test_the_model_never_has_less_than_the_promised_time(hop: int) -> None:
    for block in range(1, 65):
        found, promised = frames_to_compute(hop, block, schedule(hop, block)), compute_budget(hop, block)
        assert found >= promised > hop, block
        if hop % block == 0:
            assert found == promised, block


@given(hop=st.integers(1, 3000), block=st.integers(1, 3000))
def test_the_same_holds_for_long_hops_and_blocks(hop: int, block: int) -> None:
    # Hops end at every multiple of the greatest common divisor within a block, and nowhere else.
    budgets = [
        ((end + schedule(hop, block) - hop) // block - (end - 1) // block) * block
        for end in range(math.gcd(hop, block), block + 1, math.gcd(hop, block))
    ]
    assert min(budgets) >= compute_budget(hop, block)


def test_a_block_that_divides_the_hop_costs_two_hops() -> None:
    assert schedule(1024, 256) == 2048
    assert schedule(512, 512) == 1024


def test_the_budget_names_every_term_and_adds_them_up() -> None:
    devices = (LatencyTerm("device input", 64), LatencyTerm("device output", 128))
    budget = live_budget(fractions(1024, delay=1000).spec, 256, devices)
    assert [(term.name, term.frames) for term in budget.terms if term.frames] == [
        ("delay", 1000),
        ("hop to fill", 1024),
        ("time to compute", 1024),
    ]
    assert budget.frames == 3048
    assert budget.total_frames == 3240
    text = "\n".join(budget.lines())
    for part in ("delay", "3048 frames", "69.1 ms", "3240 frames", "73.5 ms"):
        assert part in text


def test_without_device_terms_there_is_one_sum() -> None:
    assert len(LatencyBudget(RATE, (LatencyTerm("delay", 441),)).lines()) == 2
