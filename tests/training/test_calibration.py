"""A factor on the logits and an offset per stem make a network as sure as it may be, and change nothing else."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from rtsep.errors import ConfigError
from rtsep.models.bandnet import BandNet
from rtsep.stems import STEMS
from rtsep.training.calibration import KNOTS_HZ, Calibration, apply, calibrate, fit, hear, interpolation, mean_sdr
from rtsep.training.corpus import Corpus, Song
from rtsep.training.loop import Trainer
from rtsep.training.parallel import Group
from rtsep.training.recipe import Recipe

RATE, SECONDS = 44100, 2.0
ONE, NONE = torch.ones(()), Calibration.none()


def even(factor: float, *offsets: float) -> Calibration:
    """Build one that is the same at all frequencies."""
    return Calibration(NONE.factors * factor, torch.tensor(offsets).unsqueeze(1).expand(-1, len(KNOTS_HZ)))


@pytest.fixture
def trained(recipe: Recipe, corpus: Corpus) -> Trainer:
    trainer = Trainer(recipe, "", corpus, Corpus(), Group())
    for _ in range(30):
        trainer.update()
    trainer.model.eval().requires_grad_(False)
    return trainer


def masks(net: BandNet) -> torch.Tensor:
    config = net.config
    spectrum = torch.randn(1, 20, 2, config.bins, 2, generator=torch.Generator().manual_seed(4))
    found: torch.Tensor = net(spectrum, net.init_state())[0]
    return found


def test_the_more_a_network_errs_the_softer_its_masks_become(trained: Trainer, corpus: Corpus) -> None:
    known = corpus.songs[0].stems
    strange = Song("nothing is what it sounds like", dict(zip(STEMS, (known[stem] for stem in reversed(STEMS)), strict=True)), ())
    heard = [hear(trained.model, trained.stft, song, SECONDS, RATE) for song in (corpus.songs[0], strange)]
    sure, unsure = (fit([song]).factors.mean() for song in heard)
    assert unsure < sure


def test_a_fit_is_never_worse_than_the_network_as_it_was(trained: Trainer, corpus: Corpus) -> None:
    apply(trained.model, even(0.3, 0.0, -1.0, 0.0, 1.0))
    heard = [hear(trained.model, trained.stft, song, SECONDS, RATE) for song in corpus.songs]
    found = fit(heard)
    assert float(mean_sdr(heard, found)) > float(mean_sdr(heard, NONE)) + 0.5
    assert torch.allclose(found.offsets.sum(0), torch.zeros(()), atol=3e-3)


def test_what_is_applied_is_what_was_foretold(trained: Trainer, corpus: Corpus) -> None:
    knots = torch.linspace(-0.3, 0.3, len(KNOTS_HZ))
    calibration = Calibration(0.7 - knots, torch.outer(torch.tensor([1.0, 0.3, -0.5, -0.8]), knots + 0.4))
    before = hear(trained.model, trained.stft, corpus.songs[0], SECONDS, RATE)
    apply(trained.model, calibration)
    after = hear(trained.model, trained.stft, corpus.songs[0], SECONDS, RATE)
    assert torch.allclose(after.sdr(NONE), before.sdr(calibration), atol=1e-2)


def test_softer_masks_add_up_to_one_and_prefer_the_same_stem(trained: Trainer) -> None:
    before = masks(trained.model)
    apply(trained.model, even(0.5, 0.0, 0.0, 0.0, 0.0))
    after = masks(trained.model)
    assert torch.allclose(after.sum(2), ONE, atol=1e-5)
    assert after.max() < before.max()
    assert torch.equal(after.argmax(2), before.argmax(2))


def test_an_offset_favours_its_stem_everywhere(trained: Trainer) -> None:
    before = masks(trained.model)
    apply(trained.model, even(1.0, 0.0, 0.0, 2.0, 0.0))
    after = masks(trained.model)
    bass = STEMS.index("bass")
    assert (after[:, :, bass] >= before[:, :, bass]).all()
    assert after[:, :, bass].mean() > before[:, :, bass].mean() + 0.01


def test_a_curve_is_read_exactly_at_its_knots_and_straight_in_between() -> None:
    weights = interpolation(44100, 2205, 1103)  # bins 20 Hz apart: knots 0, 1, 2 and 3 lie at bins 0, 23, 170 and 1102.5
    for knot, bin_index in enumerate((0, 23, 170)):
        assert weights[knot, bin_index] == 1.0
    assert torch.allclose(weights.sum(0), torch.ones(()))
    assert (weights[0].diff() <= 0).all()


def test_calibration_returns_what_is_then_played(trained: Trainer, corpus: Corpus) -> None:
    whole = corpus.songs[0]
    song = Song("no bass file", {name: whole.stems[name] for name in ("vocals", "drums", "other")}, ("bass", "other"))
    found, scores = calibrate(trained.model, [song], SECONDS)
    assert set(found) == {"hz", "factor", *STEMS}
    assert set(scores) == {"no bass file", "mean"}
    assert set(scores["no bass file"]) == {"vocals", "drums"}
    assert np.isfinite(list(scores["mean"].values())).all()


def test_without_songs_there_is_nothing_to_choose_by(trained: Trainer) -> None:
    with pytest.raises(ConfigError, match="validation songs"):
        calibrate(trained.model, [], SECONDS)
