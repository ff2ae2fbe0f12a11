"""Begin the training of one network with what another has learnt.

A 46 ms network differs from a 23 ms one in that its windows and hops are twice as long: every band has twice the bins, everything
between encoder and decoder has the same shape. Its encoder starts with each old bin's weights shared by the bins that took its
place, its decoder gives all of them the old bin's mask. Only the memories run at another pace, which training corrects within
minutes, where a start from nothing takes hours (the idea of progressive resizing, applied to the resolution of the spectrum).
"""

from __future__ import annotations

from torch import Tensor

from rtsep.errors import WeightsError
from rtsep.models.bandnet import FEATURES
from rtsep.models.bandnet_config import BandNetConfig

CALIBRATION = ("feature_mean", "feature_scale")
"""Taken from music by every new run; another window has other levels."""


def finer_bins(weights: dict[str, Tensor], old: BandNetConfig, new: BandNetConfig) -> dict[str, Tensor]:
    """Weights of a network whose windows are a whole number of times as long as those of the old one.

    Args:
        weights: `state_dict` of a network of `old`.
        old: its configuration.
        new: the same bands in Hz, width, hidden size and number of blocks.

    Returns:
        A `state_dict` for `new`, without the calibration of the inputs.

    Raises:
        WeightsError: the two networks differ in more than the resolution of their spectra.
    """
    factor = new.window // old.window
    same = ("width", "hidden", "blocks", "stems", "channels", "rate")
    finer = tuple((count, bins * factor) for count, bins in old.bands)
    if new.window != factor * old.window or new.bands != finer or any(getattr(old, n) != getattr(new, n) for n in same):
        raise WeightsError(
            "A run can start from a network of the same width, hidden size, blocks and bands in Hz whose window is a whole "
            f"number of times shorter. Bands {new.bands} at window {new.window} do not follow from {old.bands} at {old.window}."
        )
    outputs = len(old.stems) * old.channels
    grown = {name: value.clone() for name, value in weights.items() if name not in CALIBRATION}
    for index, (count, bins) in enumerate(old.bands):
        encoder = weights[f"encoders.{index}"].reshape(count, bins, FEATURES, -1) / factor
        grown[f"encoders.{index}"] = encoder.repeat_interleave(factor, 1).flatten(1, 2)
        for name in (f"decoders.{index}", f"decoder_biases.{index}"):
            decoder = weights[name].reshape(count, -1, outputs, bins)
            grown[name] = decoder.repeat_interleave(factor, 3).flatten(2)
    return grown
