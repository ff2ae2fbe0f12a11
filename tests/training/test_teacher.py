"""What a teacher takes for vocals becomes a fifth target; the music, the mix and the other targets stay what they were."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from rtsep.errors import ConfigError
from rtsep.models.bandnet import BandNet
from rtsep.stems import STEMS
from rtsep.training.corpus import Corpus
from rtsep.training.feed import Chunk
from rtsep.training.objective import Objective, Weights
from rtsep.training.recipe import Recipe
from rtsep.training.stft import LowDelayStft
from rtsep.training.streams import EACH_STEM, VOCALS_OR_NOT, StreamConfig, Stretch, StretchMaker
from rtsep.training.teacher import HEARING_HZ, Teacher, TeacherConfig
from tests.training.conftest import RATE

FRAMES = 3 * RATE
VOCALS = STEMS.index("vocals")

Floats = NDArray[np.float32]
Draw = Callable[[TeacherConfig | None, float], list[Stretch]]


@pytest.fixture
def draw(corpus: Corpus) -> Draw:
    def stretches(teaching: TeacherConfig | None, drop_stem: float = 0.0) -> list[Stretch]:
        teacher = Teacher(teaching, RATE) if teaching else None
        maker = StretchMaker(corpus, StreamConfig(drop_stem=drop_stem), RATE, FRAMES, teacher)
        return [maker.draw((4, number)) for number in range(3)]

    return stretches


def test_the_music_is_the_same_with_a_teacher_and_its_vocals_are_a_fifth_target(draw: Draw) -> None:
    for plain, taught in zip(draw(None, 0.0), draw(TeacherConfig(share=1.0, weight=1.5), 0.0), strict=True):
        assert np.array_equal(taught.stems[:4], plain.stems)
        assert np.array_equal(taught.mix, plain.mix)
        assert np.array_equal(taught.groups[:4, :4], plain.groups)
        assert taught.weights.tolist() == [*plain.weights.tolist(), 1.5]
        assert taught.groups[4].tolist() == [0, 0, 0, 0, 1]
        assert 0 < np.abs(taught.stems[4]).max() < 2 * np.abs(plain.mix).max()


def test_above_its_hearing_the_truth_stands(draw: Draw) -> None:
    for stretch in draw(TeacherConfig(share=1.0), 0.0):
        taught, truth = (np.fft.rfft(stretch.stems[index])[:, int(HEARING_HZ * 3) + 1 :] for index in (4, VOCALS))
        assert np.abs(taught - truth).max() <= 1e-3 * np.abs(np.fft.rfft(stretch.mix)).max()


def test_it_is_not_asked_where_nobody_sings_nor_more_often_than_its_share(draw: Draw) -> None:
    silent, never = draw(TeacherConfig(share=1.0), 1.0), draw(TeacherConfig(share=0.0), 0.0)
    for stretch in silent + never:
        assert stretch.weights[4] == 0
        assert not stretch.stems[4].any()


@pytest.mark.parametrize("groups", [EACH_STEM, VOCALS_OR_NOT])
def test_its_target_counts_for_the_vocals_mask_by_its_weight(recipe: Recipe, groups: tuple[Floats, Floats]) -> None:
    torch.manual_seed(1)
    net, stft = BandNet(recipe.model), LowDelayStft(recipe.model.window, recipe.model.hop, recipe.model.synthesis)
    objective = Objective(net, stft, bfloat16=False, compiled=False)
    rng = np.random.default_rng(2)
    stems = rng.standard_normal((1, 4, 2, stft.history + 8 * recipe.model.hop)).astype(np.float32)

    def loss(stems: Floats, groups: Floats, weights: Floats) -> float:
        chunk = Chunk(stems, groups[None], weights[None].astype(np.float32), np.ones(1, np.float32), np.ones(1, bool))
        return objective(chunk, net.init_state(), Weights(1.0, 1.0, 0.0))[0].item()

    matrix, weights = groups
    of_all, of_vocals = loss(stems, matrix, weights), loss(stems, matrix, np.eye(4)[VOCALS])
    taught = np.pad(matrix, (0, 1))
    taught[4, 4] = 1.0
    # A teacher that is right: its part is that of the true vocals.
    with_teacher = loss(np.concatenate((stems, stems[:, [VOCALS]]), 1), taught, np.append(weights, 1.5))
    known = weights.sum()
    assert with_teacher == pytest.approx((known * of_all + 1.5 * of_vocals) / (known + 1.5), rel=1e-5)


def test_a_live_tier_cannot_teach() -> None:
    with pytest.raises(ConfigError, match="tiers for whole files: offline"):
        Teacher(TeacherConfig(tier="46ms"), RATE)
