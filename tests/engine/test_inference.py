"""The inference side of the rings: what is published, what is not, and when it gives up the past for the present."""

from __future__ import annotations

import math

import numpy as np
import pytest

from rtsep.engine.worker import PATIENCE_MS, Inference
from rtsep.errors import ModelError
from rtsep.models.passthrough import Passthrough
from rtsep.models.separator import Audio, State
from rtsep.realtime import layout as at
from tests.realtime.deck import RATE, Deck, delayed, fractions, noise

HOP = 256


class Faulty(Passthrough):
    """Fractions of the mix, but the stems of one hop hold a NaN."""

    def __init__(self, bad_hop: int, delay: int = 0) -> None:
        super().__init__(fractions(HOP, delay).spec)
        self._left = bad_hop

    def arm(self) -> None:
        """Count from here: warming up has taken steps already."""
        self.steps = 0

    def step(self, mix: Audio, state: State) -> Audio:
        stems = super().step(mix, state)
        if getattr(self, "steps", -1) == self._left:
            stems[2, 1, 17] = np.nan
        if hasattr(self, "steps"):
            self.steps += 1
        return stems


def published(deck: Deck) -> list[int]:
    """Hops that can be played."""
    epoch = int(deck.header[at.EPOCH])
    return [hop for hop in range(at.TAGS) if deck.segment.tags[hop] == at.tag(epoch, hop)]


def test_hops_are_published_in_order_as_they_are_complete() -> None:
    deck = Deck(fractions(HOP))
    deck.play(noise(10 * HOP + 5))
    assert published(deck) == list(range(10))
    assert deck.header[at.HOPS] == deck.header[at.NEXT_HOP] == 10


def test_a_hop_with_a_nan_is_counted_and_not_published() -> None:
    separator = Faulty(bad_hop=5)
    deck = Deck(separator)
    separator.arm()
    mix = noise(30 * HOP)
    heard = deck.play(mix)
    assert published(deck) == [hop for hop in range(30) if hop != 5]
    assert deck.header[at.BAD_HOPS] == 1
    assert np.abs(heard[:2] - delayed(mix, deck.latency)).max() <= 2e-7


def test_after_a_nan_the_model_starts_anew_and_its_first_frames_are_not_played() -> None:
    separator = Faulty(bad_hop=5, delay=2 * HOP)
    deck = Deck(separator)
    separator.arm()
    deck.play(noise(30 * HOP))
    # With a state of silence, two hops of output belong to input that the new state has not heard.
    assert published(deck) == [hop for hop in range(30) if hop not in (5, 6, 7)]


def test_a_model_that_is_far_behind_jumps_to_the_present() -> None:
    deck = Deck(fractions(HOP, delay=HOP))
    deck.computing = False
    patience = math.ceil(RATE * PATIENCE_MS / 1000 / HOP)
    hops = patience + 20
    deck.play(noise(hops * HOP))
    assert deck.inference.run_available() == 1
    assert deck.header[at.RESYNCS] == 1
    assert deck.inference.next_hop == hops
    assert published(deck) == []
    deck.computing = True
    deck.play(noise(3 * HOP))
    assert published(deck) == [hops, hops + 1, hops + 2]


def test_a_model_that_is_a_little_behind_computes_every_hop() -> None:
    deck = Deck(fractions(HOP))
    deck.computing = False
    deck.play(noise(12 * HOP))
    assert deck.inference.run_available() == 12
    assert deck.header[at.RESYNCS] == 0
    assert published(deck) == list(range(12))


def test_a_limit_leaves_the_rest_for_the_next_turn() -> None:
    deck = Deck(fractions(HOP))
    deck.computing = False
    deck.play(noise(10 * HOP))
    assert deck.inference.run_available(limit=4) == 4
    assert deck.inference.run_available() == 6
    assert deck.inference.run_available() == 0


def test_a_model_that_takes_over_late_owes_nothing_of_the_past() -> None:
    deck = Deck(fractions(HOP, delay=HOP))
    deck.computing = False
    deck.play(noise(40 * HOP))
    late = int(deck.header[at.LATE_HOPS])
    deck.header[at.EPOCH] = 2
    deck.inference = Inference(deck.segment, deck.separator, epoch=2)
    deck.inference.announce()
    deck.computing = True
    mix = noise(200 * HOP)
    deck.play(mix)
    assert deck.header[at.LATE_HOPS] == late
    assert deck.header[at.SEPARATED] == 1


def test_a_model_that_is_not_what_the_engine_was_laid_out_for_is_refused() -> None:
    deck = Deck(fractions(HOP))
    with pytest.raises(ModelError, match=r"44100, 512, 0; the engine was laid out for \(44100, 256, 0\)"):
        Inference(deck.segment, fractions(512), epoch=2)


def test_hop_times_are_counted_once_each() -> None:
    deck = Deck(fractions(HOP))
    deck.play(noise(25 * HOP))
    histogram = deck.header[at.HISTOGRAM : at.HISTOGRAM + at.HISTOGRAM_BINS]
    assert histogram.sum() == 25
    assert deck.header[at.HOP_NS_SUM] >= deck.header[at.HOP_NS_MAX] > 0
