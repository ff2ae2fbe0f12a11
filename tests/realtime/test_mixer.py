"""Gains, the fall-back to dry and its smoothing: what leaves the mixer, sample by sample, on virtual time."""

from __future__ import annotations

import numpy as np
import pytest

from rtsep.models.passthrough import SHARES
from rtsep.models.separator import Audio
from rtsep.realtime import layout as at
from rtsep.stems import STEMS
from tests.realtime.deck import RATE, Deck, constant, delayed, fractions, noise

RAMP = RATE * at.RAMP_MS // 1000
HOLD = RATE * at.HOLD_MS // 1000
ROUNDING = 2e-7
"""Two float32 roundings of a value below 1."""


def stem(outs: Audio, name: str) -> Audio:
    first = at.CHANNELS * (1 + STEMS.index(name))
    return outs[first : first + at.CHANNELS]


def test_at_unity_the_mix_is_the_input_to_the_last_bit() -> None:
    deck, mix = Deck(fractions(256, delay=100)), noise(20_000)
    outs = deck.play(mix)
    assert np.array_equal(outs[:2], delayed(mix, deck.latency))


def test_each_stem_leaves_by_its_own_outputs() -> None:
    deck, mix = Deck(), noise(20_000)
    outs = deck.play(mix)
    for name, share in SHARES.items():
        assert np.array_equal(stem(outs, name), np.float32(share) * delayed(mix, deck.latency)), name


@pytest.mark.parametrize("level_db", [-60.0, -6.0, 6.0, float("-inf")])
def test_a_fader_move_takes_exactly_one_ramp_of_equal_steps(level_db: float) -> None:
    deck = Deck()
    deck.play(constant(10_000))
    deck.params.set("stem.vocals.gain_db", level_db)
    heard = stem(deck.play(constant(2 * RAMP)), "vocals")[0].astype(np.float64)
    goal = 0.5 * 10 ** (level_db / 20)
    expected = 0.5 + (goal - 0.5) * np.minimum(1.0, np.arange(1, 2 * RAMP + 1) / RAMP)
    # Steps are added up in float32: measured error 1.1e-5 at +6 dB.
    assert np.abs(heard - expected).max() < 3e-5
    assert heard[RAMP - 1] == pytest.approx(goal, abs=1e-7)
    assert np.ptp(heard[RAMP:]) == 0.0


def test_a_second_move_during_a_ramp_starts_from_where_the_gain_is() -> None:
    deck = Deck(block=64)
    deck.play(constant(10_000))
    deck.params.set("stem.vocals.mute", 1)
    first = stem(deck.play(constant(64)), "vocals")[0]
    deck.params.set("stem.vocals.mute", 0)
    second = stem(deck.play(constant(2 * RAMP)), "vocals")[0]
    assert np.abs(np.diff(np.concatenate([first, second]))).max() <= 0.5 / RAMP + ROUNDING
    assert second[-1] == 0.5


def test_a_muted_stem_is_silent_and_missing_from_the_mix() -> None:
    deck, mix = Deck(), noise(20_000)
    deck.params.set("stem.vocals.mute", 1)
    outs = deck.play(mix)
    assert not stem(outs, "vocals").any()
    assert np.array_equal(outs[:2], np.float32(0.5) * delayed(mix, deck.latency))


def test_solo_leaves_only_the_soloed_stems() -> None:
    deck, mix = Deck(), noise(20_000)
    deck.params.set("stem.drums.solo", 1)
    deck.params.set("stem.bass.solo", 1)
    outs = deck.play(mix)
    assert np.array_equal(outs[:2], np.float32(0.375) * delayed(mix, deck.latency))
    assert not stem(outs, "vocals").any()


def test_mute_beats_solo() -> None:
    deck = Deck()
    deck.params.set("stem.drums.solo", 1)
    deck.params.set("stem.drums.mute", 1)
    assert not deck.play(noise(20_000)).any()


def test_a_late_hop_is_heard_dry_at_its_own_time() -> None:
    deck, mix = Deck(), noise(60_000)
    deck.play(mix[:, :20_000])
    deck.computing = False
    heard = deck.play(mix[:, 20_000:])[:2]
    expected = delayed(mix, deck.latency)[:, 20_000:]
    settled = deck.latency + deck.separator.spec.hop + at.FADE
    assert np.array_equal(heard[:, settled:], expected[:, settled:])
    assert np.abs(heard - expected).max() <= ROUNDING
    assert deck.header[at.LATE_HOPS] > 0
    assert deck.header[at.SEPARATED] == 0


def test_falling_back_spreads_the_jump_over_the_fade() -> None:
    deck = Deck()
    deck.play(constant(20_000))
    deck.computing = False
    heard = stem(deck.play(constant(20_000)), "vocals")[0]
    jump = abs(SHARES["vocals"] - 1 / len(STEMS))
    assert heard[0] == SHARES["vocals"]
    assert heard[-1] == 1 / len(STEMS)
    assert np.abs(np.diff(heard)).max() <= jump / at.FADE + ROUNDING
    assert np.count_nonzero(np.diff(heard)) == at.FADE


