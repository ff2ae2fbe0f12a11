"""Spleeter: the hand-written graph against torch, partial decoding against full, and the song it must separate."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from rtsep.dsp.windows import low_delay_pair
from rtsep.engine.pipeline import separate_array
from rtsep.errors import ConfigError
from rtsep.evaluation.sdr import utterance_sdr
from rtsep.evaluation.tier_table import excerpt, measure
from rtsep.models import registry
from rtsep.models.card import TierCard
from rtsep.models.separator import Audio
from rtsep.models.spleeter import Settings
from rtsep.models.spleeter_file import segments
from rtsep.models.spleeter_net import SpleeterNet
from rtsep.models.spleeter_shape import BINS, FFT, HOP, frames_needed
from rtsep.models.spleeter_stream import SpleeterWindow, fill_past, future, magnitudes_of

FLOORS_DB = {"46ms": 4.5, "70ms": 4.9, "116ms": 5.2, "139ms": 5.2, "440ms": 5.0, "offline": 4.5}


@pytest.fixture(scope="module")
def song() -> tuple[Audio, Audio, int]:
    return excerpt()


@pytest.mark.parametrize("tier", FLOORS_DB)
def test_a_tier_separates_the_vocals_of_a_real_song(tier: str, song: tuple[Audio, Audio, int]) -> None:
    mix, vocals, rate = song
    row = measure("spleeter-2stems", tier, mix, vocals, rate)
    assert row.vocals_sdr_db >= FLOORS_DB[tier]


@pytest.mark.parametrize("tier", ["46ms", "116ms", "offline"])
def test_onnx_runtime_gives_what_torch_gives(tier: str, song: tuple[Audio, Audio, int]) -> None:
    mix = song[0][:, :50_000]
    ours, reference = (
        separate_array(mix, registry.load("spleeter-2stems", tier, runtime=runtime)) for runtime in ("onnx", "torch")
    )
    assert np.abs(ours - reference).max() < 1e-5  # measured 2.4e-7


@pytest.mark.parametrize("level_db", [-30, 12])
def test_level_control_makes_quiet_and_loud_songs_alike(level_db: float, song: tuple[Audio, Audio, int]) -> None:
    mix, vocals, _ = song
    separator = registry.load("spleeter-2stems", "440ms")
    gain = np.float32(10 ** (level_db / 20))
    plain, scaled = separate_array(mix, separator), separate_array(mix * gain, separator) / gain
    difference = utterance_sdr(vocals, scaled[0]) - utterance_sdr(vocals, plain[0])
    assert abs(difference) < 0.05  # measured 0.0002; without level control -30 dB cost 4.7 and +12 dB 1.8 dB


@pytest.mark.parametrize(("frames", "newest"), [(64, 1), (64, 2), (64, 4), (64, 16), (64, 63), (64, 64), (128, 5)])
def test_decoding_the_newest_transforms_equals_decoding_all(frames: int, newest: int) -> None:
    torch.manual_seed(0)
    some, every = SpleeterNet(live=True, newest=newest), SpleeterNet(live=True, newest=None)
    every.load_state_dict(some.state_dict())
    magnitudes = torch.rand(1, 2, frames, 1024)
    with torch.inference_mode():
        assert (some(magnitudes) - every(magnitudes)[:, :, -newest:]).abs().max() < 1e-6


def test_one_transform_of_64_needs_the_counts_of_the_worked_example() -> None:
    assert frames_needed(64, 1) == [4, 3, 3, 3, 3, 2, 1]


def test_the_future_is_what_was_heard_last_held_and_mirrored() -> None:
    magnitudes = np.array([1, 2, 3, 4], np.float32).reshape(1, 4, 1)
    assert future(magnitudes, 4)[0, :, 0].tolist() == [4, 4, 3, 2]
    assert future(magnitudes, 0).shape == (1, 0, 1)


def test_the_past_before_a_song_is_its_mirror_image() -> None:
    magnitudes = np.array([0, 0, 0, 0, 0, 1, 2], np.float32).reshape(1, 7, 1)
    fill_past(magnitudes, magnitudes[0, :, 0] > 0)
    assert magnitudes[0, :, 0].tolist() == [1, 1, 2, 2, 1, 1, 2]


@pytest.mark.parametrize(("guessed", "newest", "every"), [(3, 1, 1), (3, 2, 2), (3, 4, 2), (0, 4, 1)])
def test_the_net_sees_past_and_guessed_future_and_the_oldest_that_are_due_get_masks(
    guessed: int, newest: int, every: int
) -> None:
    past, seen = 5, []

    def net(magnitudes: Audio) -> Audio:
        seen.append(magnitudes[0].copy())
        return magnitudes[:, :, -(newest + guessed) :]

    window = SpleeterWindow(net, low_delay_pair(FFT, HOP, 2048), context=past + guessed, guessed=guessed, every=every)
    state, noise = window.init_state(), np.random.default_rng(0).uniform(-0.3, 0.3, (2, 12 * HOP)).astype(np.float32)
    for end in range(FFT + (every - 1) * HOP, noise.shape[1] + 1, every * HOP):
        masks = window.masks(noise[:, :end], state)
        music = seen[-1][:, :past]
        assert np.array_equal(seen[-1][:, past:], future(music, guessed))
        assert np.array_equal(masks, music[:, past - newest : past - newest + every])
    heard = magnitudes_of(noise[:, :end])[:, -past:]
    assert np.allclose(music / music.mean(), heard / heard.mean(), rtol=1e-5)  # all of it, in order, at a level of its own


@pytest.mark.parametrize(("guessed", "newest", "every"), [(3, 1, 1), (3, 4, 2), (0, 2, 1)])
def test_smooth_masks_are_means_of_two_neighbours(guessed: int, newest: int, every: int) -> None:
    ramp = np.tile(np.arange(newest + guessed, dtype=np.float32)[:, None], (1, 2, 1, BINS))
    pair = low_delay_pair(FFT, HOP, 2048)
    window = SpleeterWindow(lambda _: ramp, pair, context=5 + guessed, guessed=guessed, every=every, smooth=True)
    masks = window.masks(np.zeros((2, FFT + (every - 1) * HOP), np.float32), window.init_state())
    assert masks[0, :, 0].tolist() == [0.5 + index for index in range(every)]
    assert masks.shape == (2, every, BINS)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"newest": 2, "every": 3}, "1 to 2 can be given out"),
        ({"newest": 2, "every": 0}, "every"),
        ({"newest": 2, "guessed": 40}, "leaves 24 of context = 64"),
        ({"newest": 60, "guessed": 8}, "too few for newest = 60"),
        ({"newest": 2, "smooth": True}, "every < newest . guessed = 2"),
    ],
)
def test_a_tier_that_cannot_be_is_refused(settings: dict[str, Any], words: str) -> None:
    tier = TierCard("wrong", "", settings={"synthesis": 2048, **settings})
    with pytest.raises(ConfigError, match=words):
        tier.read(Settings)


@pytest.mark.parametrize("sounding", [[0, 0, 0], [1, 0, 1], [1, 1, 1]])
def test_silence_inside_a_song_is_left_alone(sounding: list[int]) -> None:
    magnitudes = np.array(sounding, np.float32).reshape(1, 3, 1)
    fill_past(magnitudes, magnitudes[0, :, 0] > 0)
    assert magnitudes[0, :, 0].tolist() == sounding


@pytest.mark.parametrize(("count", "length"), [(1000, 512), (512, 512), (513, 512), (5, 64), (3000, 512)])
def test_every_transform_of_a_file_is_weighed_once(count: int, length: int) -> None:
    total = np.zeros(count + length)
    starts, weights = segments(count, length)
    for start, weight in zip(starts, weights, strict=True):
        total[start + length : start + 2 * length] += weight
    assert np.abs(total[length:] - 1).max() < 1e-6
    assert starts[-1] + length == count


@pytest.mark.parametrize("frames", [1, 1000, 40_000, 300_000])
def test_a_file_of_any_length_is_separated_without_loss(frames: int) -> None:
    mix = np.random.default_rng(0).uniform(-0.3, 0.3, (2, frames)).astype(np.float32)
    stems = registry.load("spleeter-2stems", "offline").separate(mix)
    assert stems.shape == (2, 2, frames)
    assert np.abs(stems.sum(axis=0) - mix).max() < 1e-6


@pytest.mark.parametrize("tier", ["46ms", "440ms"])
def test_broken_input_is_forgotten_once_it_has_passed(tier: str) -> None:
    separator = registry.load("spleeter-2stems", tier)
    hop, state = separator.spec.hop, separator.init_state()
    for _ in range(3):
        separator.step(np.full((2, hop), np.nan, np.float32), state)
    music = np.random.default_rng(0).uniform(-0.3, 0.3, (2, hop)).astype(np.float32)
    for _ in range(-(-68 * 1024 // hop) + 1):  # the nets' 64 transforms, and the four that a frame takes part in
        stems = separator.step(music, state)
    assert np.isfinite(stems).all()
