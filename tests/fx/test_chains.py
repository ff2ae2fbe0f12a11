"""Chains on stems: exact at any hop, aligned with each other, moved live, and taken out when they misbehave."""

from __future__ import annotations

import math

import numpy as np
import pedalboard
import pytest

from rtsep.errors import ConfigError
from rtsep.fx.builtin import BUILTINS
from rtsep.fx.separator import SeparatorWithEffects
from rtsep.models.passthrough import SHARES
from tests.fx.rack import RATE, Rack, noise

VOCAL_CHAIN = [
    {"use": "compressor", "set": {"threshold_db": -30.0, "ratio": 4.0}},
    {"use": "reverb", "set": {"room_size": 0.6}},
]


@pytest.mark.parametrize("name", sorted(BUILTINS))
def test_an_effect_of_pedalboard_gives_as_many_frames_as_it_takes_and_is_on_time(name: str) -> None:
    unit = getattr(pedalboard, BUILTINS[name].kind)()
    for hop in (128, 512, 1000):
        assert unit.process(noise(hop), RATE, buffer_size=hop, reset=False).shape == (2, hop)
    assert Rack(vocals=[{"use": name}]).separator.spec.latency == 0


@pytest.mark.parametrize("name", sorted(BUILTINS))
def test_every_knob_in_the_table_is_a_knob_of_the_effect_and_takes_its_whole_range(name: str) -> None:
    unit = getattr(pedalboard, BUILTINS[name].kind)()
    for knob, info in BUILTINS[name].knobs.items():
        for value in (info.low, info.default, info.high):
            setattr(unit, knob, value)
            assert math.isclose(getattr(unit, knob), value, rel_tol=1e-3, abs_tol=1e-3), knob


def test_a_chain_sounds_as_the_same_effects_over_the_whole_song_at_any_hop() -> None:
    mix = noise()
    board = pedalboard.Pedalboard([pedalboard.Compressor(-30.0, 4.0), pedalboard.Reverb(room_size=0.6)])
    whole = board.process(mix * np.float32(SHARES["vocals"]), RATE)
    for tier in ("3ms", "12ms"):
        np.testing.assert_allclose(Rack(tier, vocals=VOCAL_CHAIN).play(mix)["vocals"], whole, atol=2e-6)


def test_stems_without_effects_are_untouched() -> None:
    mix = noise()
    out = Rack(vocals=VOCAL_CHAIN).play(mix)
    np.testing.assert_array_equal(out["drums"], mix * np.float32(SHARES["drums"]))


def test_wet_and_bypass_fade_within_a_hop_and_arrive_at_the_dry_stem() -> None:
    mix = noise()
    rack = Rack(vocals=[{"use": "gain", "set": {"gain_db": 20.0}}])
    dry = mix * np.float32(SHARES["vocals"])
    np.testing.assert_allclose(rack.play(mix)["vocals"], dry * 10, rtol=1e-5)
    rack.set("fx.vocals.gain.wet", 0.5)
    hop = rack.separator.spec.hop
    half = rack.play(mix)["vocals"]
    np.testing.assert_allclose(half[:, hop:], dry[:, hop:] * 5.5, rtol=1e-4)
    factor = half[0, :hop] / dry[0, :hop]
    assert np.all(np.diff(factor) < 0.01) and factor[0] > 9.9
    rack.set("fx.vocals.gain.bypass", 1.0)
    np.testing.assert_array_equal(rack.play(mix)["vocals"][:, hop:], dry[:, hop:])


def test_bypassed_a_reverb_rings_out_and_a_chain_that_shall_not_is_cut() -> None:
    mix = noise(22016)
    silence = np.zeros_like(mix)
    ringing, cut = (Rack(vocals=[{"use": "reverb", "set": {"dry_level": 0.0}, **more}]) for more in ({}, {"tails": False}))
    hop = ringing.separator.spec.hop
    for rack in (ringing, cut):
        rack.play(mix)
        rack.set("fx.vocals.reverb.bypass", 1.0)
    after = ringing.play(silence)["vocals"]
    assert np.abs(after[:, 2 * hop : 4 * hop]).max() > 0.01, "what was in the room is still heard"
    assert np.abs(after[:, -hop:]).max() < np.abs(after[:, 2 * hop : 4 * hop]).max() / 3, "and dies away"
    assert not cut.play(silence)["vocals"][:, hop:].any()
    whole = pedalboard.Reverb(dry_level=0.0).process(np.concatenate([mix / 2, silence], axis=1), RATE)
    np.testing.assert_allclose(after, whole[:, mix.shape[1] :], atol=2e-6)


