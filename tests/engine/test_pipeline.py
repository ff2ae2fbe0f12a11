"""A song through the pipeline: aligned, exactly as long, whatever the blocks, the hop and the latency."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtsep.engine.pipeline import separate, separate_array
from rtsep.models.passthrough import SHARES, Passthrough
from rtsep.models.separator import Audio, LatencyTerm, SeparatorSpec, State
from rtsep.stems import STEMS


def passthrough(hop: int, latency: int) -> Passthrough:
    terms = (LatencyTerm("delay", latency),) if latency else ()
    spec = SeparatorSpec(name="p", tier="t", rate=44_100, hop=hop, stems=STEMS, latency_terms=terms, licence="none")
    return Passthrough(spec)


class ReusedBuffer:
    """A separator that answers in the same array each time, as the contract allows. Its one stem is the mix."""

    def __init__(self, hop: int) -> None:
        self.spec = SeparatorSpec(name="r", tier="t", rate=44_100, hop=hop, stems=("other",), latency_terms=(), licence="none")
        self._answer = np.empty((1, 2, hop), np.float32)

    def init_state(self) -> State:
        return {}

    def step(self, mix: Audio, state: State) -> Audio:
        self._answer[0] = mix
        return self._answer


class WholeSong:
    """A separator of whole files: `other` is the song played backwards, so that it must have seen its end."""

    spec = SeparatorSpec(name="w", tier="offline", rate=44_100, hop=1, stems=("other",), latency_terms=(), licence="none")

    def separate(self, mix: Audio) -> Audio:
        return mix[None, :, ::-1]


def noise(channels: int, frames: int) -> Audio:
    return np.random.default_rng(frames).uniform(-1, 1, (channels, frames)).astype(np.float32)


def cut(song: Audio, sizes: list[int]) -> list[Audio]:
    """The song in blocks of these sizes, then the rest."""
    return np.split(song, np.minimum(np.cumsum(sizes, dtype=int), song.shape[1]), axis=1)


def expected_stems(song: Audio) -> Audio:
    return np.stack([SHARES[name] * song for name in STEMS]).astype(np.float32)


@given(
    frames=st.integers(0, 400),
    sizes=st.lists(st.integers(0, 90), max_size=8),
    hop=st.integers(1, 64),
    latency=st.integers(0, 200),
    channels=st.sampled_from([1, 2]),
)
def test_any_blocks_hop_and_latency_give_aligned_stems_of_the_same_length(
    frames: int, sizes: list[int], hop: int, latency: int, channels: int
) -> None:
    song = noise(channels, frames)
    parts = list(separate(cut(song, sizes), passthrough(hop, latency)))
    stems = np.concatenate([np.zeros((4, channels, 0), np.float32), *parts], axis=2)
    np.testing.assert_array_equal(stems, expected_stems(song))


@pytest.mark.parametrize("channels", [1, 2])
def test_passthrough_stems_add_up_to_the_song_bit_by_bit(channels: int) -> None:
    song = noise(channels, 10_000)
    vocals, drums, bass, other = separate_array(song, passthrough(256, 700))
    np.testing.assert_array_equal(((other + bass) + drums) + vocals, song)


def test_blocks_stay_valid_when_the_separator_reuses_its_buffer() -> None:
    song = noise(2, 1000)
    parts = list(separate([song], ReusedBuffer(hop=64)))
    np.testing.assert_array_equal(np.concatenate(parts, axis=2)[0], song)


def test_a_mono_song_gives_the_mean_of_both_channels() -> None:
    class LeftOnly(ReusedBuffer):
        def step(self, mix: Audio, state: State) -> Audio:
            return super().step(mix, state) * np.array([[1.0], [0.0]], np.float32)

    song = noise(1, 300)
    np.testing.assert_array_equal(separate_array(song, LeftOnly(hop=64))[0], song / 2)


def test_stems_come_out_while_the_song_is_still_being_read() -> None:
    read = 0

    def endless() -> Iterator[Audio]:
        nonlocal read
        while True:
            read += 100
            yield noise(2, 100)

    stems = separate(endless(), passthrough(hop=128, latency=300))
    next(stems)
    assert read == 400  # the first hop that reaches past the latency ends at frame 384


def test_what_was_given_does_not_depend_on_what_comes_later() -> None:
    song = noise(2, 1000)
    poisoned = song.copy()
    poisoned[:, 600:] = np.nan
    stems = separate_array(poisoned, passthrough(hop=64, latency=128))
    np.testing.assert_array_equal(stems[:, :, :600], expected_stems(song)[:, :, :600])


@given(frames=st.integers(0, 100), sizes=st.lists(st.integers(0, 40), max_size=4), channels=st.sampled_from([1, 2]))
def test_a_whole_file_separator_gets_the_whole_song(frames: int, sizes: list[int], channels: int) -> None:
    song = noise(channels, frames)
    parts = list(separate(cut(song, sizes), WholeSong()))
    assert len(parts) == (1 if frames else 0)
    np.testing.assert_array_equal(separate_array(song, WholeSong())[0], song[:, ::-1])


def test_channels_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="6 channels cannot go through a model of 2"):
        separate_array(noise(6, 100), passthrough(64, 0))
    with pytest.raises(ValueError, match="began with 2 channels and went on with 1"):
        list(separate([noise(2, 10), noise(1, 10)], passthrough(64, 0)))
