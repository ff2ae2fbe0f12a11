"""One store of names, units and ranges over the words that the audio thread reads."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtsep.control.params import PARAMS, ParamStore, find_param
from rtsep.errors import UsageError
from rtsep.realtime import layout as at
from rtsep.stems import STEMS


@pytest.fixture
def store() -> ParamStore:
    return ParamStore(np.zeros(at.PARAMS, np.float32))


def test_every_parameter_has_a_word_of_its_own_within_the_segment() -> None:
    words = [param.word for param in PARAMS.values()]
    assert len(set(words)) == len(words)
    assert min(words) >= 0
    assert max(words) < at.PARAMS


@pytest.mark.parametrize("stem", STEMS)
def test_every_stem_has_a_fader_a_mute_and_a_solo(stem: str) -> None:
    slot = STEMS.index(stem)
    assert find_param(f"stem.{stem}.gain_db").word == at.GAIN + slot
    assert find_param(f"stem.{stem}.mute").word == at.MUTE + slot
    assert find_param(f"stem.{stem}.solo").word == at.SOLO + slot


@given(name=st.sampled_from(sorted(PARAMS)), value=st.floats(-200, 200))
def test_what_is_set_is_read_back_within_its_range(name: str, value: float) -> None:
    param, store = PARAMS[name], ParamStore(np.zeros(at.PARAMS, np.float32))
    store.set(name, value)
    held = min(max(value, param.low), param.high)
    if param.unit == "switch":
        held = float(held >= 0.5)
    # float32 words: 1e-4 dB at the most, whole numbers exactly.
    assert store.get(name) == pytest.approx(param.from_raw(param.to_raw(held)), abs=1e-3)
    assert param.low <= store.get(name) <= param.high + 1e-3


def test_silence_is_exactly_zero_and_unity_exactly_one() -> None:
    words = np.zeros(at.PARAMS, np.float32)
    store = ParamStore(words)
    store.set("stem.vocals.gain_db", -math.inf)
    assert words[at.GAIN] == 0.0
    store.set("stem.vocals.gain_db", 0.0)
    assert words[at.GAIN] == 1.0


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_value_that_is_no_number_is_refused_and_changes_nothing(store: ParamStore, value: float) -> None:
    store.set("stem.drums.gain_db", -6.0)
    with pytest.raises(UsageError, match=r"stem\.drums\.gain_db takes a value from -120 to 12 dB"):
        store.set("stem.drums.gain_db", value)
    assert store.get("stem.drums.gain_db") == pytest.approx(-6.0, abs=1e-4)


def test_an_unknown_name_offers_the_nearest(store: ParamStore) -> None:
    with pytest.raises(UsageError, match=r'no parameter "stem\.vocal\.gain_db"\. Did you mean "stem\.vocals\.gain_db"\?'):
        store.set("stem.vocal.gain_db", 0.0)
