"""Side by side, both nets mask one transform: one latency, masks that add up, proportions that are kept."""

from __future__ import annotations

from typing import cast

import numpy as np
import pytest
from numpy.typing import NDArray

from rtsep.errors import ConfigError
from rtsep.models import registry
from rtsep.models.card import ModelCard, TierCard
from rtsep.models.cascade import describe
from rtsep.models.separator import Separator
from rtsep.models.side_by_side import OWN_SHARE, share_out
from rtsep.models.spleeter_shape import BINS
from rtsep.stems import STEMS
from tests.models import contract

MODEL = "cascade"
ABOVE = 40
"""Bins that Spleeter does not see."""


def random_masks(sharpness: float) -> NDArray[np.float32]:
    powers = np.exp(sharpness * np.random.default_rng(2).standard_normal((len(STEMS), 2, BINS + ABOVE)))
    return (powers / powers.sum(0)).astype(np.float32)


@pytest.fixture(scope="module", params=["23ms", "46ms"])
def tier(request: pytest.FixtureRequest) -> Separator:
    return cast(Separator, registry.load(MODEL, request.param, runtime="onnx"))


@pytest.mark.parametrize("sharpness", [1.0, 30.0])
@pytest.mark.parametrize("sung", [0.0, 0.4, 1.0])
def test_shared_masks_add_up_to_one_and_stay_within_it(sharpness: float, sung: float) -> None:
    shared = share_out(random_masks(sharpness), np.full((2, BINS), sung, np.float32))
    assert np.abs(shared.sum(0) - 1.0).max() < 1e-6
    assert shared.min() > -1e-6


def test_vocals_are_a_weighted_mean_and_the_rest_keeps_its_proportions() -> None:
    masks, sung = random_masks(1.0), np.full((2, BINS), 0.8, np.float32)
    shared = share_out(masks, sung)
    assert np.allclose(shared[0, :, :BINS], OWN_SHARE * masks[0, :, :BINS] + (1 - OWN_SHARE) * 0.8, atol=1e-6)
    assert np.allclose(shared[1] / shared[3], masks[1] / masks[3], rtol=1e-3)
    assert np.allclose(shared[..., BINS:], masks[..., BINS:], atol=1e-6)


@pytest.mark.parametrize("name", ["23ms", "46ms"])
def test_the_latency_is_that_of_our_own_net(name: str) -> None:
    spec, own = registry.describe(MODEL, name), registry.describe("bandnet", name)
    assert (spec.latency, spec.hop, spec.stems) == (own.latency, own.hop, STEMS)


def test_both_runtimes_play_the_same(tier: Separator) -> None:
    other = cast(Separator, registry.load(MODEL, tier.spec.tier, runtime="torch"))
    mix = contract.noise(tier, 6)
    assert np.abs(contract.run(tier, mix) - contract.run(other, mix)).max() < 1e-4


def test_broken_input_is_gone_with_its_window(tier: Separator) -> None:
    mix = contract.noise(tier, 8192 // tier.spec.hop)
    mix[:, 2048:2057] = np.nan
    stems = contract.run(tier, mix)
    assert np.isnan(stems).any()
    assert np.isfinite(stems[..., 7168:]).all()


def test_every_mask_of_spleeter_serves_two_hops_of_half_its_own() -> None:
    half = cast(Separator, registry.load(MODEL, "23ms", runtime="onnx"))
    state, mix = half.init_state(), contract.noise(half, 5)
    masks = []
    for start in range(0, mix.shape[1], half.spec.hop):
        half.step(np.ascontiguousarray(mix[:, start : start + half.spec.hop]), state)
        masks.append(state["sung"])
    assert np.array_equal(masks[0], masks[1])
    assert np.array_equal(masks[2], masks[3])
    assert not np.array_equal(masks[1], masks[2])
    assert not np.array_equal(masks[3], masks[4])


def test_a_tier_that_takes_several_transforms_at_once_has_no_place_beside_another_net() -> None:
    settings = {"first": ["spleeter-2stems", "70ms"], "second": ["bandnet", "23ms"], "together": True}
    wrong = TierCard("wrong", "", settings=settings)
    card = ModelCard("cascade", "", "", "", "rtsep.models.cascade", 44100, STEMS, "wrong", "wrong", (wrong,))
    with pytest.raises(ConfigError, match="at every transform"):
        describe(card, wrong)
