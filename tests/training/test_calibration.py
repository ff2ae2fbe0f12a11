"""One factor on the logits makes a network as sure as it may be, and changes nothing else."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from rtsep.errors import ConfigError
from rtsep.models.bandnet import BandNet
from rtsep.stems import STEMS
from rtsep.training.calibration import FACTORS, best_factor, calibrate, scale_logits, sdr_by_factor
from rtsep.training.corpus import Corpus, Song
from rtsep.training.loop import Trainer
from rtsep.training.parallel import Group
from rtsep.training.recipe import Recipe

RATE = 44100


@pytest.fixture
def trained(recipe: Recipe, corpus: Corpus) -> Trainer:
    trainer = Trainer(recipe, "", corpus, Corpus(), Group())
    for _ in range(30):
        trainer.update()
    return trainer


def masks(net: BandNet) -> torch.Tensor:
    config = net.config
    spectrum = torch.randn(1, 20, 2, config.bins, 2, generator=torch.Generator().manual_seed(4))
    with torch.no_grad():
        return net(spectrum, net.init_state())[0]


def test_the_more_a_network_errs_the_softer_its_masks_become(trained: Trainer, corpus: Corpus) -> None:
    known = corpus.songs[0].stems
    strange = Song("nothing is what it sounds like", dict(zip(STEMS, (known[stem] for stem in reversed(STEMS)), strict=True)), ())
    sure, unsure = (best_factor(trained.model, trained.stft, [song], 4.0, RATE) for song in (corpus.songs[0], strange))
    assert unsure < sure


def test_softer_masks_add_up_to_one_and_prefer_the_same_stem(trained: Trainer) -> None:
    before = masks(trained.model)
    scale_logits(trained.model, 0.5)
    after = masks(trained.model)
    assert torch.allclose(after.sum(2), torch.ones(()), atol=1e-5)
    assert after.max() < before.max()
    assert torch.equal(after.argmax(2), before.argmax(2))


def test_the_predicted_scores_are_those_of_the_scaled_network(trained: Trainer, corpus: Corpus) -> None:
    net, stft, song = trained.model, trained.stft, corpus.songs[0]
    predicted = sdr_by_factor(net, stft, song, 4.0, RATE)[0]
    scale_logits(net, FACTORS[0])
    found = sdr_by_factor(net, stft, song, 4.0, RATE)[FACTORS.index(1.0)]
    assert found == pytest.approx(predicted, abs=1e-2)


def test_calibration_returns_what_is_then_played(trained: Trainer, corpus: Corpus) -> None:
    whole = corpus.songs[0]
    song = Song("no bass file", {name: whole.stems[name] for name in ("vocals", "drums", "other")}, ("bass", "other"))
    factor, scores = calibrate(trained.model, [song], 2.0)
    assert factor in FACTORS
    assert set(scores) == {"no bass file", "mean"}
    assert set(scores["no bass file"]) == {"vocals", "drums"}
    assert np.isfinite(list(scores["mean"].values())).all()


def test_without_songs_there_is_nothing_to_choose_by(trained: Trainer) -> None:
    with pytest.raises(ConfigError, match="validation songs"):
        calibrate(trained.model, [], 2.0)
