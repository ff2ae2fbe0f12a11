"""A song is fed ahead of what is heard: nothing has to be delayed, and an empty ring is a pause, not a skip."""

from __future__ import annotations

import numpy as np

from rtsep.models.separator import Audio
from rtsep.realtime import layout as at
from tests.realtime.deck import Deck, constant, noise


class Player(Deck):
    """A deck whose input ring is written by a feeder."""

    def __init__(self) -> None:
        super().__init__()
        self.header[at.PLAYING] = 1
        self.header[at.LATENCY] = 0

    def feed(self, song: Audio) -> None:
        start = int(self.header[at.IN_W])
        self.segment.source[:, start : start + song.shape[1]] = song
        self.header[at.IN_W] = start + song.shape[1]
        self.inference.run_available()


def listen(player: Player, frames: int) -> Audio:
    """What leaves while the device hears something of its own, which must not get in."""
    return player.play(constant(frames))


def test_a_song_is_heard_without_delay() -> None:
    player, song = Player(), noise(10_240)
    player.feed(song)
    assert np.array_equal(listen(player, 10_240)[:2], song)
    assert player.header[at.STARVED] == 0


def test_a_feeder_that_is_behind_makes_a_pause_and_the_song_goes_on_where_it_was() -> None:
    player, song = Player(), noise(10_240)
    player.feed(song[:, :2_560])
    assert np.array_equal(listen(player, 2_560)[:2], song[:, :2_560])
    assert not listen(player, 1_000).any()
    assert player.header[at.STARVED] == 1_000
    player.feed(song[:, 2_560:])
    assert np.array_equal(listen(player, 7_680)[:2], song[:, 2_560:])


def test_after_its_end_a_song_is_silent_and_nobody_is_behind() -> None:
    player, song = Player(), noise(10_240)
    player.feed(song)
    player.header[at.END] = 9_000
    heard = listen(player, 10_240)[:2]
    assert np.array_equal(heard[:, :9_000], song[:, :9_000])
    assert not heard[:, 9_000:].any()
    assert player.header[at.STARVED] == 0
    assert player.header[at.OUT_POS] == 9_000
