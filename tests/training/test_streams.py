"""Streams are endless, continuous and a function of seed, lane and position alone."""

from __future__ import annotations

import itertools

import numpy as np
from msgspec.structs import replace

from rtsep.stems import STEMS
from rtsep.training.corpus import ACCOMPANIMENT, Corpus, Song
from rtsep.training.feed import Feed
from rtsep.training.streams import Lane, StreamConfig, StretchMaker

HOP, HISTORY, RATE = 128, 384, 44100
CONFIG = StreamConfig(chunk_frames=32, stretch_chunks=3)


def maker(corpus: Corpus, config: StreamConfig = CONFIG) -> StretchMaker:
    return StretchMaker(corpus, config, RATE, config.stretch_chunks * config.chunk_frames * HOP)


def lane(corpus: Corpus, number: int = 0, position: int = 0) -> Lane:
    return Lane(maker(corpus), HOP, HISTORY, seed=3, lane=number, position=position)


def test_chunks_of_a_stretch_join_without_a_gap(corpus: Corpus) -> None:
    one = lane(corpus)
    pieces = [one.next() for _ in range(3)]
    joined = np.concatenate([stems[..., HISTORY:] for stems, _, _ in pieces], -1)
    assert np.array_equal(joined, pieces[0][1].stems)
    for before, after in itertools.pairwise(pieces):
        assert np.array_equal(after[0][..., :HISTORY], before[0][..., -HISTORY:])


def test_a_stretch_begins_with_silence_as_its_past_and_says_so(corpus: Corpus) -> None:
    one = lane(corpus)
    parts = [one.next() for _ in range(4)]
    assert [fresh for _, _, fresh in parts] == [True, False, False, True]
    assert not parts[0][0][..., :HISTORY].any()
    assert not parts[3][0][..., :HISTORY].any()


def test_some_stretches_meet_a_network_that_remembers_the_last_one(corpus: Corpus) -> None:
    config = replace(CONFIG, stretch_chunks=1, carry=0.5)
    lanes = [Lane(maker(corpus, config), HOP, HISTORY, seed=3, lane=1, position=position) for position in (0, 10)]
    forgets = [[one.next()[2] for _ in range(20)] for one in lanes]
    assert 4 < sum(forgets[0]) < 16
    assert forgets[0][10:] == forgets[1][:10]


def test_a_lane_resumed_at_any_position_gives_the_same_sound(corpus: Corpus) -> None:
    one = lane(corpus)
    sounds = [one.next()[0] for _ in range(7)]
    for position in range(7):
        assert np.array_equal(lane(corpus, position=position).next()[0], sounds[position])


def test_lanes_differ(corpus: Corpus) -> None:
    assert not np.array_equal(lane(corpus, 0).next()[0], lane(corpus, 1).next()[0])


def test_a_chunk_holds_one_piece_per_lane(corpus: Corpus) -> None:
    chunk = Feed([lane(corpus, number) for number in range(3)]).next()
    assert chunk.stems.shape == (3, 4, 2, HISTORY + 32 * HOP)
    assert chunk.stems.dtype == np.float32
    assert np.isfinite(chunk.stems).all()
    assert chunk.fresh.all()


def test_chunks_made_ahead_by_threads_are_the_same(corpus: Corpus) -> None:
    plain, ahead = (Feed([lane(corpus, number) for number in range(3)], workers) for workers in (0, 2))
    for _ in range(5):
        assert np.array_equal(plain.next().stems, ahead.next().stems)
        assert ahead.positions == plain.positions
    ahead.close()


def test_where_bass_hides_in_other_only_their_sum_is_a_target(corpus: Corpus) -> None:
    whole = corpus.songs[0]
    song = Song("no bass file", {name: whole.stems[name] for name in ("vocals", "drums", "other")}, ("bass", "other"))
    only_songs = StreamConfig(chunk_frames=32, coherent=1.0, random=0.0, accompaniment=0.0)
    stretch = maker(Corpus([song], {}), only_songs).draw((1,))
    assert stretch.weights.tolist() == [1, 1, 1, 0]
    bass, other = STEMS.index("bass"), STEMS.index("other")
    assert stretch.groups[2, bass] == stretch.groups[2, other] == 1
    assert stretch.groups.sum() == 4


def test_songs_without_vocals_can_be_sung_over(corpus: Corpus) -> None:
    band = Song("a band", {name: corpus.songs[0].stems[name] for name in ("drums", "bass", "other")}, ())
    loudest = []
    for overdub in (0.0, 1.0):
        config = StreamConfig(chunk_frames=32, coherent=1.0, random=0.0, accompaniment=0.0, drop_stem=0.0, overdub=overdub)
        stretch = maker(Corpus([band], corpus.clips), config).draw((1,))
        assert stretch.weights.tolist() == [1, 1, 1, 1]
        loudest.append(np.abs(stretch.stems[STEMS.index("vocals")]).max())
    assert loudest[0] == 0 < loudest[1]


def test_accompaniment_teaches_vocals_and_the_rest(corpus: Corpus) -> None:
    clips = {**corpus.clips, ACCOMPANIMENT: corpus.clips["other"]}
    config = StreamConfig(chunk_frames=32, coherent=0.0, random=0.0, accompaniment=1.0, drop_stem=0.0)
    stretch = maker(Corpus([], clips), config).draw((5,))
    assert stretch.weights.tolist() == [1, 1, 0, 0]
    assert stretch.groups[1].tolist() == [0.0 if stem == "vocals" else 1.0 for stem in STEMS]
    assert np.abs(stretch.stems[STEMS.index("vocals")]).max() > 0
    assert not stretch.stems[STEMS.index("bass")].any()


def test_levels_of_the_mix_span_the_asked_range(corpus: Corpus) -> None:
    levels_db = [
        20 * np.log10(np.sqrt(np.mean(maker(corpus).draw((9, number)).stems.sum(0) ** 2)) / 0.12) for number in range(40)
    ]
    assert min(levels_db) < -10
    assert max(levels_db) > 0
    assert min(levels_db) >= -20.1
    assert max(levels_db) <= 6.1
