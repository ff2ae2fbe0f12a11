"""A cascade keeps the separator's contract: two stages, one latency, stems that still add up."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
import torch

from rtsep.errors import ConfigError
from rtsep.models import registry
from rtsep.models.bandnet import BandNet
from rtsep.models.bandnet_config import BandNetConfig
from rtsep.models.bandnet_stream import latency_terms
from rtsep.models.bandnet_torch import BandNetTorch
from rtsep.models.card import ModelCard, TierCard
from rtsep.models.cascade import DISPUTED, Cascade, describe
from rtsep.models.separator import Separator, SeparatorSpec
from rtsep.stems import STEMS
from tests.models import contract


def stage(stems: tuple[str, ...], hop: int, seed: int) -> Separator:
    """A small network with random weights, large enough to give masks that differ."""
    bands = ((8, hop // 16), (1, hop // 2))
    config = BandNetConfig(window=4 * hop, hop=hop, synthesis=2 * hop, bands=bands, width=8, hidden=8, blocks=1, stems=stems)
    torch.manual_seed(seed)
    net = BandNet(config)
    with torch.no_grad():
        for weight in net.decoders:
            weight.mul_(8.0)
    spec = SeparatorSpec(
        name=f"stage {seed}", tier="test", rate=44100, hop=hop, stems=stems, latency_terms=latency_terms(config), licence=""
    )
    return BandNetTorch(net, spec, "cpu")


@pytest.fixture(scope="module")
def cascade() -> Cascade:
    first, second = stage(("vocals", "other"), 128, 1), stage(STEMS, 32, 2)
    terms = (*first.spec.latency_terms, *second.spec.latency_terms)
    spec = msgspec.structs.replace(first.spec, name="cascade", stems=STEMS, latency_terms=terms)
    return Cascade(first, second, spec)


def test_it_is_a_separator_like_any_other(cascade: Cascade) -> None:
    contract.check_shapes(cascade)
    contract.check_unity(cascade)
    contract.check_impulse(cascade, 77)
    contract.check_state_is_the_only_memory(cascade)
    contract.check_reset(cascade)
    contract.check_causality(cascade, 2)


def test_any_chunking_equals_the_whole_file(cascade: Cascade) -> None:
    contract.check_chunking(cascade, [1, 127, 128, 129, 300])


def test_each_stem_is_what_the_two_stages_say(cascade: Cascade) -> None:
    mix = contract.noise(cascade, 12)
    late = cascade._second.spec.latency
    first = contract.run(cascade._first, mix)
    second = dict(zip(STEMS, contract.run(cascade._second, first[1]), strict=True))
    vocals = np.pad(first[0], ((0, 0), (late, 0)))[:, :-late] + DISPUTED * second["vocals"]
    other = second["other"] + (1 - DISPUTED) * second["vocals"]
    expected = np.stack([vocals, second["drums"], second["bass"], other])
    assert np.abs(contract.run(cascade, mix) - expected).max() < 1e-6


def test_the_packaged_tiers_add_up_the_latencies_of_their_stages() -> None:
    spec = registry.describe("cascade", "81ms")
    first, second = registry.describe("spleeter-2stems", "70ms"), registry.describe("bandnet", "23ms")
    assert spec.latency == first.latency + second.latency
    assert spec.stems == STEMS
    assert 1000 * spec.algorithmic_latency / spec.rate == pytest.approx(81.3, abs=0.05)


def test_stages_that_do_not_fit_are_refused() -> None:
    tier = TierCard("wrong", "", settings={"first": ["passthrough", "12ms"], "second": ["passthrough", "12ms"]})
    card = ModelCard("cascade", "", "", "", "rtsep.models.cascade", 44100, STEMS, "wrong", "wrong", (tier,))
    with pytest.raises(ConfigError, match="vocals and other"):
        describe(card, tier)
