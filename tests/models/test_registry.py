"""Names become separators; names that are not there become sentences; listings stay light."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from rtsep.errors import ConfigError, ModelError
from rtsep.models import registry
from rtsep.models.card import TierCard, read_card
from rtsep.models.passthrough import Settings
from rtsep.stems import STEMS


def test_an_unknown_model_is_answered_with_the_nearest_and_all_names() -> None:
    with pytest.raises(ModelError, match=r'no model "spleter".*Did you mean "spleeter-2stems"\?.*passthrough'):
        registry.load("spleter")


def test_an_unknown_tier_is_answered_with_the_nearest_and_all_names() -> None:
    with pytest.raises(ModelError, match=r'no tier "ofline".*Did you mean "offline"\?.*116ms'):
        registry.load("spleeter-2stems", "ofline")


def test_an_unknown_runtime_is_answered_with_all_names() -> None:
    with pytest.raises(ModelError, match=r'no runtime "tensorrt".*auto, onnx, torch'):
        registry.load("passthrough", runtime="tensorrt")


def test_a_stem_that_this_model_does_not_make_is_told_from_one_that_nobody_makes() -> None:
    spec = registry.describe("spleeter-2stems")
    registry.check_stems(["vocals", "other"], spec)
    with pytest.raises(ModelError, match=r'"spleeter-2stems" makes no stem "drums".*Stems: vocals, other'):
        registry.check_stems(["drums"], spec)
    with pytest.raises(ModelError, match=r'There is no stem "vocal"\. Did you mean "vocals"\?'):
        registry.check_stems(["vocal"], spec)


def test_no_names_stand_for_the_default_model_and_its_default_tiers() -> None:
    card = registry.catalogue()[0]
    assert card.name == registry.DEFAULT_MODEL
    assert registry.describe().tier == card.live_tier
    assert registry.describe(live=False).tier == card.file_tier


@pytest.mark.parametrize("card", registry.catalogue(), ids=lambda card: card.name)
def test_a_card_keeps_its_word(card: registry.ModelCard) -> None:
    assert set(card.stems) <= set(STEMS)
    assert {card.live_tier, card.file_tier} <= set(card.tier_names)
    assert not registry.find(card.name)[1].whole_file, "the live default must be able to run live"
    for tier in card.tiers:
        described, loaded = registry.describe(card.name, tier.name), registry.load(card.name, tier.name).spec
        assert described == loaded
        assert (described.name, described.tier, described.stems) == (card.name, tier.name, card.stems)


def test_tiers_are_named_for_their_latency() -> None:
    for tier in ("46ms", "70ms", "116ms", "139ms", "440ms"):
        spec = registry.describe("spleeter-2stems", tier)
        assert 1000 * spec.algorithmic_latency / spec.rate == pytest.approx(float(tier.removesuffix("ms")), rel=0.01)


def test_listing_and_describing_import_neither_torch_nor_onnx_runtime() -> None:
    program = (
        "import sys; from rtsep.models import registry\n"
        "for card in registry.catalogue():\n"
        "    for tier in card.tiers: registry.describe(card.name, tier.name, rate=48000)\n"
        "assert not {'torch', 'onnxruntime', 'onnx'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_running_on_a_cpu_imports_no_torch() -> None:
    registry.load("spleeter-2stems", "46ms")  # converts if need be, which does import torch
    program = (
        "import sys, numpy; from rtsep.models import registry\n"
        "separator = registry.load('spleeter-2stems', '46ms', runtime='onnx')\n"
        "separator.step(numpy.zeros((2, 1024), 'float32'), separator.init_state())\n"
        "assert 'torch' not in sys.modules and 'onnx' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_a_misspelt_key_in_a_card_is_named_with_its_path(tmp_path: Path) -> None:
    card = tmp_path / "card.toml"
    card.write_text('name = "x"\nsummry = "y"\n')
    with pytest.raises(ConfigError, match=r"card\.toml is not a model card.*summry"):
        read_card(card)
    with pytest.raises(ConfigError, match=r'Tier "fast".*hopp'):
        TierCard(name="fast", summary="", settings={"hop": 64, "hopp": 1}).read(Settings)


def test_the_shares_of_passthrough_are_exact_and_add_up_bit_by_bit() -> None:
    separator = registry.load("passthrough", "12ms")
    mix = np.random.default_rng(0).standard_normal((2, separator.spec.hop)).astype(np.float32)
    stems = dict(zip(separator.spec.stems, separator.step(mix, separator.init_state()), strict=True))
    for stem, share in (("vocals", 2), ("drums", 4), ("bass", 8), ("other", 8)):
        assert np.array_equal(stems[stem] * np.float32(share), mix)
    assert np.array_equal(((stems["other"] + stems["bass"]) + stems["drums"]) + stems["vocals"], mix)
