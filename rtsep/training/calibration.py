"""How sure a network may be: one factor on all its logits, chosen on songs that it did not learn from.

Trained on little material, a network is surer of its masks on new songs than it ought to be, and a hard mask in the wrong place
costs twice: the stem that loses the sound and the one that gains it. One factor below one on the logits softens all masks alike;
the order of stems in every bin stays, and so does their sum of one (temperature scaling: Guo et al., "On Calibration of Modern
Neural Networks", ICML 2017). It goes into the last layer's weights, hence costs nothing when playing.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from rtsep.errors import ConfigError
from rtsep.models.bandnet import BandNet
from rtsep.stems import STEMS
from rtsep.training.corpus import Song
from rtsep.training.losses import mix_planes
from rtsep.training.stft import LowDelayStft
from rtsep.training.validation import mean_scores, scored_stems, song_scores, stem_waves

FACTORS = tuple(np.round(np.arange(0.4, 1.21, 0.05), 2).tolist())
"""Candidates; 1 leaves the network as it is."""


@torch.no_grad()
def sdr_by_factor(model: BandNet, stft: LowDelayStft, song: Song, seconds: float, rate: int) -> list[dict[str, float]]:
    """SDR in dB of each stem for each of `FACTORS`, over the masked bins of the spectra of the first `seconds` of a song."""
    truth = stem_waves(song, seconds, rate)
    silence = np.zeros_like(next(iter(truth.values())))
    waves = torch.from_numpy(np.stack([truth.get(stem, silence) for stem in STEMS]))[None]
    hops = waves.shape[-1] // stft.hop * stft.hop
    spectra = stft(torch.nn.functional.pad(waves[..., :hops], (stft.history, 0)))
    mix = spectra.sum(1)
    masks, _ = model(torch.view_as_real(mix).transpose(1, 2), model.init_state())
    power, cross, target = mix_planes(mix, spectra, model.config.masked_bins)
    logits, energy = masks.clamp_min(1e-9).log(), target.sum((0, 1, 3, 4))
    known = scored_stems(song, truth)
    rows = []
    for factor in FACTORS:
        softer = torch.softmax(factor * logits, 2)
        error = (softer * (softer * power - 2.0 * cross) + target).sum((0, 1, 3, 4))
        sdr: Tensor = 10.0 * torch.log10(energy / error)
        rows.append({stem: float(sdr[STEMS.index(stem)]) for stem in known})
    return rows


def best_factor(model: BandNet, stft: LowDelayStft, songs: Sequence[Song], seconds: float, rate: int) -> float:
    """Return the factor of `FACTORS` with the highest mean over songs and stems."""
    scores = [sdr_by_factor(model, stft, song, seconds, rate) for song in songs]
    means = [mean_scores(rows)["mean"] for rows in zip(*scores, strict=True)]
    best: float = FACTORS[int(np.argmax(means))]
    return best


@torch.no_grad()
def scale_logits(model: BandNet, factor: float) -> None:
    """Multiply all logits by `factor`, in the weights of the last layer."""
    for parameter in (*model.decoders, *model.decoder_biases):
        parameter.mul_(factor)


def calibrate(model: BandNet, songs: Sequence[Song], seconds: float) -> tuple[float, dict[str, dict[str, float]]]:
    """Scale the logits of a network by the best factor for `songs`.

    Returns:
        The factor, and the utterance SDR per song and stem with it, with the means as `mean`.

    Raises:
        ConfigError: there are no songs to choose by.
    """
    if not songs:
        raise ConfigError("--calibrate needs validation songs, and the recipe's data sets hold none: leave it out, or add some.")
    config = model.config
    stft = LowDelayStft(config.window, config.hop, config.synthesis)
    factor = best_factor(model, stft, songs, seconds, config.rate)
    scale_logits(model, factor)
    scores = {song.name: song_scores(model, stft, song, seconds, config.rate) for song in songs}
    return factor, scores | {"mean": mean_scores(list(scores.values()))}
