"""What faders, pan, width, groups, karaoke, blend and limiter do to sound, against a naive mixer in numpy."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from rtsep.realtime import layout as at
from rtsep.realtime.bus import CEILING, KNEE
from rtsep.stems import STEMS
from rtsep.units import db_to_gain
from tests.control.desk import BLOCK, RATE, Array, Desk, four_stems

SETTLE = 4 * BLOCK  # longer than a ramp
FRAMES = 2 * SETTLE
Row = tuple[float, float, float, bool, bool]
ROW = st.tuples(st.floats(-60, 12), st.floats(-1, 1), st.floats(0, 2), st.booleans(), st.booleans())
"""Gain in dB, pan, width, mute, solo."""


def naive_stem(stem: Array, gain: float, pan: float, width: float) -> Array:
    """Mid and side by the book, in float64."""
    mid, side = (stem[0] + stem[1]) / 2.0, width * (stem[0] - stem[1]) / 2.0
    return gain * np.stack([(mid + side) * min(1.0, 1.0 - pan), (mid - side) * min(1.0, 1.0 + pan)])


def settled(desk: Desk) -> tuple[Array, slice]:
    desk.play(SETTLE)
    return desk.play(SETTLE), slice(SETTLE, 2 * SETTLE)


def test_with_every_knob_at_its_default_the_mix_is_the_sum_to_the_last_bit() -> None:
    stems = four_stems(FRAMES)
    outs = Desk(stems).play(FRAMES)
    assert np.array_equal(outs[2:], stems.reshape(8, -1))
    assert np.array_equal(outs[:2], ((stems[3] + stems[2]) + stems[1]) + stems[0])


@settings(max_examples=25)
@given(
    st.lists(ROW, min_size=4, max_size=4),
    st.floats(-20, 12),
)
def test_any_setting_of_the_knobs_sounds_as_the_formulas_say(rows: list[Row], master: float) -> None:
    stems = four_stems(FRAMES)
    desk = Desk(stems)
    desk.params.set("master.gain_db", master)
    for stem, (gain, pan, width, mute, solo) in zip(STEMS, rows, strict=True):
        for knob, value in (("gain_db", gain), ("pan", pan), ("width", width), ("mute", mute), ("solo", solo)):
            desk.params.set(f"stem.{stem}.{knob}", float(value))
    outs, part = settled(desk)
    soloed = any(row[4] for row in rows)
    wanted = [
        naive_stem(stem, db_to_gain(gain + master) * (not mute and (solo or not soloed)), pan, width)[:, part]
        for stem, (gain, pan, width, mute, solo) in zip(stems.astype(np.float64), rows, strict=True)
    ]
    assert np.abs(outs[2:] - np.concatenate(wanted)).max() < 1e-5  # measured 3e-6, at +24 dB
    assert np.abs(outs[:2] - np.sum(wanted, axis=0)).max() < 2e-5


def test_a_group_fader_and_mute_hold_for_its_stems_only() -> None:
    stems = four_stems(FRAMES)
    desk = Desk(stems)
    desk.params.set("stem.drums.group", 1)
    desk.params.set("stem.bass.group", 2)
    desk.params.set("group.a.gain_db", -6.0)
    desk.params.set("group.b.mute", 1)
    outs, part = settled(desk)
    for slot, gain in enumerate((1.0, db_to_gain(-6.0), 0.0, 1.0)):
        assert np.allclose(outs[2 + 2 * slot : 4 + 2 * slot], gain * stems[slot][:, part], atol=1e-7)


def test_the_karaoke_fader_takes_the_vocals_away_and_keeps_the_power_of_a_pop_mix() -> None:
    stems = four_stems(16 * SETTLE)
    stems[0] *= np.float32(np.sqrt(3 * 0.3 / 0.7))  # vocals: 30 % of the power
    desk = Desk(stems)
    desk.params.set("master.karaoke", 1.0)
    desk.play(SETTLE)
    outs = desk.play(15 * SETTLE)
    assert not outs[2:4].any()
    change_db = 10 * np.log10(np.mean(outs[:2] ** 2) / np.mean(stems.sum(axis=0)[:, SETTLE:] ** 2))
    assert abs(change_db) < 0.3  # measured 0.04: the noise is finite


def test_blend_mixes_in_the_input_that_belongs_to_the_same_moment() -> None:
    stems, source = four_stems(FRAMES, 1), four_stems(FRAMES, 2)[0]
    desk = Desk(stems, source=source)
    desk.params.set("master.blend", 0.25)
    desk.params.set("master.gain_db", -6.0)
    outs, part = settled(desk)
    wanted = db_to_gain(-6.0) * (0.25 * stems.sum(axis=0) + 0.75 * source)[:, part]
    assert np.abs(outs[:2] - wanted).max() < 1e-6


@pytest.mark.parametrize("knob", ["stem.vocals.pan", "stem.vocals.width", "master.blend", "master.karaoke", "stem.vocals.mute"])
def test_no_knob_makes_a_step_that_clicks(knob: str) -> None:
    stems = np.full((4, 2, FRAMES), 0.125, np.float32)
    stems[0, 1] *= -1
    desk = Desk(stems, source=np.zeros((2, FRAMES), np.float32))
    desk.play(SETTLE)
    desk.params.set(knob, 0.0 if knob in ("master.blend", "stem.vocals.width") else 1.0)
    outs = desk.play(SETTLE)
    ramp = RATE * at.RAMP_MS // 1000
    assert np.abs(np.diff(outs[:2])).max() <= 1.01 * 0.5 / ramp
    assert np.abs(outs[:2, -1] - outs[:2, 0]).max() > 0.01


@pytest.mark.parametrize("level", [0.01, 0.2, 1.0, 30.0])
def test_the_limiter_never_lets_a_sample_past_its_ceiling(level: float) -> None:
    desk = Desk(four_stems(40 * SETTLE, level=level))
    desk.params.set("master.limiter", 1)
    outs = desk.play(40 * SETTLE)
    assert np.abs(outs[:2]).max() <= CEILING
    assert np.abs(outs[2:]).max() > level  # stems leave as they are


def test_the_limiter_is_not_there_below_its_knee_and_recovers_to_exactly_one() -> None:
    stems = four_stems(100 * SETTLE, level=0.01)
    stems[:, :, :100] *= 400
    desk = Desk(stems)
    desk.params.set("master.limiter", 1)
    outs = desk.play(100 * SETTLE)
    wanted = ((stems[3] + stems[2]) + stems[1]) + stems[0]
    assert np.abs(wanted[:, :100]).max() > 3 * KNEE > 3 * np.abs(outs[:2, -SETTLE:]).max()
    assert np.array_equal(outs[:2, -SETTLE:], wanted[:, -SETTLE:])
    assert desk.segment.meters[at.LIMITER_GAIN] == 1.0


def test_the_limiter_recovers_smoothly_when_it_is_switched_off_at_work() -> None:
    stems = np.full((4, 2, 8 * SETTLE), 0.5, np.float32)
    desk = Desk(stems)
    desk.params.set("master.limiter", 1)
    before = desk.play(SETTLE)
    desk.params.set("master.limiter", 0)
    after = desk.play(SETTLE)
    assert abs(after[0, 0] - before[0, -1]) < 0.001
    assert after[0, -1] > before[0, -1] + 0.05


def test_the_clip_latch_remembers_which_output_reached_full_scale() -> None:
    stems = four_stems(FRAMES, level=0.01)
    stems[1, 1, 300] = 1.0
    desk = Desk(stems)
    desk.play(SETTLE // 2)
    assert desk.segment.header[at.CLIPPED] == 0
    desk.play(SETTLE)
    assert desk.segment.header[at.CLIPPED] & (1 << (2 + 2 * 1 + 1))
    assert not desk.segment.header[at.CLIPPED] & (1 << (2 + 2 * 1))


def test_what_was_played_can_be_read_back_outside_the_audio_thread() -> None:
    desk = Desk(four_stems(FRAMES))
    outs = desk.play(FRAMES)
    assert np.array_equal(desk.segment.played[:, :FRAMES], outs)


def test_exclusive_solo_moves_from_stem_to_stem_and_ends_on_itself() -> None:
    desk = Desk(four_stems(BLOCK))
    for stem, wanted in (("drums", ["drums"]), ("bass", ["bass"]), ("bass", [])):
        desk.params.solo_only(stem)
        assert [name for name in STEMS if desk.params.get(f"stem.{name}.solo")] == wanted
