"""Separate whole songs with a network that is being trained, through the same low-delay transform as the live runtime."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from rtsep.models.bandnet import BandNet
from rtsep.training.stft import LowDelayStft

CHUNK_FRAMES = 512


@torch.no_grad()
def separate_song(model: BandNet, stft: LowDelayStft, mix: NDArray[np.float32]) -> NDArray[np.float32]:
    """Separate `[2, samples]` into `[stems, 2, samples]`, aligned with the input, with the state carried through the song."""
    config = model.config
    samples = mix.shape[1]
    frames = -(-samples // config.hop) + 1
    padded = np.pad(mix, ((0, 0), (stft.history, frames * config.hop - samples)))
    wave = torch.from_numpy(padded)[None].to(model.band_bias.device)
    state = model.init_state()
    pieces: list[torch.Tensor] = []
    carried: torch.Tensor | None = None
    for start in range(0, frames, CHUNK_FRAMES):
        stop = min(frames, start + CHUNK_FRAMES)
        spectrum = stft(wave[..., start * config.hop : stop * config.hop + stft.history])
        masks, state = model(torch.view_as_real(spectrum).transpose(1, 2), state)
        masked = apply_masks(masks, spectrum, config.stems.index("other"))
        # The previous call's last frame completes its block with this call's first.
        joined = masked if carried is None else torch.cat((carried, masked), -2)
        pieces.append(stft.inverse(joined))
        carried = masked[..., -1:, :]
    stems: NDArray[np.float32] = torch.cat(pieces, -1)[0, ..., :samples].cpu().numpy()
    return stems


def apply_masks(masks: torch.Tensor, spectrum: torch.Tensor, remainder: int) -> torch.Tensor:
    """Stem spectra `[batch, stems, channels, frames, bins]`; bins above the masks belong to the stem with index `remainder`."""
    covered = masks.shape[-1]
    rest = torch.zeros(*masks.shape[:-1], spectrum.shape[-1] - covered, dtype=masks.dtype, device=masks.device)
    rest[:, :, remainder] = 1.0
    return torch.cat((masks, rest), -1).permute(0, 2, 3, 1, 4) * spectrum.unsqueeze(1)
