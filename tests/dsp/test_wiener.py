"""The filter divides what masks divide, without loss, and better where stems stand at different places."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from rtsep.dsp.wiener import FLOOR, MEMORY_S, Masking, SpatialWiener, divider, pooled

HOP, RATE, BINS = 512, 44100, 257
VOICE, GUITARS = (1.0, 1.0), (1.0, -0.4)


def noise(transforms: int, seed: int, place: tuple[float, float] = (1.0, 1.0)) -> NDArray[np.complex64]:
    """`[transforms, 2, bins]` of one source that stands at `place`."""
    rng = np.random.default_rng(seed)
    source = rng.standard_normal((transforms, 1, BINS, 2), np.float32).view(np.complex64)[..., 0]
    return np.asarray(source * np.array(place, np.float32)[:, None], np.complex64)


def ratio_masks(*sources: NDArray[np.complex64], blur: float = 0.0) -> NDArray[np.float32]:
    """`[transforms, stems, 2, bins]`: how much of the power is each source's, the more alike the more they are blurred."""
    powers = np.stack([np.abs(source) ** 2 for source in sources], 1)
    masks = powers / powers.sum(1, keepdims=True)
    return np.asarray((1.0 - blur) * masks + blur / len(sources), np.float32)


def run(filtered: SpatialWiener, masks: NDArray[np.float32], mix: NDArray[np.complex64]) -> NDArray[np.complex64]:
    state = filtered.init_state()
    return np.stack([filtered.split(mask, spectrum, state) for mask, spectrum in zip(masks, mix, strict=True)])


def test_stems_add_up_to_the_mix_whatever_the_masks_say() -> None:
    mix = noise(40, 1, VOICE) + noise(40, 2, GUITARS)
    masks = np.random.default_rng(3).dirichlet((0.1,) * 4, (40, 2, BINS)).transpose(0, 3, 1, 2).astype(np.float32)
    stems = run(SpatialWiener(4, BINS, HOP, RATE), masks, mix)
    assert np.abs(stems.sum(1) - mix).max() < 1e-5 * np.abs(mix).max()
    assert np.abs(stems - masks * mix[:, None]).max() > 0.1, "it is not the masks alone"


def test_places_tell_stems_apart_that_masks_leave_half_mixed() -> None:
    voice, guitars = noise(200, 1, VOICE), noise(200, 2, GUITARS)
    masks = ratio_masks(voice, guitars, blur=0.4)
    stems = run(SpatialWiener(2, BINS, HOP, RATE), masks, voice + guitars)

    def error(estimate: NDArray[np.complex64]) -> float:
        return float((np.abs(estimate - voice)[100:] ** 2).sum() / (np.abs(voice)[100:] ** 2).sum())

    assert error(stems[:, 0]) < 0.5 * error(masks[:, 0] * (voice + guitars))


def test_with_all_stems_at_one_place_the_masks_are_what_counts() -> None:
    one, other = noise(60, 1), noise(60, 2)
    masks = ratio_masks(one, other)
    stems = run(SpatialWiener(2, BINS, HOP, RATE), masks, one + other)
    assert np.abs(stems - masks * (one + other)[:, None]).max() < 1e-5


def test_what_was_never_heard_may_come_from_anywhere() -> None:
    masks = np.stack((np.full((2, BINS), 1.0, np.float32), np.zeros((2, BINS), np.float32)))
    filtered = SpatialWiener(2, BINS, HOP, RATE)
    state = filtered.init_state()
    for spectrum in noise(20, 1):
        filtered.split(masks, spectrum, state)
    spectrum = noise(1, 2, (1.0, 0.0))[0]
    stems = filtered.split(masks[::-1].copy(), spectrum, state)
    np.testing.assert_allclose(stems[0], 0.0, atol=1e-6)
    np.testing.assert_allclose(stems[1], spectrum, atol=1e-5)


@pytest.mark.parametrize("broken", [np.nan, np.inf])
def test_broken_bins_are_masked_and_not_learnt_from(broken: float) -> None:
    filtered, masks = SpatialWiener(2, BINS, HOP, RATE), np.full((2, 2, BINS), 0.5, np.float32)
    state = filtered.init_state()
    filtered.split(masks, noise(1, 1)[0], state)
    before, spectrum = state["covariances"].copy(), noise(1, 2)[0]
    spectrum[0, 100] = broken
    stems = filtered.split(masks, spectrum, state)
    assert not np.isfinite(stems[:, 0, 100]).any()
    assert np.isfinite(stems[:, :, :100]).all()
    assert np.array_equal(state["covariances"][..., 100], before[..., 100])
    assert np.isfinite(state["covariances"]).all()


def test_silence_is_silent_and_teaches_nothing() -> None:
    filtered, masks = SpatialWiener(2, BINS, HOP, RATE), np.full((2, 2, BINS), 0.5, np.float32)
    state = filtered.init_state()
    filtered.split(masks, noise(1, 1)[0], state)
    before = state["covariances"].copy()
    assert not filtered.split(masks, np.zeros((2, BINS), np.complex64), state).any()
    assert np.array_equal(state["covariances"], before)


def test_a_memory_that_fades_becomes_zero_and_not_a_denormal_number() -> None:
    filtered, masks = SpatialWiener(2, BINS, HOP, RATE), np.full((2, 2, BINS), 0.5, np.float32)
    state = filtered.init_state()
    filtered.split(masks, 1e-9 * noise(1, 1)[0], state)
    faint = np.full((2, BINS), 1e-18, np.complex64)
    for _ in range(int(12 * MEMORY_S * RATE / HOP)):
        filtered.split(masks, faint, state)
    remembered = np.abs(state["covariances"])
    assert not remembered.any()


def test_neighbours_are_pooled_evenly_and_more_of_them_higher_up() -> None:
    firsts, lasts = pooled(1000)
    assert (firsts[0], lasts[0]) == (0, 2)
    assert (firsts[100], lasts[100]) == (93, 108)
    assert (firsts[999], lasts[999]) == (939, 1000)
    assert FLOOR > 0.0


def test_one_channel_has_no_places() -> None:
    masks, spectrum = np.random.default_rng(1).random((3, 1, BINS), np.float32), noise(1, 1)[0, :1]
    plain = divider(3, 1, BINS, HOP, RATE)
    assert isinstance(plain, Masking)
    assert np.array_equal(plain.split(masks, spectrum, plain.init_state()), masks * spectrum)
