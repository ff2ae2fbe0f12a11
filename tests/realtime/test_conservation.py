"""Every input sample leaves exactly once, in order, after exactly the declared latency, whatever the host's blocks are."""

from __future__ import annotations

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from rtsep.realtime import layout as at
from tests.realtime.deck import Deck, delayed, fractions, noise

FRAMES = 30_000
MIX = noise(FRAMES)


@given(
    blocks=st.lists(st.integers(1, at.MAX_BLOCK), min_size=1, max_size=60),
    hop=st.integers(32, 4096),
    delay=st.integers(0, 3000),
)
@example(blocks=[at.MAX_BLOCK], hop=32, delay=0)
@example(blocks=[1] * 60, hop=4096, delay=3000)
def test_random_blocks_lose_double_and_move_nothing(blocks: list[int], hop: int, delay: int) -> None:
    deck = Deck(fractions(hop, delay), block=max(blocks))
    heard = deck.play(MIX, blocks)
    assert np.array_equal(heard[:2], delayed(MIX, deck.latency))
    assert deck.header[at.LATE_HOPS] == 0
    assert deck.header[at.DRY_FRAMES] == 0


@given(blocks=st.lists(st.integers(1, at.MAX_BLOCK), min_size=1, max_size=60), hop=st.integers(32, 4096))
def test_without_a_model_random_blocks_lose_nothing_either(blocks: list[int], hop: int) -> None:
    deck = Deck(fractions(hop), block=max(blocks))
    deck.computing = False
    assert np.array_equal(deck.play(MIX, blocks)[:2], delayed(MIX, deck.latency))
