"""One chunk through the network: spectra, masks, losses."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from rtsep.models.bandnet import BandNet
from rtsep.stems import STEMS
from rtsep.training import losses
from rtsep.training.feed import Chunk
from rtsep.training.gru_scan import fast_type
from rtsep.training.recipe import LossConfig
from rtsep.training.stft import LowDelayStft


@dataclass(frozen=True)
class Weights:
    """Weights of the three losses; a loss of weight 0 is not computed."""

    sdr: float
    magnitude: float
    waveform: float

    @classmethod
    def of_phase(cls, config: LossConfig, decaying: bool) -> Weights:
        """Weights of the stable or of the decay phase."""
        if decaying:
            return cls(config.decay_sdr, config.decay_magnitude, config.decay_waveform)
        return cls(config.sdr, config.magnitude, config.waveform)


class Objective:
    """Computes the loss of a chunk, compiled if asked.

    Attributes:
        bfloat16: whether the network computes in it: if asked, and if the processor is one that gains by it.
    """

    def __init__(self, model: BandNet, stft: LowDelayStft, *, bfloat16: bool, compiled: bool) -> None:
        self.stft = stft
        self.masked_bins = model.config.masked_bins
        # Several sizes of batch may occur (validation, another number of processes); each is compiled for itself.
        self.network = torch.compile(model, dynamic=False) if compiled else model
        self.planes = torch.compile(losses.mix_planes, dynamic=False) if compiled else losses.mix_planes
        self.spectral = torch.compile(spectral_losses, dynamic=False) if compiled else spectral_losses
        self.device_type = model.band_bias.device.type
        self.bfloat16 = bfloat16 and (self.device_type != "cpu" or fast_type() == torch.bfloat16)

    def __call__(self, chunk: Chunk, state: Tensor, weights: Weights) -> tuple[Tensor, dict[str, float], Tensor]:
        """Return the loss, its parts by name, and the state after the chunk (detached)."""
        device = state.device
        stems = torch.from_numpy(chunk.stems).to(device)
        groups, target_weights = torch.from_numpy(chunk.groups).to(device), torch.from_numpy(chunk.weights).to(device)
        mix_power = torch.from_numpy(chunk.power).to(device)
        every_stem_known = bool((chunk.groups == np.eye(chunk.groups.shape[-1])).all())
        with torch.no_grad():
            targets = stems if every_stem_known else torch.einsum("bgs,bscn->bgcn", groups, stems)
            mix = self.stft(stems[:, : len(STEMS)].sum(1))
            planes = self.planes(torch.view_as_real(mix), torch.view_as_real(self.stft(targets)), self.masked_bins)
        with torch.autocast(self.device_type, torch.bfloat16, enabled=self.bfloat16):
            masks, state = self.network(torch.view_as_real(mix).transpose(1, 2), state)
        if chunk.stems.shape[1] > len(STEMS):  # what the teacher takes for vocals is a second truth for the same mask
            vocals = STEMS.index("vocals")
            masks = torch.cat((masks, masks[:, :, vocals : vocals + 1]), 2)
        if not every_stem_known:
            masks = losses.group_masks(masks, groups)
        total = torch.zeros((), device=device)
        parts: dict[str, float] = {}
        if weights.sdr or weights.magnitude:
            mix_energy = mix_power * (self.stft.energy_per_frame() * mix.shape[1] * mix.shape[2])
            sdr, magnitude = self.spectral(masks, *planes, target_weights, mix_energy)
            total = total + weights.sdr * sdr + weights.magnitude * magnitude
            parts |= {"sdr": float(sdr.detach()), "magnitude": float(magnitude.detach())}
        if weights.waveform:
            wave = losses.waveform_loss(self.stft, masks, mix, targets[..., self.stft.history :], target_weights, mix_power)
            total = total + weights.waveform * wave
            parts["waveform"] = float(wave.detach())
        return total, parts, state.detach()


def spectral_losses(
    masks: Tensor, power: Tensor, cross: Tensor, energy: Tensor, weights: Tensor, mix_energy: Tensor
) -> tuple[Tensor, Tensor]:
    """Both spectral losses in one pass over the planes."""
    sdr = losses.sdr_loss(masks, power, cross, energy, weights, mix_energy)
    return sdr, losses.magnitude_loss(masks, power, cross, weights)
