"""Spleeter for one window of a stream: masks from what was heard and a guess of what comes next.

The nets see the magnitudes of 64 transforms; a longer past gains less than 0.1 dB for its price. Only the masks of the newest
few are decoded. Masks come from Hann transforms, as the nets were trained, but may be applied to transforms with a short
synthesis window, which is what sets the latency. The middle of such a window is later than that of a Hann window, by up to a
hop, and the mean of two neighbouring masks fits it better than the first of them (`smooth`: 0.05 dB); Hann transforms gain 0.03
dB by it. Above 11 kHz the nets see nothing and the vocals get nothing. Masks divide with the help of where vocals and the rest
stand (`rtsep.dsp.wiener`).

Where the music ends, here and now, the nets' convolutions would find zeros, which no music sounds like. What was heard last,
held for one transform and then mirrored, is a better guess of what comes next (a b c, then c c b a): 0.3 to 0.5 dB of vocals
for 5 % more work, nothing from a look-ahead of ten transforms on (`tools/training/README.md`). The live net of `spleeter_live`
was tuned with this guess in place.

At the start of a stream there is no past. Silence in its place is what the nets understand least, so what was heard is mirrored
at its beginning, again and again, until it fills the window. Measured over the first 6 s of a song: mirrored +0.5 dB against
silence, repeated in order +0.3, its mean -0.4. Silence must never be put at the newest end: it spoils the last 16 transforms.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rtsep.dsp.stft import overlap_add, spectra
from rtsep.dsp.wiener import Divider, divider
from rtsep.dsp.windows import WindowPair, hann
from rtsep.models.level import block_powers, follow, init_level
from rtsep.models.runtime import Net
from rtsep.models.separator import Audio, State
from rtsep.models.spleeter_shape import BINS, FFT, HOP, SAMPLE_RATE

CHANNELS = 2
HANN: Audio = hann(FFT).astype(np.float32)

Magnitudes = NDArray[np.float32]
"""`[channels, transforms, BINS]` float32."""


class SpleeterWindow:
    """A `WindowNet` that estimates the vocals."""

    tapered = True

    def __init__(self, net: Net, pair: WindowPair, *, context: int, guessed: int, every: int, smooth: bool = False) -> None:
        """Take the parts.

        Args:
            net: magnitudes `[1, 2, context, BINS]` to vocal masks `[1, 2, n, BINS]`: of the transforms that are heard
                but not yet given out, oldest first, and of the guessed ones.
            pair: windows that carry the audio.
            context: transforms the net sees.
            guessed: how many of them stand for the future.
            every: transforms per run; the masks of the oldest of those are given out.
            smooth: give out the mean of each and the one after it.
        """
        self._net, self.pair = net, pair
        self._context, self._guessed = context, guessed
        self.every, self._smooth = every, smooth
        self._divider = vocals_divider()

    def init_state(self) -> State:
        """Return the magnitudes of the past, which of them hold sound, the level, and room for the net's input."""
        past = self._context - self._guessed
        return {
            "magnitudes": np.zeros((CHANNELS, past, BINS), np.float32),
            "sounding": np.zeros(past, bool),
            "level": init_level(),
            "input": np.zeros((1, CHANNELS, self._context, BINS), np.float32),
        } | self._divider.init_state()

    def estimate(self, window: Audio, state: State) -> Audio:
        """Return `[1, channels, fade + hop]` of vocals, see `WindowNet.estimate`."""
        oldest = window[:, : FFT + (self.every - 1) * HOP]
        return masked(oldest, self.masks(window, state), self.pair, self._divider, state)[None]

    def masks(self, window: Audio, state: State) -> Magnitudes:
        """Return masks of the vocals.

        Args:
            window: `[channels, at least FFT + (every - 1) * HOP]` frames, the newest last.
            state: from `init_state`, updated in place.

        Returns:
            `[channels, every, BINS]`, 0 … 1: of the oldest transforms that wait, the newest of which ends with the window.
        """
        magnitudes, sounding = state["magnitudes"], state["sounding"]
        window = window[:, -(FFT + (self.every - 1) * HOP) :]
        powers = block_powers(window[:, FFT - HOP :])
        for past, new in ((magnitudes, magnitudes_of(window)), (sounding[None], powers[None] > 0)):
            past[:, : -self.every] = past[:, self.every :]
            past[:, -self.every :] = new
        seen = state["input"][0]
        known = seen[:, : len(sounding)]
        np.multiply(magnitudes, np.float32(follow(powers, state["level"])), out=known)
        fill_past(known, sounding)
        seen[:, len(sounding) :] = future(known, self._guessed)
        masks: Magnitudes = self._net(state["input"])[0]
        if self._smooth:
            return 0.5 * (masks[:, : self.every] + masks[:, 1 : self.every + 1])
        return masks[:, : self.every]


def magnitudes_of(audio: Audio) -> Magnitudes:
    """Return what the nets see of `[channels, (n - 1) * HOP + FFT]` frames: `[channels, n, BINS]`."""
    return np.abs(spectra(audio, HANN, HOP)[..., :BINS])


def vocals_divider() -> Divider:
    """Return what divides the bins that the nets see into vocals and the rest."""
    return divider(2, CHANNELS, BINS, HOP, SAMPLE_RATE)


def masked(audio: Audio, masks: Magnitudes, pair: WindowPair, filtered: Divider, state: State) -> Audio:
    """Apply masks `[channels, n, BINS]` to `[channels, (n - 1) * HOP + FFT]` frames.

    Args:
        audio: the mix.
        masks: of the vocals.
        pair: windows that carry the audio.
        filtered: from `vocals_divider`.
        state: holds what it remembers, updated in place.

    Returns:
        `[channels, (n - 1) * HOP + Ns]` vocals with tapered ends, the last frame that of `audio`.
    """
    transforms = spectra(audio, pair.analysis, HOP)
    for index in range(transforms.shape[1]):
        sung = masks[:, index]
        transforms[:, index, :BINS] = filtered.split(np.stack((sung, 1.0 - sung)), transforms[:, index, :BINS], state)[0]
    transforms[..., BINS:] = 0
    return overlap_add(transforms, pair)


def future(magnitudes: Magnitudes, count: int) -> Magnitudes:
    """Guess the `count` transforms after `magnitudes: [channels, transforms, BINS]`.

    Worked example: after a b c d come d d c b; the newest is held once and then mirrored with the rest.
    """
    newest = magnitudes.shape[1] - 1
    return magnitudes[:, newest - np.maximum(0, np.arange(count) - 1)]


def fill_past(magnitudes: Magnitudes, sounding: NDArray[np.bool_]) -> None:
    """Mirror what was heard over the silence before it, in place.

    Worked example: sounds a b c after three silent transforms, `- - - a b c`, become `c b a a b c`; after five,
    `- - - - - a b` becomes `a a b b a a b`: back and forth, period 2 * heard.

    Args:
        magnitudes: `[channels, transforms, BINS]`, the newest last.
        sounding: `[transforms]`, which of them hold sound.
    """
    first = int(np.argmax(sounding))
    if first and sounding[first]:
        heard = len(sounding) - first
        phase = np.arange(first - 1, -1, -1) % (2 * heard)
        magnitudes[:, :first] = magnitudes[:, first + np.minimum(phase, 2 * heard - 1 - phase)]
