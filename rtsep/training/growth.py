"""Begin the training of one network with what another has learnt.

A 46 ms network differs from a 23 ms one in that its windows and hops are twice as long: every band has twice the bins, everything
between encoder and decoder has the same shape. Its encoder starts with each old bin's weights shared by the bins that took its
place, its decoder gives all of them the old bin's mask; the way back adds up the former and averages the latter. Only the
memories run at another pace, which training corrects within minutes, where a start from nothing takes hours (the idea of
progressive resizing, applied to the resolution of the spectrum). A 46 ms network hears the same music at half the cost.

What was learnt may come from a checkpoint or from a package of weights; of a package, the optimiser's memory is lost, which a
warm-up makes good.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from rtsep.errors import WeightsError
from rtsep.models import bandnet_package as package
from rtsep.models.bandnet import FEATURES
from rtsep.models.bandnet_config import BandNetConfig
from rtsep.models.bandnet_torch import load_net
from rtsep.training.checkpoint import Checkpoint
from rtsep.training.recipe import parse_recipe

CALIBRATION = ("feature_mean", "feature_scale")
"""Of the inputs, taken from music when a run begins: another window has other levels."""


@dataclass(frozen=True)
class Learnt:
    """Averaged weights of a network, its configuration, what it is called, and what it cost."""

    weights: dict[str, Tensor]
    config: BandNetConfig
    name: str
    core_seconds: float
    audio_seconds: float

    @classmethod
    def of_checkpoint(cls, saved: Checkpoint) -> Learnt:
        """What the run of a checkpoint has learnt so far."""
        recipe = parse_recipe(saved.recipe, "the checkpoint's recipe")
        name = f"{recipe.name} after {saved.step} updates"
        return cls(saved.average, recipe.model, name, saved.core_seconds, saved.audio_seconds)

    @classmethod
    def of_package(cls, folder: Path) -> Learnt:
        """What is in a package of weights.

        Raises:
            WeightsError: the package is absent, damaged or altered.
        """
        facts = package.read_facts(folder)
        net = load_net(package.verified(folder, package.WEIGHTS, facts.weights_sha256), facts.model)
        hours = facts.training
        name = f"{facts.name} after {hours['updates']} updates"
        return cls(net.state_dict(), facts.model, name, hours["core_hours"] * 3600.0, hours["hours_heard"] * 3600.0)


def fitted_bins(weights: dict[str, Tensor], old: BandNetConfig, new: BandNetConfig) -> dict[str, Tensor]:
    """Weights of a network whose windows are a whole number of times as long, or as short, as those of the old one.

    Args:
        weights: `state_dict` of a network of `old`.
        old: its configuration.
        new: the same bands in Hz, width, hidden size and number of blocks. More groups of features than in `old` begin alike;
            patterns that `old` lacks say nothing at first.

    Returns:
        A `state_dict` for `new`, without the calibration of the inputs unless the windows are the same.

    Raises:
        WeightsError: the two networks differ in more than the resolution of their spectra.
    """
    longer, shorter = max(1, new.window // old.window), max(1, old.window // new.window)

    def in_common(config: BandNetConfig, factor: int) -> tuple[object, ...]:
        bands = tuple((count, bins * factor) for count, bins in config.bands)
        shape = config.width, config.hidden, config.blocks, config.stems, config.channels, config.rate
        return config.window * factor, bands, shape

    if (
        in_common(old, longer) != in_common(new, shorter)
        or old.exchange_groups not in (1, new.exchange_groups)
        or old.patterns not in (0, new.patterns)
    ):
        raise WeightsError(
            "A run can start from a network of the same width, hidden size, blocks and bands in Hz whose window is the same or a "
            "whole number of times longer or shorter, in which exchange_groups is the same or 1, and patterns the same or 0. "
            f"Bands {new.bands} at window {new.window} do not follow from {old.bands} at {old.window}."
        )
    outputs = len(old.stems) * old.channels
    fitted = {name: value.clone() for name, value in weights.items() if old.window == new.window or name not in CALIBRATION}
    for index, (count, bins) in enumerate(old.bands):
        for name, features in ((f"encoders.{index}", FEATURES), (f"pattern_encoders.{index}", old.patterns)):
            if features:
                encoder = weights[name].reshape(count, bins // shorter, shorter, features, -1).sum(2) / longer
                fitted[name] = encoder.repeat_interleave(longer, 1).flatten(1, 2)
        for name in (f"decoders.{index}", f"decoder_biases.{index}"):
            decoder = weights[name].reshape(count, -1, outputs, bins // shorter, shorter).mean(-1)
            fitted[name] = decoder.repeat_interleave(longer, 3).flatten(2)
    return fitted
