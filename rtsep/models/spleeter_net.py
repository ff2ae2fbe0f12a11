"""The U-Net of Spleeter in torch: the reference for the ONNX graph, and what runs on CUDA.

Architecture: Hennequin et al., "Spleeter: a fast and efficient music source separation tool with pre-trained
models" (JOSS 2020), after Jansson et al. 2017. One U-Net per stem looks at the magnitudes of a whole segment
and gives a sigmoid per channel, frame and bin. Tensors are `[batch, channels, frames, bins]`.

Where it differs from the textbook: skips and bottleneck are taken before the normalisation; a decoder stage is
transposed convolution, ReLU, then normalisation; "same" padding follows TensorFlow, so that a stride of two
pads (1, 2) and its transpose crops (1, 2). Normalisation is frozen, hence one scale and shift per channel.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from rtsep.models.spleeter_shape import DOWN, EPSILON, LEAK, UP, frames_needed


class Affine(nn.Module):
    """Scale and shift per channel: a batch normalisation whose statistics are frozen."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(channels))
        self.shift = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Return `x: [batch, channels, frames, bins]` scaled and shifted."""
        return x * self.scale[:, None, None] + self.shift[:, None, None]


class UNet(nn.Module):
    """Sigmoids of one stem for the newest frames of a segment."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.ModuleList(nn.Conv2d(i, o, 5, stride=2) for i, o in DOWN)
        self.down_norm = nn.ModuleList(Affine(o) for _, o in DOWN[:-1])
        self.up = nn.ModuleList(nn.ConvTranspose2d(i, o, 5, stride=2) for i, o in UP)
        self.up_norm = nn.ModuleList(Affine(o) for _, o in UP)
        self.last = nn.Conv2d(1, 2, 4, dilation=2)

    def forward(self, magnitudes: Tensor, newest: int) -> Tensor:
        """Return sigmoids `[batch, 2, newest, bins]` of `magnitudes: [batch, 2, frames, bins]`.

        The decoder computes only what the newest frames depend on; the result is that of a full decoding.
        """
        frames = magnitudes.shape[2]
        skips: list[Tensor] = []
        x = magnitudes
        for stage, convolution in enumerate(self.down):
            if stage:
                x = functional.leaky_relu(self.down_norm[stage - 1](x), LEAK)
            x = convolution(functional.pad(x, (1, 2, 1, 2)))
            skips.append(x)
        needed = frames_needed(frames, newest)
        for stage, convolution in enumerate(self.up):
            depth = len(UP) - stage
            x = x[:, :, -needed[depth] :]
            if stage:
                x = torch.cat([skips[depth - 1][:, :, -needed[depth] :], x], dim=1)
            x = self.up_norm[stage](functional.relu(convolution(x)[:, :, 1:-2, 1:-2]))
        x = x[:, :, -needed[0] :]
        return torch.sigmoid(self.last(functional.pad(x, (3, 3, 3, 3)))[:, :, -newest:])


class SpleeterNet(nn.Module):
    """Vocal masks: the ratio of both published nets' powers, or the sigmoids of the live net as they are."""

    def __init__(self, *, live: bool, newest: int | None) -> None:
        super().__init__()
        self.newest = newest
        if live:
            self.live = UNet()
        else:
            self.vocals, self.accompaniment = UNet(), UNet()

    def forward(self, magnitudes: Tensor) -> Tensor:
        """Return the vocal mask `[batch, 2, newest, bins]`, 0 … 1, of `magnitudes: [batch, 2, frames, bins]`."""
        newest = self.newest or magnitudes.shape[2]
        if hasattr(self, "live"):
            mask: Tensor = self.live(magnitudes, newest)
            return mask
        power: Tensor = self.vocals(magnitudes, newest) ** 2
        rest: Tensor = self.accompaniment(magnitudes, newest) ** 2
        return (power + EPSILON / 2) / (power + rest + EPSILON)
