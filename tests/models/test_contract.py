"""Every separator obeys the contract: native and resampled, every model and tier that rtsep offers."""

from __future__ import annotations

import functools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtsep.models import registry
from rtsep.models.resampled import ResampledSeparator
from rtsep.models.separator import Separator
from rtsep.models.sliding import Slide
from tests.models import contract
from tests.models.toy_net import toy_separator

LIVE = [(card.name, tier.name) for card in registry.catalogue() for tier in card.tiers if not tier.whole_file]
RESAMPLED = {
    "passthrough at 48000": ("passthrough", "12ms", 48000),
    "passthrough at 8000": ("passthrough", "3ms", 8000),
    "passthrough at 192000": ("passthrough", "46ms", 192000),
    "passthrough at 47999": ("passthrough", "12ms", 47999),
    "spleeter at 48000": ("spleeter-2stems", "46ms", 48000),
}
TOYS = {
    "sliding window": Slide(context=50, hop=16, lookahead=7, fade=9),
    "sliding window without fade": Slide(context=8, hop=5),
}
NAMES = [*(f"{model} {tier}" for model, tier in LIVE), *RESAMPLED, *TOYS, "sliding window at 48000"]


@functools.cache
def separator(name: str) -> Separator:
    if name in TOYS:
        return toy_separator(TOYS[name])
    if name == "sliding window at 48000":
        return ResampledSeparator(toy_separator(TOYS["sliding window"]), 48000)
    model, tier, rate = RESAMPLED[name] if name in RESAMPLED else (*name.split(" "), 44100)
    return registry.load(model, tier, rate=rate, runtime="onnx")


@pytest.fixture(params=NAMES)
def each(request: pytest.FixtureRequest) -> Separator:
    return separator(request.param)


def test_stems_have_the_declared_shape(each: Separator) -> None:
    contract.check_shapes(each)


def test_stems_add_up_to_the_delayed_input(each: Separator) -> None:
    contract.check_unity(each)


@pytest.mark.parametrize("position", [0, 1001])
def test_an_impulse_comes_out_after_the_declared_latency(each: Separator, position: int) -> None:
    contract.check_impulse(each, position)


def test_state_is_the_only_memory(each: Separator) -> None:
    contract.check_state_is_the_only_memory(each)


def test_a_new_state_has_forgotten_everything(each: Separator) -> None:
    contract.check_reset(each)


FORGETFUL = ("spleeter-2stems", "passthrough")
"""Models whose memory is a window; a recurrent net also remembers how long it was silent."""


@pytest.mark.parametrize("name", [*(f"{model} {tier}" for model, tier in LIVE if model in FORGETFUL), *TOYS])
def test_a_new_state_is_that_of_silence(name: str) -> None:
    contract.check_silence(separator(name))


@pytest.mark.parametrize("poisoned_hop", [1, 3])
def test_the_future_never_changes_the_past(each: Separator, poisoned_hop: int) -> None:
    contract.check_causality(each, poisoned_hop)


@settings(max_examples=5)
@given(data=st.data())
@pytest.mark.parametrize("name", NAMES)
def test_any_chunking_equals_the_whole_file(name: str, data: st.DataObject) -> None:
    subject = separator(name)
    block = st.integers(0, subject.spec.hop)
    contract.check_chunking(subject, data.draw(st.lists(block, max_size=3)))