def test_stems_return_after_the_hold_and_one_cross_fade() -> None:
    deck = Deck(block=64)
    deck.play(constant(20_000))
    deck.computing = False
    deck.play(constant(6_400))
    deck.computing = True
    heard = stem(deck.play(constant(30_000)), "vocals")[0]
    moving = np.flatnonzero(np.diff(heard)) + 1
    hop, block = deck.separator.spec.hop, 64
    # The first hop that is there again is due within a hop and a block after the model caught up in the first block.
    assert HOLD < moving[0] <= HOLD + hop + block
    assert moving[-1] - moving[0] + 1 == at.FADE
    assert heard[-1] == SHARES["vocals"]
    assert deck.header[at.SEPARATED] == 1


def test_the_dry_mix_is_as_loud_as_the_loudest_fader() -> None:
    deck, mix = Deck(), noise(60_000)
    for name in ("vocals", "drums", "bass"):
        deck.params.set(f"stem.{name}.mute", 1)
    deck.params.set("stem.other.gain_db", -6.0)
    deck.computing = False
    heard = deck.play(mix)[:2]
    gain = np.float32(10 ** (-6.0 / 20))
    assert heard[:, 10_000:] == pytest.approx(gain * delayed(mix, deck.latency)[:, 10_000:], abs=ROUNDING)


def test_the_blend_fades_to_the_input_of_the_same_moment_to_the_last_bit() -> None:
    deck, mix = Deck(fractions(256, delay=100)), noise(30_000)
    deck.params.set("stem.vocals.mute", 1)  # what is heard is the input, not the stems
    deck.params.set("master.blend", 0.0)
    assert np.array_equal(deck.play(mix)[:2], delayed(mix, deck.latency))


def test_with_everything_muted_the_dry_mix_is_silent_too() -> None:
    deck = Deck()
    for name in STEMS:
        deck.params.set(f"stem.{name}.mute", 1)
    deck.computing = False
    assert not deck.play(noise(30_000)).any()


def test_freewheel_does_not_wait_for_a_model_that_was_given_up() -> None:
    deck, mix = Deck(), noise(20_000)
    deck.header[at.FREEWHEEL] = deck.header[at.GIVEN_UP] = 1
    deck.computing = False
    # Each of the 157 blocks would else wait until the patience is over, 20 s, and the test with it.
    assert np.array_equal(deck.play(mix)[:2], delayed(mix, deck.latency))


def test_hops_of_a_process_that_was_replaced_are_not_played() -> None:
    deck = Deck()
    deck.play(constant(20_000))
    deck.header[at.EPOCH] = 2
    heard = stem(deck.play(constant(4 * at.FADE)), "vocals")[0]
    assert heard[-1] == 1 / len(STEMS)


def test_a_change_of_latency_makes_no_step_and_is_exact_when_it_is_over() -> None:
    deck = Deck(block=128)
    rise = np.linspace(0.0, 1.0, 60_000, dtype=np.float32)
    mix = np.stack([rise, rise])
    deck.play(mix[:, :30_000])
    longer = deck.latency + 2000
    deck.header[at.LATENCY] = longer
    heard = deck.play(mix[:, 30_000:])[0]
    jump, slope = 2000 / 60_000, 1 / 60_000
    assert np.abs(np.diff(heard)).max() <= slope + jump / at.FADE + ROUNDING
    assert np.array_equal(heard[at.FADE :], delayed(mix, longer)[0, 30_000 + at.FADE :])


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_an_input_sample_that_is_no_number_plays_as_silence_and_is_counted(value: float) -> None:
    deck, mix = Deck(), noise(20_000)
    broken = mix.copy()
    broken[0, 5_000] = broken[1, 5_001] = value
    mix[0, 5_000] = mix[1, 5_001] = 0.0
    assert np.array_equal(deck.play(broken)[:2], delayed(mix, deck.latency))
    assert deck.header[at.BAD_INPUT] == 2


def test_meters_hold_the_peak_until_it_is_taken() -> None:
    deck = Deck()
    deck.play(constant(20_000, 0.25))
    deck.play(constant(20_000, 0.125))
    peaks = deck.segment.take_meters()
    assert peaks[: at.OUTPUTS].tolist() == [0.25, 0.25, 0.125, 0.125, 0.0625, 0.0625, 0.03125, 0.03125, 0.03125, 0.03125]
    assert peaks[at.OUTPUTS : at.OUTPUTS + 2].tolist() == [0.25, 0.25]
    deck.play(constant(1, 0.125))
    assert deck.segment.take_meters()[0] == 0.125
