"""A network of another resolution, or of more groups, begins where the one before it stands."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from msgspec.structs import replace

from rtsep.errors import ConfigError, WeightsError
from rtsep.models.bandnet import FEATURES, BandNet, Patterns
from rtsep.models.bandnet_config import BandNetConfig
from rtsep.training.corpus import Corpus
from rtsep.training.growth import Learnt, fitted_bins
from rtsep.training.loop import Trainer
from rtsep.training.parallel import Group
from rtsep.training.recipe import Recipe

COARSE = BandNetConfig(window=512, hop=128, synthesis=256, bands=((8, 4), (8, 8), (5, 32)), width=12, hidden=16, blocks=2)
FINE = replace(COARSE, window=1024, hop=256, synthesis=512, bands=((8, 8), (8, 16), (5, 64)))


def assert_same_masks(coarse: BandNet, fine: BandNet) -> None:
    spectrum = torch.randn(1, 3, 2, COARSE.masked_bins, 2)
    masks, _ = coarse(spectrum, coarse.init_state())
    twice, _ = fine(spectrum.repeat_interleave(2, 3), fine.init_state())
    assert torch.allclose(masks.repeat_interleave(2, -1), twice, atol=1e-6)


def test_a_spectrum_of_twice_the_bins_gets_the_same_masks_twice() -> None:
    torch.manual_seed(1)
    coarse, fine = BandNet(COARSE), BandNet(FINE)
    fine.load_state_dict(fitted_bins(coarse.state_dict(), COARSE, FINE), strict=False)
    assert_same_masks(coarse, fine)


def test_half_the_bins_get_the_masks_of_a_spectrum_whose_bins_come_in_pairs() -> None:
    torch.manual_seed(2)
    fine, coarse = BandNet(FINE), BandNet(COARSE)
    with torch.no_grad():  # pairs of equal bins have equal masks where they have equal decoders
        for decoder in (*fine.decoders, *fine.decoder_biases):
            pairs = decoder.reshape(*decoder.shape[:2], -1, 2)
            pairs[..., 1] = pairs[..., 0]
    coarse.load_state_dict(fitted_bins(fine.state_dict(), FINE, COARSE), strict=False)
    assert_same_masks(coarse, fine)


def test_bands_that_had_the_same_weights_begin_alike_in_groups_and_then_differ() -> None:
    torch.manual_seed(3)
    config = replace(COARSE, exchange_groups=4)
    shared, grouped = BandNet(COARSE), BandNet(config)
    grouped.load_state_dict(fitted_bins(shared.state_dict(), COARSE, config))
    spectrum = torch.randn(1, 3, 2, COARSE.bins, 2)
    masks, _ = grouped(spectrum, grouped.init_state())
    assert torch.allclose(masks, shared(spectrum, shared.init_state())[0], atol=1e-6)
    masks.square().sum().backward()
    steps = [block.band_in.weight.grad for block in grouped.stack]
    assert all(float(step.std(0).min()) > 0.0 for step in steps)


def test_a_network_that_gets_patterns_goes_on_from_where_it_was_and_learns_all_of_them() -> None:
    torch.manual_seed(5)
    config = replace(COARSE, patterns=3)
    plain, seeing = BandNet(COARSE), BandNet(config)
    seeing.load_state_dict(fitted_bins(plain.state_dict(), COARSE, config), strict=False)
    spectrum = torch.randn(1, 3, 2, COARSE.bins, 2)
    masks, _ = seeing(spectrum, seeing.init_state())
    assert torch.allclose(masks, plain(spectrum, plain.init_state())[0], atol=1e-6)
    masks.square().sum().backward()
    for weight in (*seeing.pattern_encoders, seeing.pattern_head.weight):
        assert weight.grad is not None
        assert weight.grad.abs().max() > 0


def test_patterns_move_along_with_the_spectrum() -> None:
    torch.manual_seed(6)
    patterns = Patterns(4)
    features = torch.randn(2, FEATURES, 200)
    moved = patterns(features.roll(7, 2))
    assert torch.allclose(moved[..., 50:150], patterns(features).roll(7, 2)[..., 50:150], atol=1e-5)


def test_weights_of_one_norm_for_all_bands_are_still_read() -> None:
    net = BandNet(COARSE)
    old = {name: value for name, value in net.state_dict().items() if not name.endswith("norm.bias")}
    old = {name: value[0, 0, 0] if name.endswith("norm.gain") else value for name, value in old.items()}
    old = {name: value[0].squeeze(-1) if ".band_" in name and "norm" not in name else value for name, value in old.items()}
    again = BandNet(COARSE)
    again.load_state_dict(old)
    assert all(torch.equal(value, net.state_dict()[name]) for name, value in again.state_dict().items())
    del old["stack.0.band_in.weight"]
    with pytest.raises(RuntimeError, match=r"Missing key.*stack\.0\.band_in\.weight"):
        again.load_state_dict(old)


def test_groups_must_divide_the_width() -> None:
    for groups in (0, 5):
        with pytest.raises(ConfigError, match="exchange_groups must divide"):
            replace(COARSE, exchange_groups=groups)


def test_a_number_of_patterns_is_not_negative_and_patterns_do_not_go_away() -> None:
    with pytest.raises(ConfigError, match="patterns is a number of filters, 0 or more; given -1"):
        replace(COARSE, patterns=-1)
    seeing = replace(COARSE, patterns=3)
    with pytest.raises(WeightsError, match="patterns the same or 0"):
        fitted_bins(BandNet(seeing).state_dict(), seeing, COARSE)


def test_what_is_not_the_same_network_at_a_finer_resolution_is_refused() -> None:
    for other in (replace(FINE, width=16), replace(FINE, blocks=3), replace(FINE, bands=((8, 8), (8, 16), (5, 32)))):
        with pytest.raises(WeightsError, match="bands in Hz"):
            fitted_bins(BandNet(COARSE).state_dict(), COARSE, other)
    grouped = replace(FINE, exchange_groups=4)
    with pytest.raises(WeightsError, match="exchange_groups"):
        fitted_bins(BandNet(grouped).state_dict(), grouped, COARSE)


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
