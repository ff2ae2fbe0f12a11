"""Losses of real masks, all computed from real spectrogram planes.

With a real mask m, mix X and target S, the squared error of a bin is |mX - S|² = m²|X|² - 2m Re(X*S) + |S|². The exact
phase-aware error therefore needs |X|², Re(X*S) and the sum of |S|² only: no complex masks, a quarter of the memory traffic.

`sdr_loss` is the logarithm of that error per lane and stem, so each stem of each lane counts alike however loud it is: the
utterance SDR of a chunk, up to a constant. It is what separation is judged by, and unlike L1 of magnitudes it does not pay
for soft masks. `magnitude_loss` keeps quiet and high bins alive, which carry little energy but much of what is heard.
`waveform_loss` is `sdr_loss` after the inverse STFT, on the very samples that are played: for the last part of a run.
"""

from __future__ import annotations

import torch
from torch import Tensor

from rtsep.training.stft import LowDelayStft

FLOOR = 10.0**-0.9
"""Error below about -9 dB of the mix earns little more.

With less, quiet stems and easy moments would rule, and a network learns to silence whatever it is not sure of: at -25 dB the
training loss went on falling while validation songs lost in `other`.
"""


def mix_planes(mix: Tensor, targets: Tensor, masked_bins: int) -> tuple[Tensor, Tensor, Tensor]:
    """Planes |X|² and Re(X*S), and the energy of each target.

    Args:
        mix: `[batch, channels, frames, bins, 2]`, re/im last.
        targets: `[batch, targets, channels, frames, bins, 2]`.
        masked_bins: keep the bins below this one.

    Returns:
        `[batch, frames, 1, channels, bins]`, `[batch, frames, targets, channels, bins]` and `[batch, targets]`.
    """
    x = mix[..., :masked_bins, :].transpose(1, 2).unsqueeze(2)
    s = targets[..., :masked_bins, :].permute(0, 3, 1, 2, 4, 5)
    # Not squares of whole planes, summed over re/im: sums over an axis of two take three times as long.
    x_re, x_im, s_re, s_im = x[..., 0], x[..., 1], s[..., 0], s[..., 1]
    return x_re * x_re + x_im * x_im, x_re * s_re + x_im * s_im, (s_re * s_re + s_im * s_im).sum((1, 3, 4))


def group_masks(masks: Tensor, groups: Tensor) -> Tensor:
    """Masks of the known targets: sums of stems' masks, `[batch, frames, stems, …]` by `groups: [batch, targets, stems]`."""
    batch, frames, stems = masks.shape[:3]
    return torch.matmul(groups.unsqueeze(1), masks.reshape(batch, frames, stems, -1)).reshape(masks.shape)


def log_error(error: Tensor, mix_energy: Tensor, weights: Tensor) -> Tensor:
    """Mean over targets of log10(error / mix + floor).

    Args:
        error: `[batch, targets]`.
        mix_energy: `[batch]`, of a chunk as loud as its whole stretch: soft passages count as little as in a song's SDR.
        weights: `[batch, targets]`.
    """
    ratio = error / (mix_energy.unsqueeze(1) + 1e-4) + FLOOR
    return (weights * torch.log10(ratio)).sum() / weights.sum()


def sdr_loss(masks: Tensor, power: Tensor, cross: Tensor, energy: Tensor, weights: Tensor, mix_energy: Tensor) -> Tensor:
    """Log error over the STFT of a chunk, in units of 10 dB."""
    error = (masks * (masks * power - 2.0 * cross)).sum((1, 3, 4)) + energy
    return log_error(error, mix_energy, weights)


def magnitude_loss(masks: Tensor, power: Tensor, cross: Tensor, weights: Tensor) -> Tensor:
    """L1 between square roots of the estimated and of the best reachable magnitude (the target's part in phase with the mix)."""
    magnitude = (power + 1e-12).sqrt()
    best = torch.minimum((cross / magnitude).clamp_min(0.0), magnitude)
    difference = ((masks * magnitude + 1e-3).sqrt() - (best + 1e-3).sqrt()).abs()
    return (difference.mean((1, 3, 4)) * weights).sum() / weights.sum()


def waveform_loss(stft: LowDelayStft, masks: Tensor, mix: Tensor, targets: Tensor, weights: Tensor, mix_power: Tensor) -> Tensor:
    """Log error of the played samples of a chunk, in units of 10 dB.

    Args:
        stft: the transform the masks belong to.
        masks: `[batch, frames, targets, channels, masked_bins]`.
        mix: `[batch, channels, frames, bins]` complex.
        targets: `[batch, targets, channels, samples]` waves, without history.
        weights: `[batch, targets]`.
        mix_power: `[batch]`, mean square of the mix over the stretch.
    """
    masked = masks.permute(0, 2, 3, 1, 4) * mix[..., : masks.shape[-1]].unsqueeze(1)
    masked = torch.nn.functional.pad(masked, (0, mix.shape[-1] - masks.shape[-1]))
    # The first block lacks the overlap of the frame before this chunk, the last one that of the frame after it.
    played = stft.inverse(masked)[..., stft.hop :]
    truth = targets[..., stft.hop : -stft.hop]
    return log_error((played - truth).square().sum((2, 3)), mix_power * truth[0, 0].numel(), weights)
