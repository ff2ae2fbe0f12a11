"""What a score stands beside: the mix itself below, and the best that real masks could do above.

The ideal ratio mask divides each bin by the powers of the true stems, in the transform that most separators use (Hann 4096,
hop 1024); it needs the truth and is therefore an upper bound in spirit, not a competitor (Stöter, Liutkus and Ito, SiSEC
2018).
"""

from __future__ import annotations

import numpy as np

from rtsep.dsp.stft import overlap_add, spectra
from rtsep.dsp.windows import hann_pair
from rtsep.models.separator import Audio

WINDOW, HOP = 4096, 1024


def mixture(mix: Audio, truth: dict[str, Audio]) -> dict[str, Audio]:
    """The unseparated mix as the estimate of every stem."""
    return dict.fromkeys(truth, mix)


def ideal_ratio_mask(mix: Audio, truth: dict[str, Audio]) -> dict[str, Audio]:
    """Each stem as its share of power in every bin of the mix."""
    pair = hann_pair(WINDOW, HOP)
    frames = mix.shape[1]
    before, after = WINDOW - HOP, WINDOW + (-frames) % HOP

    def padded(wave: Audio) -> Audio:
        return np.pad(wave, ((0, 0), (before, after)))

    powers = {stem: np.abs(spectra(padded(wave), pair.analysis, HOP)) ** 2 for stem, wave in truth.items()}
    total = np.sum(list(powers.values()), axis=0) + 1e-12
    of_mix = spectra(padded(mix), pair.analysis, HOP)
    return {
        stem: overlap_add((of_mix * (power / total)).astype(np.complex64), pair)[:, before : before + frames]
        for stem, power in powers.items()
    }
