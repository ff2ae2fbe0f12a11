"""Separate whole songs with a network that is being trained, through the same transform and filter as the live runtime."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from rtsep.dsp.wiener import divider
from rtsep.models.bandnet import BandNet
from rtsep.models.bandnet_stream import to_all_bins
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
    filtered = divider(len(config.stems), config.channels, config.bins, config.hop, config.rate)
    places, state = filtered.init_state(), model.init_state()
    pieces: list[torch.Tensor] = []
    carried: torch.Tensor | None = None
    for start in range(0, frames, CHUNK_FRAMES):
        stop = min(frames, start + CHUNK_FRAMES)
        spectrum = stft(wave[..., start * config.hop : stop * config.hop + stft.history])
        masks, state = model(torch.view_as_real(spectrum).transpose(1, 2), state)
        frames_of_stems = [
            filtered.split(to_all_bins(masks_of_frame, config.bins, config.stems.index("other")), of_frame, places)
            for masks_of_frame, of_frame in zip(masks[0].cpu().numpy(), spectrum[0].transpose(0, 1).cpu().numpy(), strict=True)
        ]
        masked = torch.from_numpy(np.stack(frames_of_stems, 2))[None].to(spectrum.device)
        # The previous call's last frame completes its block with this call's first.
        joined = masked if carried is None else torch.cat((carried, masked), -2)
        pieces.append(stft.inverse(joined))
        carried = masked[..., -1:, :]
    stems: NDArray[np.float32] = torch.cat(pieces, -1)[0, ..., :samples].cpu().numpy()
    return stems
