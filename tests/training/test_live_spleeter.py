"""Tuning Spleeter: it is shown what a live tier is shown, taught by masks with future, and goes on exactly where it stopped."""

from __future__ import annotations

from typing import cast

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from rtsep.dsp.windows import low_delay_pair
from rtsep.models.spleeter_live import LIVE, PUBLISHED
from rtsep.models.spleeter_net import SpleeterNet, UNet
from rtsep.models.spleeter_shape import BINS, FFT, HOP
from rtsep.models.spleeter_stream import SpleeterWindow
from rtsep.training import live_spleeter
from rtsep.training.corpus import Corpus
from rtsep.training.live_spleeter import (
    CONTEXT,
    GUESSED,
    HELD_BACK,
    TRANSFORMS,
    WARM_UP,
    Heard,
    Lesson,
    Lessons,
    Tuner,
    TuningConfig,
    hear,
    masks_with_future,
    sdr_by_lookahead,
    window,
)
from rtsep.training.parallel import Group
from rtsep.training.streams import StreamConfig, StretchMaker
from tests.training.conftest import RATE

Floats = NDArray[np.float32]


def noise(transforms: int) -> Floats:
    return np.random.default_rng(0).uniform(-0.3, 0.3, (2, transforms * HOP)).astype(np.float32)


def test_a_window_is_what_a_live_tier_sees() -> None:
    seen = []

    def net(magnitudes: Floats) -> Floats:
        seen.append(magnitudes[0].copy())
        return magnitudes[:, :, -GUESSED - 1 :]

    live = SpleeterWindow(net, low_delay_pair(FFT, HOP, 2048), context=CONTEXT, guessed=GUESSED, every=1)
    mix, state = noise(70), live.init_state()
    heard, before = hear(mix, mix), np.pad(mix, ((0, 0), (FFT - HOP, 0)))
    for newest in range(70):
        live.masks(before[:, newest * HOP : newest * HOP + FFT], state)
        if newest in (0, 2, 30, 51, 52, 69):
            assert np.allclose(window(heard.magnitudes, heard.gain, newest), seen[-1], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("transforms", [128, 200, TRANSFORMS])
def test_segments_with_future_are_weighed_to_one(transforms: int) -> None:
    mix = noise(transforms)
    heard = hear(mix, mix)._replace(gain=np.ones(transforms, np.float32))
    teachers = cast(SpleeterNet, lambda seen: seen)
    assert np.allclose(masks_with_future(teachers, heard), heard.magnitudes, rtol=1e-4, atol=1e-4)


@pytest.fixture
def maker(corpus: Corpus) -> StretchMaker:
    return StretchMaker(corpus, StreamConfig(drop_stem=0.0), RATE, TRANSFORMS * HOP)


def test_lessons_follow_from_their_seed_and_ask_for_teacher_and_truth(
    maker: StretchMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_spleeter, "PER_ROUND", 2)
    monkeypatch.setattr(live_spleeter, "PER_STRETCH", 3)
    half = cast(SpleeterNet, lambda seen: torch.full_like(seen, 0.5))
    taught, again, true = (list(Lessons(maker, half, truth).of_round((1, 0, 0))) for truth in (0.0, 0.0, 1.0))
    assert len(taught) == 6
    for one, same, other in zip(taught, again, true, strict=True):
        assert np.array_equal(one.seen, same.seen)
        assert np.allclose(one.wanted, 0.5)
        assert np.array_equal(one.seen, other.seen)
        assert other.wanted.min() >= 0
        assert other.wanted.max() <= 1
        assert other.wanted.std() > 0.02  # the tone of the vocals is masked with ones, all else with zeros
        # The newest of what is known, at another level, is what the masks are for.
        newest = one.seen[:, CONTEXT - GUESSED - HELD_BACK : CONTEXT - GUESSED]
        assert np.allclose(newest / newest.max(), one.magnitudes / one.magnitudes.max(), atol=1e-5)
    assert not np.array_equal(taught[0].seen, next(Lessons(maker, half, 0.0).of_round((2, 0, 0))).seen)


def tuner() -> Tuner:
    torch.manual_seed(0)
    published = {f"{PUBLISHED}.{name}": tensor for name, tensor in UNet().state_dict().items()}
    return Tuner(published, TuningConfig(learning_rate=1e-3, updates=100, lessons=1))


def lesson() -> Lesson:
    rng = np.random.default_rng(1)
    seen = rng.uniform(0, 10, (2, CONTEXT, BINS)).astype(np.float32)
    newest = seen[:, CONTEXT - GUESSED - HELD_BACK : CONTEXT - GUESSED]
    return Lesson(seen, newest, np.full_like(newest, 0.9), 1 / float((newest**2).sum(2).mean()))


def test_the_loss_falls_and_a_restored_run_goes_on_exactly() -> None:
    learner, one = tuner(), Group()
    learner.step = WARM_UP
    losses = [learner.update([lesson()], one) for _ in range(6)]
    assert losses[-1] < 0.8 * losses[0]
    other = tuner()
    other.restore({key: _copied(value) for key, value in learner.state().items()})
    assert other.update([lesson()], one) == learner.update([lesson()], one)
    assert other.rate() == learner.rate()
    for name, tensor in learner.live_net().items():
        assert name.startswith(f"{LIVE}.")
        assert np.array_equal(other.live_net()[name], tensor)
        published = learner.live_net(0.0)[name]
        assert np.allclose(learner.live_net(0.5)[name], (tensor + published) / 2, atol=1e-6)


def _copied(value: object) -> object:
    if isinstance(value, torch.Tensor):
        return value.clone()
    if isinstance(value, dict):
        return {key: _copied(each) for key, each in value.items()}
    return value


def test_the_rate_rises_stays_and_falls_to_zero() -> None:
    learner, rates = tuner(), []
    for step in (0, 49, 50, 75, 100):
        learner.step = step
        rates.append(learner.rate() / learner.config.learning_rate)
    assert rates == pytest.approx([0.02, 1.0, 1.0, 0.5, 0.0])


def test_sdr_is_that_of_the_masked_transforms() -> None:
    mix = noise(CONTEXT + 8)
    heard = Heard(*hear(mix, 0.5 * mix))
    half = cast(UNet, lambda seen, newest: torch.full((1, 2, newest, BINS), 0.45))
    assert sdr_by_lookahead(half, heard, 2) == pytest.approx(np.full(HELD_BACK, 20.0), abs=0.01)
