"""The low-delay STFT in torch, batched and differentiable: the same windows as the streaming one in `rtsep.dsp.stft`.

Frame t ends at sample (t+1)*hop and looks back over the whole analysis window; its synthesis window lives on the last two hops.
Output block t is therefore final once frame t+1 has been added.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from rtsep.dsp.windows import low_delay_pair


class LowDelayStft(nn.Module):
    """Analysis and synthesis with asymmetric windows, hop H and synthesis length 2H."""

    analysis: Tensor
    synthesis: Tensor

    def __init__(self, window: int, hop: int, synthesis: int) -> None:
        super().__init__()
        pair = low_delay_pair(window, hop, synthesis)
        self.window, self.hop = window, hop
        self.register_buffer("analysis", torch.from_numpy(pair.analysis))
        self.register_buffer("synthesis", torch.from_numpy(pair.synthesis))

    @property
    def history(self) -> int:
        """Samples before the first new one that `forward` needs."""
        return self.window - self.hop

    def energy_per_frame(self) -> float:
        """Energy over the bins of one frame of a signal whose mean square is 1 (Parseval, one-sided)."""
        return 0.5 * self.window * float(self.analysis.square().sum())

    def forward(self, wave: Tensor) -> Tensor:
        """Spectra of a wave that begins with its history.

        Args:
            wave: `[..., history + frames * hop]`.

        Returns:
            `[..., frames, bins]` complex64.
        """
        spectra: Tensor = torch.fft.rfft(wave.unfold(-1, self.window, self.hop) * self.analysis)
        return spectra

    def inverse(self, spectra: Tensor) -> Tensor:
        """Overlap-add.

        Args:
            spectra: `[..., frames, bins]` complex64.

        Returns:
            `[..., (frames - 1) * hop]`: the blocks that are final, aligned with the input (the block of the last frame is not).
        """
        tail = torch.fft.irfft(spectra, self.window)[..., -2 * self.hop :] * self.synthesis
        older, newer = tail[..., : self.hop], tail[..., self.hop :]
        blocks: Tensor = newer[..., :-1, :] + older[..., 1:, :]
        return blocks.flatten(-2)
