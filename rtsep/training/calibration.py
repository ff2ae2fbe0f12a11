"""How sure a network may be, and of what: a factor on its logits and an offset per stem, both smooth over frequency.

They are fitted on songs that it did not learn from. Trained on little material, a network is surer of its masks on new songs than
it ought to be, the more so the higher the frequency, and a hard mask in the wrong place costs twice: the stem that loses the
sound and the one that gains it. A factor below one softens all masks alike. Training mixes also differ from songs in how much of
each stem they hold, which an offset per stem makes good. Masks still add up to one. (Vector scaling with one factor: Guo et al.,
"On Calibration of Modern Neural Networks", ICML 2017.) It goes into the last layer, hence costs nothing when playing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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

KNOTS_HZ = (0.0, 460.0, 3400.0, 22050.0)
"""Factor and offsets are fitted at these frequencies and interpolated between them, along log(1 + f / BEND)."""

BEND = 86.0
"""Hz; below it this scale is nearly linear."""

SMOOTHNESS = 0.02
"""Price in dB of a squared distance of 1 between a value at one frequency and its mean over all of them."""

THINNING = 4
"""The fit looks at every so-manieth transform: twenty numbers need no more."""

ITERATIONS = 25


@dataclass(frozen=True)
class Calibration:
    """Logits become `factor * logits + offset`; factors `[knots]`, offsets `[stems, knots]`."""

    factors: Tensor
    offsets: Tensor

    @classmethod
    def none(cls) -> Calibration:
        """Return the one that changes nothing."""
        return cls(torch.ones(len(KNOTS_HZ)), torch.zeros(len(STEMS), len(KNOTS_HZ)))

    @classmethod
    def of_facts(cls, facts: Mapping[str, Sequence[float]]) -> Calibration:
        """Return the one that was told by `facts`."""
        return cls(torch.tensor(facts["factor"]), torch.tensor([facts[stem] for stem in STEMS]))

    def per_bin(self, rate: int, window: int, bins: int) -> tuple[Tensor, Tensor]:
        """Factors `[bins]` and offsets `[stems, bins]` of the lowest bins of a transform."""
        weights = interpolation(rate, window, bins)
        return self.factors @ weights, self.offsets @ weights

    def facts(self) -> dict[str, list[float]]:
        """Values at `hz` by name, for people."""
        rows = zip(("factor", *STEMS), (self.factors, *self.offsets), strict=True)
        return {"hz": list(KNOTS_HZ)} | {name: [round(value, 3) for value in row.tolist()] for name, row in rows}


def interpolation(rate: int, window: int, bins: int) -> Tensor:
    """Weights `[knots, bins]` that read a curve of `KNOTS_HZ` at the lowest bins of a transform."""
    knots = np.log1p(np.array(KNOTS_HZ) / BEND)
    positions = np.log1p(np.arange(bins) * rate / window / BEND)
    return torch.from_numpy(np.stack([np.interp(positions, knots, one) for one in np.eye(knots.size)]).astype(np.float32))


@dataclass(frozen=True)
class Heard:
    """What a network says of a song, and what is true: everything that SDR over the spectra follows from.

    logits, power, cross: `[1, transforms, stems or 1, channels, bins]`; energy: `[stems]`; see `mix_planes`.
    rate, window: of the transforms; known: names of the stems that count.
    """

    logits: Tensor
    power: Tensor
    cross: Tensor
    energy: Tensor
    rate: int
    window: int
    known: list[str]

    def sdr(self, calibration: Calibration) -> Tensor:
        """SDR in dB per stem, `[stems]`, with a calibration."""
        factors, offsets = calibration.per_bin(self.rate, self.window, self.logits.shape[-1])
        masks = torch.softmax(factors * self.logits + offsets[:, None], 2)
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
    return Heard(
        masks[:, ::THINNING].clamp_min(1e-9).log(), power, cross, energy[0], rate, stft.window, scored_stems(song, truth)
    )


def mean_sdr(songs: Sequence[Heard], calibration: Calibration) -> Tensor:
    """Mean over stems of their means over songs, in dB."""
    scores = [song.sdr(calibration) for song in songs]
    means = [
        torch.stack([row[index] for row, song in zip(scores, songs, strict=True) if stem in song.known]).mean()
        for index, stem in enumerate(STEMS)
        if any(stem in song.known for song in songs)
    ]
    return torch.stack(means).mean()


def fit(songs: Sequence[Heard]) -> Calibration:
    """Return the calibration with the highest `mean_sdr`, less what its unevenness costs; the offsets' mean is zero."""
    start = Calibration.none()
    factors, offsets = start.factors.requires_grad_(), start.offsets.requires_grad_()
    optimizer = torch.optim.LBFGS([factors, offsets], max_iter=ITERATIONS, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        unevenness = (factors - factors.mean()).square().sum() + (offsets - offsets.mean(1, keepdim=True)).square().sum()
        value = SMOOTHNESS * unevenness - mean_sdr(songs, Calibration(factors, offsets))
        value.backward()  # type: ignore[no-untyped-call]
        return value

    optimizer.step(loss)  # type: ignore[no-untyped-call]
    found = Calibration(factors.detach(), offsets.detach() - offsets.detach().mean(0))
    return Calibration.of_facts(found.facts())  # rounded, so that what is told of it is all of it


@torch.no_grad()
def apply(model: BandNet, calibration: Calibration) -> None:
    """Put a calibration on the logits, in the weights of the last layer."""
    config = model.config
    factors, offsets = calibration.per_bin(config.rate, config.window, config.masked_bins)
    offsets = offsets.repeat_interleave(config.channels, 0)
    start = 0
    for (count, bins), decoder, bias in zip(config.bands, model.decoders, model.decoder_biases, strict=True):
        stop = start + count * bins
        factor = factors[start:stop].view(count, 1, 1, bins)
        offset = offsets[:, start:stop].view(-1, count, bins).transpose(0, 1).unsqueeze(1)
        decoder.copy_((decoder.unflatten(2, (-1, bins)) * factor).flatten(2))
        bias.copy_((bias.unflatten(2, (-1, bins)) * factor + offset).flatten(2))
        start = stop


def calibrate(
    model: BandNet, songs: Sequence[Song], seconds: float
) -> tuple[dict[str, list[float]], dict[str, dict[str, float]]]:
    """Fit and apply a calibration.

    Returns:
        What was found, see `Calibration.facts`, and the utterance SDR per song and stem with them, means as `mean`.

    Raises:
        ConfigError: there are no songs to choose by.
    """
    if not songs:
        raise ConfigError("--calibrate needs validation songs, and the recipe's data sets hold none: leave it out, or add some.")
    config = model.config
    model.eval().requires_grad_(False)
    stft = LowDelayStft(config.window, config.hop, config.synthesis)
    found = fit([hear(model, stft, song, seconds, config.rate) for song in songs])
    apply(model, found)
    scores = {song.name: song_scores(model, stft, song, seconds, config.rate) for song in songs}
    return found.facts(), scores | {"mean": mean_scores(list(scores.values()))}
