"""Tuning Spleeter's vocals net to do without the future: it learns what both published nets say who hear it.

At the newest transforms of a stream half of what the nets look for has not happened yet. Here the vocals net gets windows as a
live tier shows them, the past and a guess of what follows (`rtsep.models.spleeter_stream`), and its masks of the newest
transforms are drawn to those that both published nets give the same transforms with their future (knowledge distillation, Hinton
et al. 2015), and a little to the truth. A net that learns what it would say itself a little later stays close to what it once
learned from far more music.

One net serves all look-aheads: each window gives masks for its newest `HELD_BACK` transforms.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rtsep.dsp.stft import spectra
from rtsep.models.level import block_powers, follow, init_level
from rtsep.models.spleeter_live import LIVE, PUBLISHED
from rtsep.models.spleeter_net import SpleeterNet, UNet
from rtsep.models.spleeter_shape import BINS, FFT, HOP
from rtsep.models.spleeter_stream import CHANNELS, HANN, fill_past, future
from rtsep.training.parallel import Group, flat_norm
from rtsep.training.streams import StretchMaker

CONTEXT, GUESSED = 64, 12
"""Transforms in a window, and how many of them stand for the future, as in the live tiers."""

HELD_BACK = 4
"""Masks per window: look-aheads of 0 to 3 transforms."""

TRANSFORMS = 280
"""Length of a stretch of music: 6.5 s."""

FIRST, STRIDE, PER_STRETCH, PER_ROUND = 24, 2, 24, 12
"""Windows end at every second transform from the 24th on; so many of a stretch are used, of so many stretches at a time."""

SEGMENT, MARGIN = 128, 26
"""The teachers hear segments of so many transforms, and are trusted less that close to their ends."""

QUIET = 0.2
"""Errors are measured against the energy of the vocals plus this share of the mix; 0.03 teaches to silence what is uncertain."""

WARM_UP, STEADY, CLIP, AVERAGE = 50, 0.5, 1.0, 0.998
"""Updates until the full rate; share of them before it falls; norm of the gradient; decay of the averaged weights."""

Floats = NDArray[np.float32]


class Heard(NamedTuple):
    """Mix and vocals as the nets see them: spectra `[2, transforms, BINS]`, and the gain of the level control per transform."""

    mix: NDArray[np.complex64]
    vocals: NDArray[np.complex64]
    gain: Floats

    @property
    def magnitudes(self) -> Floats:
        """Of the mix."""
        return np.abs(self.mix)


class Lesson(NamedTuple):
    """A window: what is seen, `[2, CONTEXT, BINS]`; magnitudes and wanted masks of its newest `HELD_BACK`; a weight."""

    seen: Floats
    magnitudes: Floats
    wanted: Floats
    weight: float


def hear(mix: Floats, vocals: Floats) -> Heard:
    """Analyse `[2, frames]` of mix and vocals as a live tier would: the k-th transform ends at frame (k + 1) * HOP."""
    frames = mix.shape[1] // HOP * HOP
    padded = np.pad(np.stack((mix[:, :frames], vocals[:, :frames])), ((0, 0), (0, 0), (FFT - HOP, 0)))
    level = init_level()
    gain = [follow(power, level) for power in np.split(block_powers(mix[:, :frames]), frames // HOP)]
    heard = spectra(padded, HANN, HOP)[..., :BINS].astype(np.complex64)
    return Heard(heard[0], heard[1], np.array(gain, np.float32))


def window(magnitudes: Floats, gain: Floats, newest: int) -> Floats:
    """Return what a live tier sees when transform `newest` has just been heard, `[2, CONTEXT, BINS]`."""
    past = CONTEXT - GUESSED
    known = np.zeros((CHANNELS, past, BINS), np.float32)
    heard = magnitudes[:, max(0, newest + 1 - past) : newest + 1]
    known[:, past - heard.shape[1] :] = heard
    fill_past(known, np.arange(past) >= past - heard.shape[1])
    seen: Floats = np.concatenate((known, future(known, GUESSED)), axis=1) * gain[newest]
    return seen


@torch.inference_mode()
def masks_with_future(teachers: SpleeterNet, heard: Heard) -> Floats:
    """Return the teachers' masks `[2, transforms, BINS]`: means over overlapping segments that trust the middle of each."""
    count = heard.mix.shape[1]
    near_end = np.minimum(np.arange(1, SEGMENT + 1), np.arange(SEGMENT, 0, -1))
    trust = np.minimum(near_end / MARGIN, 1.0).astype(np.float32) ** 2
    total, weight = np.zeros((CHANNELS, count, BINS), np.float32), np.zeros(count, np.float32)
    for start in [*range(0, count - SEGMENT, SEGMENT - 2 * MARGIN), count - SEGMENT]:
        part = slice(start, start + SEGMENT)
        seen = heard.magnitudes[:, part] * heard.gain[min(count - 1, start + SEGMENT // 2)]
        total[:, part] += teachers(torch.from_numpy(seen)[None])[0].numpy() * trust[:, None]
        weight[part] += trust
    return total / weight[:, None]


class Lessons:
    """Draws windows from made music."""

    def __init__(self, maker: StretchMaker, teachers: SpleeterNet, truth: float) -> None:
        """Take a maker of stretches of `TRANSFORMS * HOP` frames, both published nets, and the share of the truth."""
        self._maker, self._teachers, self._truth = maker, teachers, truth

    def of_round(self, seed: tuple[int, ...]) -> Iterator[Lesson]:
        """Yield the windows of `PER_ROUND` stretches in random order; everything follows from `seed`."""
        stretches = [self._stretch((*seed, number)) for number in range(PER_ROUND)]
        rng = np.random.default_rng((*seed, PER_ROUND))
        ends = np.arange(FIRST, TRANSFORMS - MARGIN, STRIDE)
        places = [(index, end) for index in range(PER_ROUND) for end in rng.permutation(ends)[:PER_STRETCH]]
        for place in rng.permutation(len(places)):
            index, end = places[place]
            magnitudes, gain, wanted, weight = stretches[index]
            newest = slice(end + 1 - HELD_BACK, end + 1)
            yield Lesson(window(magnitudes, gain, end), magnitudes[:, newest], wanted[:, newest], weight)

    def _stretch(self, seed: tuple[int, ...]) -> tuple[Floats, Floats, Floats, float]:
        drawn = self._maker.draw(seed)
        heard = hear(drawn.mix, drawn.stems[0])
        magnitudes = heard.magnitudes
        power = np.maximum(magnitudes**2, np.float32(1e-9))
        # |m X - V|² is |X|² (m - r)² plus what no mask can change, where r is the real part of V / X.
        best = np.clip((heard.vocals * heard.mix.conj()).real / power, 0.0, 1.0)
        wanted = (1.0 - self._truth) * masks_with_future(self._teachers, heard) + self._truth * best
        energy = float((wanted**2 * power).sum(2).mean()), float(power.sum(2).mean())
        return magnitudes, heard.gain, wanted.astype(np.float32), 1.0 / (energy[0] + QUIET * energy[1] + 1e-6)


@dataclass(frozen=True)
class TuningConfig:
    """How the net is tuned; `lessons` is the number of windows per update and process."""

    learning_rate: float = 2e-5
    updates: int = 2000
    lessons: int = 8


class Tuner:
    """The net while it learns."""

    def __init__(self, published: dict[str, Tensor], config: TuningConfig) -> None:
        """Begin with the published vocals net, tensors `vocals.…`."""
        self.config, self.step = config, 0
        self.net = UNet()
        self._published = {name: published[f"{PUBLISHED}.{name}"] for name in self.net.state_dict()}
        self.net.load_state_dict(self._published)
        self.average = {name: tensor.clone() for name, tensor in self.net.state_dict().items()}
        self._optimizer = torch.optim.Adam(self.net.parameters(), betas=(0.9, 0.98))

    def rate(self) -> float:
        """Learning rate of the next update: it rises, stays, and falls to zero along half a cosine."""
        done = max(0.0, self.step / self.config.updates - STEADY) / (1.0 - STEADY)
        return self.config.learning_rate * min(1.0, (self.step + 1) / WARM_UP) * 0.5 * (1.0 + math.cos(math.pi * done))

    def loss(self, lessons: Sequence[Lesson]) -> Tensor:
        """Mean error of the masked transforms against the energy of what is wanted."""
        seen, magnitudes, wanted = (torch.from_numpy(np.stack(part)) for part in list(zip(*lessons, strict=True))[:3])
        weights = torch.tensor([lesson.weight for lesson in lessons])
        masks = self.net(seen, HELD_BACK + GUESSED)[:, :, :HELD_BACK]
        errors: Tensor = (((masks - wanted) * magnitudes) ** 2).sum((1, 3)).mean(1) * weights
        return errors.clamp(max=3.0).mean()

    def update(self, lessons: Sequence[Lesson], group: Group) -> float:
        """Learn from a batch, together with the other processes; return the mean loss of all."""
        parameters = list(self.net.parameters())
        loss = self.loss(lessons)
        self._optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        (mean,) = group.average(parameters, [float(loss.detach())])
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        scale = min(1.0, CLIP / max(flat_norm(gradients), 1e-12))
        for gradient in gradients:
            gradient *= scale
        for settings in self._optimizer.param_groups:
            settings["lr"] = self.rate()
        self._optimizer.step()
        self.step += 1
        keep = min(AVERAGE, self.step / (self.step + 20))
        for name, tensor in self.net.state_dict().items():
            self.average[name].lerp_(tensor, 1.0 - keep)
        return mean

    def live_net(self, share: float = 1.0) -> dict[str, Floats]:
        """Averaged weights under the names of the live net, or those that lie on the way to them from the published ones.

        Args:
            share: of the way, 0 … 1 (Wortsman et al., "Robust fine-tuning of zero-shot models", CVPR 2022).
        """
        return {f"{LIVE}.{name}": torch.lerp(self._published[name], each, share).numpy() for name, each in self.average.items()}

    def state(self) -> dict[str, Any]:
        """Return all that `restore` needs, tensors and numbers only."""
        return {
            "step": self.step,
            "net": self.net.state_dict(),
            "average": self.average,
            "optimizer": self._optimizer.state_dict(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on where `state` was taken."""
        self.step, self.average = state["step"], state["average"]
        self.net.load_state_dict(state["net"])
        self._optimizer.load_state_dict(state["optimizer"])


@torch.inference_mode()
def sdr_by_lookahead(net: UNet, heard: Heard, stride: int) -> Floats:
    """SDR in dB of the vocals over masked transforms of a song, for look-aheads of 0 to `HELD_BACK - 1` transforms.

    Args:
        net: the net to judge.
        heard: a song with vocals, longer than `CONTEXT` transforms.
        stride: judge every so many transforms, the same ones for all look-aheads.
    """
    magnitudes, errors, energy = heard.magnitudes, np.zeros(HELD_BACK), 0.0
    for place in range(CONTEXT, heard.mix.shape[1] - HELD_BACK, stride):
        mix, vocals = heard.mix[:, place], heard.vocals[:, place]
        energy += float((np.abs(vocals) ** 2).sum())
        for ahead in range(HELD_BACK):
            seen = torch.from_numpy(window(magnitudes, heard.gain, place + ahead))[None]
            mask = net(seen, GUESSED + ahead + 1)[0, :, 0].numpy()
            errors[ahead] += float((np.abs(mask * mix - vocals) ** 2).sum())
    scores: Floats = (10.0 * np.log10(energy / errors)).astype(np.float32)
    return scores
