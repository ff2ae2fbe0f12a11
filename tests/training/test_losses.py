"""The losses against the naive complex computation they avoid."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from rtsep.training import losses
from rtsep.training.stft import LowDelayStft

BINS, MASKED, FRAMES = 65, 60, 7


@pytest.fixture
def planes() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    targets = torch.randn(2, 4, 2, FRAMES, BINS, dtype=torch.complex64, generator=generator)
    masks = torch.softmax(torch.randn(2, FRAMES, 4, 2, MASKED, generator=generator), 2)
    return targets.sum(1), targets, masks


def planes_of(mix: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    return losses.mix_planes(torch.view_as_real(mix), torch.view_as_real(targets), MASKED)


def test_the_sdr_loss_is_the_error_of_complex_spectra(planes: tuple[torch.Tensor, torch.Tensor, torch.Tensor]) -> None:
    mix, targets, masks = planes
    power, cross, energies = planes_of(mix, targets)
    weights, energy = torch.ones(2, 4), torch.tensor([5000.0, 8000.0])
    expected = []
    for lane in range(2):
        for stem in range(4):
            estimate = masks[lane, :, stem].transpose(0, 1) * mix[lane, ..., :MASKED]
            error = float((estimate - targets[lane, stem, ..., :MASKED]).abs().square().sum())
            expected.append(np.log10(error / float(energy[lane]) + losses.FLOOR))
    loss = float(losses.sdr_loss(masks, power, cross, energies, weights, energy))
    assert loss == pytest.approx(np.mean(expected), abs=1e-4)


def test_the_waveform_loss_of_true_masks_is_the_floor() -> None:
    stft = LowDelayStft(128, 32, 64)
    wave = torch.randn(1, 1, 2, stft.history + 32 * 12, generator=torch.Generator().manual_seed(1))
    targets = torch.cat((wave, torch.zeros(1, 3, *wave.shape[2:])), 1)
    mix = stft(targets.sum(1))
    masks = torch.zeros(1, 12, 4, 2, BINS)
    masks[:, :, 0] = 1.0
    loss = losses.waveform_loss(stft, masks, mix, targets[..., stft.history :], torch.ones(1, 4), torch.ones(1))
    assert float(loss) == pytest.approx(np.log10(losses.FLOOR), abs=1e-3)


def test_a_target_without_weight_does_not_count(planes: tuple[torch.Tensor, torch.Tensor, torch.Tensor]) -> None:
    mix, targets, masks = planes
    weights = torch.tensor([[1.0, 1.0, 0.0, 0.0]] * 2)
    spoiled = targets.clone()
    spoiled[:, 2:] *= 100.0
    found = [planes_of(mix, each) for each in (targets, spoiled)]
    values = [float(losses.sdr_loss(masks, *each, weights, torch.ones(2))) for each in found]
    assert values[0] == values[1]


def test_group_masks_add_up_the_stems_of_a_group(planes: tuple[torch.Tensor, torch.Tensor, torch.Tensor]) -> None:
    masks = planes[2]
    groups = torch.tensor([[1.0, 0, 0, 0], [0, 1, 1, 1], [0, 0, 0, 0], [0, 0, 0, 0]]).expand(2, 4, 4)
    grouped = losses.group_masks(masks, groups)
    assert torch.allclose(grouped[:, :, 1], masks[:, :, 1:].sum(2), atol=1e-6)
    assert torch.equal(grouped[:, :, 0], masks[:, :, 0])
    assert not grouped[:, :, 2:].any()


def test_a_better_mask_has_a_lower_loss_of_either_kind(planes: tuple[torch.Tensor, torch.Tensor, torch.Tensor]) -> None:
    mix, targets, masks = planes
    power, cross, energies = planes_of(mix, targets)
    best = (cross / power).clamp(0, 1)
    weights = torch.ones(2, 4)
    sdr = [float(losses.sdr_loss(each, power, cross, energies, weights, torch.ones(2) * 1e4)) for each in (best, masks)]
    magnitude = [float(losses.magnitude_loss(each, power, cross, weights)) for each in (best, masks)]
    assert sdr[0] < sdr[1]
    assert magnitude[0] < magnitude[1]


def test_the_torch_transform_is_the_streaming_one() -> None:
    from rtsep.dsp.stft import spectra
    from rtsep.dsp.windows import low_delay_pair

    wave = np.random.default_rng(2).standard_normal((2, 384 + 128 * 9)).astype(np.float32)
    ours = LowDelayStft(512, 128, 256)(torch.from_numpy(wave)).numpy()
    # 1e-4 of spectra that reach 50: float32 FFTs of two libraries.
    assert np.allclose(ours, spectra(wave, low_delay_pair(512, 128, 256).analysis, 128), atol=1e-4)


def test_the_energy_of_a_spectrum_is_that_of_its_wave() -> None:
    stft = LowDelayStft(256, 64, 128)
    wave = torch.randn(1, stft.history + 64 * 400, generator=torch.Generator().manual_seed(3))
    energy = float(stft(wave).abs().square().sum()) / 400
    assert energy == pytest.approx(stft.energy_per_frame(), rel=0.03)


def test_a_soft_passage_counts_less_than_a_loud_one(planes: tuple[torch.Tensor, torch.Tensor, torch.Tensor]) -> None:
    mix, targets, masks = planes
    masks.requires_grad_()
    gains = torch.tensor([1.0, 0.1])[:, None, None, None]
    found = planes_of(mix * gains, targets * gains.unsqueeze(1))
    loss = losses.sdr_loss(masks, *found, torch.ones(2, 4), torch.ones(2) * 2e3)
    (slope,) = torch.autograd.grad(loss, masks)
    loud, soft = slope.abs().sum((1, 2, 3, 4)).tolist()
    assert loud > 3 * soft > 0