def test_a_bypassed_reverb_gets_nothing_new_and_comes_back_without_the_past() -> None:
    mix = noise(22016)
    rack = Rack(vocals=[{"use": "reverb", "bypass": True, "set": {"dry_level": 0.0}}])
    np.testing.assert_array_equal(rack.play(mix)["vocals"], mix / 2)
    rack.set("fx.vocals.reverb.bypass", 0.0)
    assert not rack.play(np.zeros_like(mix))["vocals"].any()


def test_a_knob_moves_live() -> None:
    rack = Rack(vocals=[{"use": "gain"}])
    mix = noise()
    rack.play(mix)
    rack.set("fx.vocals.gain.gain_db", -6.0)
    out = rack.play(mix)["vocals"]
    np.testing.assert_allclose(out[:, -1000:], mix[:, -1000:] / 2 * 10 ** (-6 / 20), rtol=1e-4)


def test_ducking_lowers_the_rest_while_the_vocals_sing_and_lets_it_come_back() -> None:
    rack = Rack(drums=[{"use": "duck", "by": "vocals", "set": {"depth_db": 12.0, "threshold_db": -30.0, "release_ms": 50.0}}])
    loud, quiet = np.full((2, RATE), 0.8, np.float32), np.full((2, 2 * RATE), 0.001, np.float32)
    out = rack.play(np.concatenate([loud, quiet], axis=1))["drums"]
    assert out[0, RATE - 2000] == pytest.approx(0.2 * 10 ** (-12 / 20), rel=1e-3)
    assert out[0, -1] == pytest.approx(0.001 / 4, rel=1e-3)


def test_ducking_does_not_depend_on_the_hop() -> None:
    chain = [{"use": "duck", "by": "vocals", "set": {"threshold_db": -40.0}}]
    short, long = (Rack(tier, other=chain).play(noise())["other"] for tier in ("3ms", "12ms"))
    np.testing.assert_array_equal(short, long)


def test_a_change_of_tier_keeps_the_effects() -> None:
    """The engine's overload guard may change the tier while the effects stay those that were planned."""
    rack = Rack("12ms", vocals=VOCAL_CHAIN)
    other = Rack("3ms", vocals=VOCAL_CHAIN)
    moved = SeparatorWithEffects(
        other.inner, rack.plan, words=rack.words, header=rack.header, epoch=6, report=rack.reports.append
    )
    other.separator, other.state = moved, moved.init_state()
    np.testing.assert_allclose(other.play(noise())["vocals"], rack.play(noise())["vocals"], atol=2e-6)
    assert rack.reports == []


class Misbehaving:
    """An effect of others that goes wrong after some hops."""

    foreign = True
    reported_latency = 0

    def __init__(self, result: object) -> None:
        self.result = result

    def set(self, knob: str, value: float) -> None: ...

    def reset(self) -> None: ...

    def process(self, block, side):
        if isinstance(self.result, Exception):
            raise self.result
        return self.result


@pytest.mark.parametrize(
    ("result", "why"),
    [
        (RuntimeError("no licence"), "failed: no licence"),
        (np.zeros((1, 512), np.float32), "shape"),
        (np.zeros((2, 100), np.float32), "fewer frames"),
        (np.full((2, 512), np.nan, np.float32), "not a number"),
    ],
)
def test_an_effect_that_misbehaves_is_bypassed_and_reported_and_the_stem_goes_on(result: object, why: str) -> None:
    rack = Rack(vocals=[{"use": "gain", "set": {"gain_db": 20.0}}, {"use": "reverb", "wet": 0.0}])
    mix = noise()
    rack.play(mix)
    rack.separator._chains["vocals"][0].insert.effect = Misbehaving(result)
    np.testing.assert_array_equal(rack.play(mix)["vocals"], mix / 2)
    assert len(rack.reports) == 1
    assert why in rack.reports[0] and "bypassed" in rack.reports[0]


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ({"use": "reverrb"}, 'no effect "reverrb". Did you mean "reverb"?'),
        ({"use": "reverb", "set": {"room": 0.5}}, 'no knob "room".* Did you mean "room_size"?'),
        ({"use": "reverb", "set": {"room_size": 5.0}}, "room_size takes 0 to 1, not 5"),
        ({"use": "duck"}, 'takes by = "STEM"'),
        ({"use": "gain", "by": "vocals"}, 'takes by = "STEM"'),
        ({"use": "duck", "by": "violins"}, "one of vocals, drums"),
        ({"use": "reverb", "preset": "hall.vstpreset"}, "only VST3 plug-ins have presets"),
    ],
)
def test_a_wrong_entry_is_refused_with_what_is_allowed(entry: dict, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        Rack(vocals=[entry])


def test_two_effects_of_one_name_are_refused() -> None:
    with pytest.raises(ConfigError, match="two effects"):
        Rack(vocals=[{"use": "gain"}, {"use": "gain"}])
