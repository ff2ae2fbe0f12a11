"""Sizes of a BandNet and the low-delay STFT it lives in; read by training, export and the torch-free runtime alike."""

from __future__ import annotations

import msgspec

from rtsep.errors import ConfigError
from rtsep.stems import STEMS


class BandNetConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything that fixes the shape of the network.

    `bands` lists runs of equally wide bands from 0 Hz upwards as `(count, bins)`. Bins above the last band (the Nyquist bin
    and what little is left) go to the stem `other` unmasked. `exchange_groups` divides the features into groups whose bands talk
    to each other by weights of their own; more groups know more and compute the same. `patterns` is the number of filters that
    look at neighbouring bins in the same way everywhere in the spectrum; 0 does without.

    Worked example: window 2048, hop 512, synthesis 1024 at 44.1 kHz have 1025 bins of 21.5 Hz and 23.2 ms algorithmic latency.
    """

    window: int = 2048
    hop: int = 512
    synthesis: int = 1024
    rate: int = 44100
    bands: tuple[tuple[int, int], ...] = ((8, 4), (8, 8), (6, 16), (6, 32), (10, 64))
    width: int = 64
    hidden: int = 96
    blocks: int = 4
    exchange_groups: int = 1
    patterns: int = 0
    stems: tuple[str, ...] = STEMS
    channels: int = 2

    def __post_init__(self) -> None:
        """Refuse bands that reach past the Nyquist bin, unequal groups, and windows that the low-delay STFT cannot invert."""
        if self.masked_bins > self.bins:
            raise ConfigError(f"The bands cover {self.masked_bins} bins but a window of {self.window} has {self.bins}.")
        if self.exchange_groups < 1 or self.width % self.exchange_groups:
            raise ConfigError(f"exchange_groups must divide the width, {self.width}; given {self.exchange_groups}.")
        if self.patterns < 0:
            raise ConfigError(f"patterns is a number of filters, 0 or more; given {self.patterns}.")
        if self.synthesis != 2 * self.hop or self.window < self.synthesis:
            raise ConfigError(
                f"synthesis must be twice the hop and no longer than the window; given window {self.window}, "
                f"hop {self.hop}, synthesis {self.synthesis}."
            )

    @property
    def bins(self) -> int:
        """Bins of a spectrum, DC and Nyquist included."""
        return self.window // 2 + 1

    @property
    def masked_bins(self) -> int:
        """Bins the bands cover."""
        return sum(count * width for count, width in self.bands)

    @property
    def band_count(self) -> int:
        """Number of bands."""
        return sum(count for count, _ in self.bands)

    @property
    def latency(self) -> int:
        """Offset of the output stream against the input, in frames (`SeparatorSpec.latency`)."""
        return self.synthesis - self.hop
