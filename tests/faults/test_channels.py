"""Channels of an interface: maps, mono in and out, and stems on pairs of their own."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest
from numpy.typing import NDArray

from rtsep.config import load_rig, rig_path
from rtsep.engine.session import Engine, StreamFormat
from rtsep.errors import ConfigError
from rtsep.io.channel_map import NOWHERE, ChannelMap, channel_map
from rtsep.realtime import layout as at
from rtsep.realtime.callbacks import portaudio_process

BLOCK = 64


def play(channels: ChannelMap, mix: NDArray[np.float32]) -> tuple[NDArray[np.float32], int]:
    """Send `[device channels, frames]` through the callback, without a model; returns what is played, and the latency."""
    engine = Engine(StreamFormat(44_100, BLOCK), model="passthrough", tier="3ms")
    words = engine.context.words
    words[at.IN_CHANNELS], words[at.OUT_CHANNELS] = channels.width_in, channels.width_out
    words[at.IN_MAP : at.IN_MAP + len(channels.heard)] = channels.heard
    words[at.OUT_MAP : at.OUT_MAP + at.OUTPUTS] = channels.played
    heard = []
    for start in range(0, mix.shape[1], BLOCK):
        source = np.ascontiguousarray(mix[: channels.width_in, start : start + BLOCK].T)
        sink = np.full((BLOCK, channels.width_out), np.nan, np.float32)
        portaudio_process.ctypes(
            source.ctypes.data_as(ctypes.POINTER(ctypes.c_float)),
            sink.ctypes.data_as(ctypes.POINTER(ctypes.c_float)),
            BLOCK,
            None,
            0,
            words.ctypes.data_as(ctypes.POINTER(ctypes.c_int64)),
        )
        heard.append(sink.T)
    latency = engine.latency.frames
    engine.stop()
    return np.concatenate(heard, axis=1), latency


@pytest.fixture
def noise() -> NDArray[np.float32]:
    return np.random.default_rng(1).uniform(-1, 1, (8, 40 * BLOCK)).astype(np.float32)


def delayed(signal: NDArray[np.float32], latency: int) -> NDArray[np.float32]:
    return np.concatenate([np.zeros(latency, np.float32), signal])[: len(signal)]


def test_a_microphone_on_input_three_feeds_both_sides(noise: NDArray[np.float32]) -> None:
    out, latency = play(channel_map(8, 2, heard=[3]), noise)
    assert np.array_equal(out[0], delayed(noise[2], latency))
    assert np.array_equal(out[1], delayed(noise[2], latency))


def test_inputs_can_be_any_two_in_any_order(noise: NDArray[np.float32]) -> None:
    out, latency = play(channel_map(8, 2, heard=[8, 5]), noise)
    assert np.array_equal(out[0], delayed(noise[7], latency))
    assert np.array_equal(out[1], delayed(noise[4], latency))


def test_a_single_input_feeds_both_sides_and_a_single_output_gets_their_mean(noise: NDArray[np.float32]) -> None:
    out, latency = play(channel_map(1, 1), noise)
    assert out.shape[0] == 1
    assert np.allclose(out[0], delayed(noise[0], latency), atol=1e-7)
    out, latency = play(channel_map(2, 1), noise)
    assert np.allclose(out[0], delayed((noise[0] + noise[1]) / 2, latency), atol=1e-7)


def test_stems_go_to_the_pairs_that_the_map_names_and_the_rest_is_silent(noise: NDArray[np.float32]) -> None:
    out, latency = play(channel_map(2, 16, played={"vocals": [3, 4], "drums": [16, 15], "mix": [7, 8]}), noise)
    dry_share = 1 / 4
    assert np.allclose(out[2], dry_share * delayed(noise[0], latency), atol=1e-7)
    assert np.allclose(out[15], dry_share * delayed(noise[0], latency), atol=1e-7)
    assert np.allclose(out[14], dry_share * delayed(noise[1], latency), atol=1e-7)
    assert np.array_equal(out[7], delayed(noise[1], latency))
    assert not out[[0, 1, 4, 5, 8, 9, 10, 11, 12, 13]].any()


def test_one_input_and_two_outputs_are_mono_in_and_stereo_out(noise: NDArray[np.float32]) -> None:
    out, latency = play(channel_map(1, 2), noise)
    assert np.array_equal(out, np.stack([delayed(noise[0], latency)] * 2))


def test_eight_outputs_carry_four_stems_and_no_mix_if_the_map_says_so(noise: NDArray[np.float32]) -> None:
    pairs = {"vocals": [1, 2], "drums": [3, 4], "bass": [5, 6], "other": [7, 8]}
    out, latency = play(channel_map(2, 8, played=pairs), noise)
    assert out.shape[0] == 8
    for left in range(0, 8, 2):
        assert np.allclose(out[left], delayed(noise[0], latency) / 4, atol=1e-7)
        assert np.allclose(out[left + 1], delayed(noise[1], latency) / 4, atol=1e-7)


def test_sixteen_outputs_carry_mix_and_stems_on_the_first_ten_by_themselves(noise: NDArray[np.float32]) -> None:
    out, latency = play(channel_map(2, 16), noise)
    assert out.shape[0] == 10  # no more is opened than is played
    assert np.array_equal(out[0], delayed(noise[0], latency))
    for left in range(2, 10, 2):
        assert np.allclose(out[left], delayed(noise[0], latency) / 4, atol=1e-7)


def test_the_rig_for_pairs_fits_an_interface_of_eight_and_a_virtual_one_of_sixteen() -> None:
    audio = load_rig(rig_path("pairs")).audio
    for channels in (8, 16):
        fitted = channel_map(channels, channels, heard=audio.input_channels, played=audio.outputs)
        assert fitted.heard == (2, 2)
        assert fitted.played == (0, 1, 2, 3, 4, 5, NOWHERE, NOWHERE, 6, 7)


def test_ten_outputs_carry_mix_and_stems_and_eight_only_the_mix() -> None:
    assert channel_map(2, 10).played == tuple(range(10))
    assert channel_map(2, 8).played == (0, 1, *[NOWHERE] * 8)
    assert channel_map(2, 8).width_out == 2


@pytest.mark.parametrize(
    ("heard", "played", "said"),
    [
        ([9], {}, "there is no input 9; the device has 1 to 8"),
        ([0], {}, "there is no input 0"),
        ([1, 2, 3], {}, "one or two channels, not 3"),
        ([], {"vocls": [1, 2]}, 'Did you mean "vocals"'),
        ([], {"vocals": [3, 5]}, "there is no output 5"),
        ([], {"vocals": [3]}, "two channels"),
        ([], {"vocals": [1, 2], "mix": [2, 3]}, "output 2 is taken"),
    ],
)
def test_a_map_that_does_not_fit_the_device_is_refused_with_a_sentence(
    heard: list[int], played: dict[str, list[int]], said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        channel_map(8, 4, heard=heard, played=played)
