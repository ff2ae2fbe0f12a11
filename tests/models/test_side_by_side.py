"""Side by side, both nets mask one transform: one latency, masks that add up, kept proportions, a future that is waited for."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pytest
from numpy.typing import NDArray

from rtsep.dsp.stft import overlap_add, spectra
from rtsep.dsp.wiener import divider
from rtsep.dsp.windows import low_delay_pair
from rtsep.errors import ConfigError
from rtsep.models import bandnet_loader, registry, spleeter
from rtsep.models.bandnet_stream import masks_of_frame, to_all_bins
from rtsep.models.card import ModelCard, TierCard
from rtsep.models.cascade import describe
from rtsep.models.separator import Separator
from rtsep.models.side_by_side import OWN_SHARE, share_out
from rtsep.models.spleeter_shape import BINS, FFT, HOP
from rtsep.stems import STEMS
from tests.models import contract

MODEL = "cascade"
ABOVE = 40
"""Bins that Spleeter does not see."""


def random_masks(sharpness: float) -> NDArray[np.float32]:
    powers = np.exp(sharpness * np.random.default_rng(2).standard_normal((len(STEMS), 2, BINS + ABOVE)))
    return (powers / powers.sum(0)).astype(np.float32)


@pytest.fixture(scope="module", params=["23ms", "46ms", "116ms"])
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


@pytest.mark.parametrize(
    ("name", "hop", "overlap", "look_ahead", "ms"),
    [
        ("23ms", 512, 512, 0, 23.2),
        ("46ms", 1024, 1024, 0, 46.4),
        ("70ms", 1024, 1024, 1024, 69.7),
        ("116ms", 1024, 3072, 1024, 116.1),
        ("139ms", 2048, 3072, 1024, 139.3),
        ("440ms", 4096, 3072, 12288, 441.2),
    ],
)
def test_the_latency_is_that_of_the_windows_and_the_look_ahead(
    name: str, hop: int, overlap: int, look_ahead: int, ms: float
) -> None:
    spec = registry.describe(MODEL, name)
    assert (spec.hop, spec.latency, spec.stems) == (hop, overlap + look_ahead, STEMS)
    assert 1000 * spec.algorithmic_latency / spec.rate == pytest.approx(ms, abs=0.05)


@pytest.mark.parametrize(("name", "every", "given"), [("70ms", 1, 2), ("116ms", 1, 2), ("139ms", 2, 3), ("440ms", 4, 16)])
def test_the_masks_of_a_transform_are_those_of_both_nets_for_that_transform(name: str, every: int, given: int) -> None:
    separator = cast(Separator, registry.load(MODEL, name, runtime="onnx"))
    mix = contract.noise(separator, 6)
    window = spleeter.open_window(*registry.find("spleeter-2stems", name), "onnx")
    net, config = bandnet_loader.open_frames(registry.find("bandnet", "46ms")[1], "onnx")
    pair, seen_by_own = window.pair, low_delay_pair(config.window, config.hop, config.synthesis).analysis
    signal = np.pad(mix, ((0, 0), (FFT - HOP, 0)))
    transforms, seen = spectra(signal, pair.analysis, HOP), spectra(signal, seen_by_own, HOP)
    count = transforms.shape[1]
    hidden, own = np.zeros((config.blocks, config.band_count, config.hidden), np.float32), []
    for index in range(count):
        masks, hidden = masks_of_frame(net, seen[:, index], hidden)
        own.append(masks.copy())
    filtered = divider(len(STEMS), 2, transforms.shape[-1], HOP, separator.spec.rate)
    places, state, masked = filtered.init_state(), window.init_state(), np.zeros((len(STEMS), *transforms.shape), np.complex64)
    for end in range(every, count + 1, every):
        sung = window.masks(np.ascontiguousarray(signal[:, (end - every) * HOP : (end - 1) * HOP + FFT]), state)
        for index in range(end - given, end - given + every):
            if index >= 0:
                shared = to_all_bins(share_out(own[index], sung[:, index - (end - given)]), transforms.shape[-1], -1)
                masked[:, :, index] = filtered.split(shared, transforms[:, index], places)
    wanted = overlap_add(masked, pair)[..., pair.latency :]
    late = separator.spec.latency
    assert np.abs(contract.run(separator, mix)[..., late:] - wanted[..., : mix.shape[1] - late]).max() < 1e-6


def test_both_runtimes_play_the_same(tier: Separator) -> None:
    other = cast(Separator, registry.load(MODEL, tier.spec.tier, runtime="torch"))
    mix = contract.noise(tier, 6)
    assert np.abs(contract.run(tier, mix) - contract.run(other, mix)).max() < 1e-4


def test_broken_input_is_gone_with_its_window(tier: Separator) -> None:
    mix = contract.noise(tier, 10240 // tier.spec.hop)
    mix[:, 2048:2057] = np.nan
    stems = contract.run(tier, mix)
    assert np.isnan(stems).any()
    assert np.isfinite(stems[..., 6144 + tier.spec.latency :]).all()


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


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"first": ["passthrough", "12ms"], "second": ["bandnet", "46ms"]}, "vocals and other"),
        ({"first": ["spleeter-2stems", "440ms"], "second": ["bandnet", "23ms"]}, "hops of 512 frames do not fit beside 4 masks"),
    ],
)
def test_models_that_do_not_fit_are_refused(settings: dict[str, Any], words: str) -> None:
    wrong = TierCard("wrong", "", settings=settings)
    card = ModelCard("cascade", "", "", "", "rtsep.models.cascade", 44100, STEMS, "wrong", "wrong", (wrong,))
    with pytest.raises(ConfigError, match=words):
        describe(card, wrong)
