"""A network of finer resolution begins where the coarser one stands."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from msgspec.structs import replace

from rtsep.errors import WeightsError
from rtsep.models.bandnet import BandNet
from rtsep.models.bandnet_config import BandNetConfig
from rtsep.training.corpus import Corpus
from rtsep.training.growth import Learnt, finer_bins
from rtsep.training.loop import Trainer
from rtsep.training.parallel import Group
from rtsep.training.recipe import Recipe

COARSE = BandNetConfig(window=512, hop=128, synthesis=256, bands=((8, 4), (8, 8), (5, 32)), width=12, hidden=16, blocks=2)
FINE = replace(COARSE, window=1024, hop=256, synthesis=512, bands=((8, 8), (8, 16), (5, 64)))


def test_a_spectrum_of_twice_the_bins_gets_the_same_masks_twice() -> None:
    torch.manual_seed(1)
    coarse, fine = BandNet(COARSE), BandNet(FINE)
    fine.load_state_dict(finer_bins(coarse.state_dict(), COARSE, FINE), strict=False)
    spectrum = torch.randn(1, 3, 2, COARSE.masked_bins, 2)
    masks, _ = coarse(spectrum, coarse.init_state())
    twice, _ = fine(spectrum.repeat_interleave(2, 3), fine.init_state())
    assert torch.allclose(masks.repeat_interleave(2, -1), twice, atol=1e-6)


def test_what_is_not_the_same_network_at_a_finer_resolution_is_refused() -> None:
    for other in (replace(FINE, width=16), replace(FINE, blocks=3), replace(FINE, bands=((8, 8), (8, 16), (5, 32)))):
        with pytest.raises(WeightsError, match="bands in Hz"):
            finer_bins(BandNet(COARSE).state_dict(), COARSE, other)


def test_a_run_of_another_resolution_starts_from_what_was_learnt(recipe: Recipe, corpus: Corpus) -> None:
    def trainer(of: Recipe) -> Trainer:
        return Trainer(of, "", corpus, Corpus(), Group())

    coarse = trainer(recipe)
    for _ in range(40):
        coarse.update()
    config = recipe.model
    bands = tuple((count, 2 * bins) for count, bins in config.bands)
    finer = replace(
        recipe,
        model=replace(config, window=2 * config.window, hop=2 * config.hop, synthesis=2 * config.synthesis, bands=bands),
        streams=replace(recipe.streams, chunk_frames=recipe.streams.chunk_frames // 2),
    )
    taught, untaught = trainer(finer), trainer(finer)
    taught.learn_from(Learnt(coarse.checkpoint().average, config, "coarse", 3.0, 5.0))
    begun = taught.checkpoint()
    assert (begun.step, begun.began_with, begun.core_seconds, begun.audio_seconds) == (0, "coarse", 3.0, 5.0)
    losses = [(taught.update()[0]["loss"], untaught.update()[0]["loss"]) for _ in range(5)]
    assert np.mean([ours for ours, _ in losses]) < np.mean([theirs for _, theirs in losses]) - 0.1
