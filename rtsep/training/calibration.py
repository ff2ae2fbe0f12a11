"""How sure a network may be, and of what: one factor on all its logits and one offset per stem.

Both are fitted on songs that it did not learn from. Trained on little material, a network is surer of its masks on new songs than
it ought to be, and a hard mask in the wrong place costs twice: the stem that loses the sound and the one that gains it. A factor
below one softens all masks alike. Training mixes also differ from songs in how much of each stem they hold, which an offset per
stem makes good. Masks still add up to one. (Vector scaling with one factor: Guo et al., "On Calibration of Modern Neural
Networks", ICML 2017.) Both go into the last layer's weights, hence cost nothing when playing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

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

THINNING = 4
"""The fit looks at every so-manieth transform: five numbers need no more."""

ITERATIONS = 20


@dataclass(frozen=True)
class Heard:
    """What a network says of a song, and what is true: everything that SDR over the spectra follows from.

    logits, power, cross: `[1, transforms, stems or 1, channels, bins]`; energy: `[stems]`; see `mix_planes`.
    known: names of the stems that count.
    """

    logits: Tensor
    power: Tensor
    cross: Tensor
    energy: Tensor
    known: list[str]

    def sdr(self, factor: Tensor, offsets: Tensor) -> Tensor:
        """SDR in dB per stem, `[stems]`, if logits were `factor * logits + offsets`."""
        masks = torch.softmax(factor * self.logits + offsets.view(1, 1, -1, 1, 1), 2)
        error = (masks * (masks * self.power - 2.0 * self.cross)).sum((0, 1, 3, 4)) + self.energy
        return 10.0 * torch.log10((self.energy + 1e-9) / (error + 1e-9))


@torch.no_grad()
def hear(model: BandNet, stft: LowDelayStft, song: Song, seconds: float, rate: int) -> Heard:
    """Run a network over the first `seconds` of a song."""
    truth = stem_waves(song, seconds, rate)
    silence = np.zeros_like(next(iter(truth.values())))
    waves = torch.from_numpy(np.stack([truth.get(stem, silence) for stem in STEMS]))[None]
    hops = waves.shape[-1] // stft.hop * stft.hop
    spectra = stft(torch.nn.functional.pad(waves[..., :hops], (stft.history, 0)))
    mix = spectra.sum(1)
    masks, _ = model(torch.view_as_real(mix).transpose(1, 2), model.init_state())
    thinned = torch.view_as_real(mix[..., ::THINNING, :]), torch.view_as_real(spectra[..., ::THINNING, :])
    power, cross, energy = mix_planes(*thinned, model.config.masked_bins)
    return Heard(masks[:, ::THINNING].clamp_min(1e-9).log(), power, cross, energy[0], scored_stems(song, truth))


def mean_sdr(songs: Sequence[Heard], factor: Tensor, offsets: Tensor) -> Tensor:
    """Mean over stems of their means over songs, in dB."""
    scores = [song.sdr(factor, offsets) for song in songs]
    means = [
        torch.stack([row[index] for row, song in zip(scores, songs, strict=True) if stem in song.known]).mean()
        for index, stem in enumerate(STEMS)
        if any(stem in song.known for song in songs)
    ]
    return torch.stack(means).mean()


def fit(songs: Sequence[Heard]) -> tuple[float, list[float]]:
    """Return the factor and the offsets per stem (their mean is zero) with the highest `mean_sdr`."""
    factor, offsets = torch.ones((), requires_grad=True), torch.zeros(len(STEMS), requires_grad=True)
    optimizer = torch.optim.LBFGS([factor, offsets], max_iter=ITERATIONS, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        value = -mean_sdr(songs, factor, offsets)
        value.backward()  # type: ignore[no-untyped-call]
        return value

    optimizer.step(loss)  # type: ignore[no-untyped-call]
    found = offsets.detach()
    return round(float(factor.detach()), 3), [round(value, 3) for value in (found - found.mean()).tolist()]


@torch.no_grad()
def apply(model: BandNet, factor: float, offsets: Sequence[float]) -> None:
    """Put a factor and offsets per stem on the logits, in the weights of the last layer."""
    for decoder in model.decoders:
        decoder.mul_(factor)
    for bias, (count, bins) in zip(model.decoder_biases, model.config.bands, strict=True):
        each = torch.tensor(offsets).repeat_interleave(model.config.channels * bins)
        bias.mul_(factor).add_(each.expand(count, 1, -1))


def calibrate(model: BandNet, songs: Sequence[Song], seconds: float) -> tuple[dict[str, float], dict[str, dict[str, float]]]:
    """Fit and apply a calibration.

    Returns:
        The factor and the offset of each stem by name, and the utterance SDR per song and stem with them, means as `mean`.

    Raises:
        ConfigError: there are no songs to choose by.
    """
    if not songs:
        raise ConfigError("--calibrate needs validation songs, and the recipe's data sets hold none: leave it out, or add some.")
    config = model.config
    model.eval().requires_grad_(False)
    stft = LowDelayStft(config.window, config.hop, config.synthesis)
    factor, offsets = fit([hear(model, stft, song, seconds, config.rate) for song in songs])
    apply(model, factor, offsets)
    scores = {song.name: song_scores(model, stft, song, seconds, config.rate) for song in songs}
    found = {"factor": factor} | dict(zip(STEMS, offsets, strict=True))
    return found, scores | {"mean": mean_scores(list(scores.values()))}
