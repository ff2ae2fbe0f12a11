"""What each kind of MIDI message does to a parameter, through the compiled code of the audio thread."""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
import msgspec
import numpy as np
import pytest
from hypothesis import given

from rtsep.config import MidiBinding
from rtsep.control.midi_map import curve_table, install
from rtsep.control.params import PARAMS, ParamStore
from rtsep.errors import UsageError
from rtsep.realtime import layout as at
from rtsep.realtime.midi import curve_at, position_of, receive
from rtsep.realtime.segment import Context, Segment
from rtsep.stems import STEMS
from tests.control.desk import BLOCK, Desk, four_stems

VOCALS = "stem.vocals.gain_db"
PAN = "stem.vocals.pan"
LINEAR = {"curve": "linear"}


def bind(to: str, kind: str = "cc", number: int = 7, **more: Any) -> MidiBinding:
    when = {"type": kind, "number": number, **{key: more.pop(key) for key in ("channel", "relative") if key in more}}
    return msgspec.convert({"when": when, "to": to, **more}, MidiBinding)


class Controller:
    """A context with bindings, and the messages that are sent to it."""

    def __init__(self, *bindings: MidiBinding) -> None:
        self.segment = Segment.create(rate=48_000, hop=256, model_latency=0, latency=0, stems=STEMS)
        self.context = Context(self.segment)
        self.params = ParamStore(self.segment.params)
        self.wishes = install(self.context, bindings)

    def send(self, *messages: tuple[int, int, int]) -> None:
        for status, number, value in messages:
            receive(self.context.words, status, number, value)

    def cc(self, number: int, value: int) -> None:
        self.send((0xB0, number, value))


def test_a_pair_of_controllers_moves_in_steps_of_fourteen_bits() -> None:
    desk = Controller(bind(PAN, "cc14", 1))
    desk.cc(1, 64)
    desk.cc(33, 1)
    assert desk.params.get(PAN) == pytest.approx(-1 + 2 * (64 * 128 + 1) / 16383, abs=1e-6)
    desk.cc(1, 127)
    desk.cc(33, 127)
    assert desk.params.get(PAN) == 1.0


def test_a_coarse_half_alone_sets_the_fine_half_to_zero() -> None:
    desk = Controller(bind(PAN, "cc14", 1))
    for number, value in ((1, 64), (33, 100), (1, 32)):
        desk.cc(number, value)
    assert desk.params.get(PAN) == pytest.approx(-1 + 2 * 32 * 128 / 16383, abs=1e-6)


def test_an_nrpn_is_chosen_then_moved_and_an_rpn_ends_the_choice() -> None:
    desk = Controller(bind(PAN, "nrpn", 300))
    for number, value in ((99, 2), (98, 44), (6, 127), (38, 127)):  # 2 * 128 + 44 = 300
        desk.cc(number, value)
    assert desk.params.get(PAN) == 1.0
    for number, value in ((98, 45), (6, 0)):
        desk.cc(number, value)
    assert desk.params.get(PAN) == 1.0, "NRPN 301 is another one"
    for number, value in ((98, 44), (101, 0), (100, 0), (6, 0)):
        desk.cc(number, value)
    assert desk.params.get(PAN) == 1.0, "data entry now belongs to an RPN"


def test_pitch_bend_moves_a_fader_over_its_whole_travel() -> None:
    desk = Controller(bind(PAN, "bend", 0, channel=3))
    for coarse, fine, wanted in ((0, 0, -1.0), (127, 127, 1.0), (64, 0, -1 + 2 * 8192 / 16383)):
        desk.send((0xE2, fine, coarse))
        assert desk.params.get(PAN) == pytest.approx(wanted, abs=1e-6)
    desk.send((0xE3, 0, 0))
    assert desk.params.get(PAN) > 0, "another channel is another fader"


@pytest.mark.parametrize(("encoding", "right", "left"), [("twos", 3, 125), ("offset", 67, 61), ("sign", 3, 67)])
def test_an_endless_encoder_moves_from_where_the_parameter_stands(encoding: str, right: int, left: int) -> None:
    desk = Controller(bind(PAN, relative=encoding, map={"curve": "linear", "step": 2.0}))
    desk.params.set(PAN, 0.25)
    desk.cc(7, right)
    assert desk.params.get(PAN) == pytest.approx(0.25 + 6 * 2 / 127, abs=1e-5)
    for _ in range(2):
        desk.cc(7, left)
    assert desk.params.get(PAN) == pytest.approx(0.25 - 6 * 2 / 127, abs=1e-5)
    for _ in range(200):
        desk.cc(7, right)
    assert desk.params.get(PAN) == 1.0


def test_notes_toggle_hold_or_set_by_velocity() -> None:
    desk = Controller(
        bind("stem.vocals.mute", "note", 1),
        bind("stem.drums.mute", "note", 2, map={"curve": "momentary"}),
        bind("stem.bass.pan", "note", 3, map=LINEAR),
    )
    for _ in range(3):
        desk.send((0x90, 1, 90), (0x80, 1, 0))
    desk.send((0x90, 2, 90))
    held = desk.params.get("stem.drums.mute")
    desk.send((0x90, 2, 0), (0x90, 3, 127))
    assert (desk.params.get("stem.vocals.mute"), held, desk.params.get("stem.drums.mute")) == (1.0, 1.0, 0.0)
    assert desk.params.get("stem.bass.pan") == 1.0


def test_a_program_change_or_a_key_asks_for_a_snapshot_by_name() -> None:
    desk = Controller(bind("snapshot.verse", "program", 4), bind("snapshot.chorus", "note", 60))
    desk.send((0xC5, 4, 0), (0xC5, 5, 0), (0x90, 60, 1))
    assert desk.wishes == ("snapshot.verse", "snapshot.chorus")
    assert desk.context.signals[:3].tolist() == [2, 0, 1]


def test_one_message_moves_many_parameters_and_many_move_one() -> None:
    desk = Controller(bind(PAN, map=LINEAR), bind("stem.drums.pan", map={"range": [1.0, -1.0]}), bind(PAN, "note", 5, map=LINEAR))
    desk.cc(7, 127)
    assert (desk.params.get(PAN), desk.params.get("stem.drums.pan")) == (1.0, -1.0)
    desk.send((0x90, 5, 1))
    assert desk.params.get(PAN) == pytest.approx(-1 + 2 / 127)


def test_a_layer_gives_the_same_knob_another_parameter() -> None:
    desk = Controller(
        bind("midi.layer", "note", 1, map={"curve": "momentary", "range": [0.0, 1.0]}),
        bind("stem.vocals.pan", layer=0),
        bind("stem.drums.pan", layer=1),
    )
    desk.cc(7, 127)
    desk.send((0x90, 1, 127))
    desk.cc(7, 0)
    desk.send((0x80, 1, 0))
    assert [desk.params.get(f"stem.{stem}.pan") for stem in ("vocals", "drums")] == [1.0, -1.0]
    assert desk.params.get("midi.layer") == 0


def test_a_key_that_is_held_while_the_layer_changes_lets_go_of_what_it_held_and_of_nothing_else() -> None:
    desk = Controller(
        *(bind(f"stem.{stem}.mute", "note", 5, layer=layer, map={"curve": "momentary"}) for layer, stem in enumerate(STEMS[:2]))
    )
    desk.params.set("stem.drums.mute", 1)
    desk.send((0x90, 5, 127))
    desk.params.set("midi.layer", 1)
    desk.send((0x80, 5, 0))
    assert [desk.params.get(f"stem.{stem}.mute") for stem in STEMS[:2]] == [0.0, 1.0]


def test_banks_give_one_fader_four_stems() -> None:
    banks = [bind("midi.layer", "program", number, map={"range": [float(number)] * 2}) for number in range(len(STEMS))]
    desk = Controller(*banks, *(bind(f"stem.{stem}.pan", layer=layer) for layer, stem in enumerate(STEMS)))
    for bank in (2, 0, 3):
        desk.send((0xC0, bank, 0))
        desk.cc(7, 127)
    assert [desk.params.get(f"stem.{stem}.pan") for stem in STEMS] == [1.0, 0.0, 1.0, 1.0]


@pytest.mark.parametrize(("channel", "moved"), [(None, [0, 4, 15]), (5, [4])])
@pytest.mark.parametrize("kind", ["cc", "note", "program", "bend", "cc14"])
def test_a_binding_hears_its_channel_or_all_of_them(kind: str, channel: int | None, moved: list[int]) -> None:
    number = 0 if kind == "bend" else 7
    desk = Controller(bind(PAN, kind, number, channel=channel, map=LINEAR))
    status = {"cc": 0xB0, "note": 0x90, "program": 0xC0, "bend": 0xE0, "cc14": 0xB0}[kind]
    heard = []
    for sender in (0, 4, 15):
        desk.params.set(PAN, 0.0)
        desk.send((status | sender, 7, 127))
        heard += [sender] if desk.params.get(PAN) > 0.9 else []
    assert heard == moved


def test_velocity_sets_a_level_and_letting_go_leaves_it() -> None:
    desk = Controller(bind(VOCALS, "note", 60, map={"curve": "db", "range": [-60.0, 6.0]}))
    for velocity in (1, 64, 127, 30):
        desk.send((0x90, 60, velocity), (0x80, 60, 0))
        assert desk.params.get(VOCALS) == pytest.approx(-60 + 66 * velocity / 127, abs=1e-3)


@pytest.mark.parametrize(
    ("curve", "ends", "wanted"),
    [
        ("fader", [-60.0, 6.0], {0: -120.0, 50: -12.04, 100: 0.0, 127: 6.0}),  # 20 log10 (1/2)^2 at half of the way to 0 dB
        ("fader", [6.0, -60.0], {127: -120.0, 77: -12.04, 27: 0.0, 0: 6.0}),
        ("fader", [-60.0, 12.0], {100: 0.0, 127: 12.0}),
        ("db", [-60.0, 6.0], {0: -60.0, 127: 6.0}),
        ("db", [6.0, -60.0], {0: 6.0, 127: -60.0}),
        ("linear", [-120.0, 0.0], {0: -120.0, 127: 0.0, 64: 20 * np.log10(64 / 127)}),
        ("linear", [0.0, -120.0], {0: 0.0, 127: -120.0}),
    ],
)
def test_a_curve_of_a_level_goes_through_its_marks_in_both_directions(
    curve: str, ends: list[float], wanted: dict[int, float]
) -> None:
    desk = Controller(bind(VOCALS, map={"curve": curve, "range": ends}))
    for position, level_db in wanted.items():
        desk.cc(7, position)
        assert desk.params.get(VOCALS) == pytest.approx(level_db, abs=0.01), position
    assert len(set(curve_table(bind(VOCALS, map={"curve": curve, "range": ends}), PARAMS[VOCALS]).tolist())) == 128, "no steps"


def test_shift_makes_solo_exclusive() -> None:
    desk = Controller(bind("stem.vocals.solo", "note", 1), bind("stem.drums.solo", "note", 2, map={"curve": "alone"}))
    desk.send((0x90, 1, 1), (0x90, 2, 1))
    assert [desk.params.get(f"stem.{stem}.solo") for stem in STEMS] == [0, 1, 0, 0]
    desk.send((0x90, 2, 1))
    assert not any(desk.params.get(f"stem.{stem}.solo") for stem in STEMS)


def test_jump_follows_at_once() -> None:
    desk = Controller(bind(PAN))
    desk.cc(7, 0)
    assert desk.params.get(PAN) == -1.0


def test_pickup_waits_until_the_controller_comes_by_and_again_after_somebody_else_moved() -> None:
    desk = Controller(bind(PAN, takeover="pickup"))
    for value in (10, 30, 55):
        desk.cc(7, value)
        assert desk.params.get(PAN) == 0.0
    desk.cc(7, 70)  # passes 63.5
    assert desk.params.get(PAN) == pytest.approx(-1 + 140 / 127)
    desk.cc(7, 20)  # caught: follows in leaps
    assert desk.params.get(PAN) == pytest.approx(-1 + 40 / 127)
    desk.params.set(PAN, 0.9)
    desk.cc(7, 25)
    assert desk.params.get(PAN) == pytest.approx(0.9)
    desk.cc(7, 119)  # within three steps of it
    assert desk.params.get(PAN) == pytest.approx(-1 + 2 * 119 / 127)


def test_scale_approaches_in_proportion_and_stays_together_from_the_end_on() -> None:
    desk = Controller(bind(PAN, takeover="scale"))
    desk.cc(7, 27)
    assert desk.params.get(PAN) == 0.0, "the first message only tells where the controller is"
    desk.cc(7, 77)  # half of the way from 27 to 127
    assert desk.params.get(PAN) == pytest.approx(0.5, abs=1e-5)
    desk.cc(7, 127)
    assert desk.params.get(PAN) == 1.0
    desk.cc(7, 64)
    assert desk.params.get(PAN) == pytest.approx(-1 + 128 / 127)


@pytest.mark.parametrize("takeover", ["jump", "pickup", "scale"])
@given(st.lists(st.tuples(st.integers(0, 127), st.one_of(st.none(), st.floats(-60, 6))), max_size=30))
def test_a_controller_that_reaches_an_end_takes_the_parameter_there(takeover: str, moves: list[tuple[int, float | None]]) -> None:
    desk = Controller(bind(VOCALS, takeover=takeover, map={"curve": "db", "range": [-60.0, 6.0]}))
    for value, elsewhere in moves:
        desk.cc(7, value)
        assert -60.001 <= desk.params.get(VOCALS) <= 6.001
        if elsewhere is not None:
            desk.params.set(VOCALS, elsewhere)
    for value in (0, 127):
        desk.cc(7, value)
    assert desk.params.get(VOCALS) == pytest.approx(6.0, abs=1e-4)


@given(st.sampled_from(["fader", "db", "linear"]), st.floats(0, 127), st.booleans())
def test_a_position_found_from_a_value_gives_the_value_back(shape: str, position: float, backwards: bool) -> None:
    ends = [6.0, -60.0] if backwards else [-60.0, 6.0]
    table = curve_table(bind(VOCALS, map={"curve": shape, "range": ends}), PARAMS[VOCALS])
    raw = curve_at(table, np.float32(position))
    assert curve_at(table, position_of(table, raw)) == pytest.approx(raw, rel=1e-4, abs=1e-6)


@given(st.lists(st.tuples(st.integers(0, 255), st.integers(0, 255), st.integers(0, 255)), max_size=60))
def test_no_stream_of_bytes_moves_a_parameter_out_of_its_range(messages: list[tuple[int, int, int]]) -> None:
    names = [VOCALS, "stem.vocals.mute", PAN, "midi.layer", "stem.bass.solo"]
    kinds = [("cc", 7), ("note", 7), ("bend", 0), ("cc14", 7), ("nrpn", 7)]
    desk = Controller(*(bind(to, *kind, map={"curve": "linear"}) for to, kind in zip(names, kinds, strict=True)))
    desk.send(*messages)
    for name, value in desk.params.all().items():
        param = PARAMS[name]
        assert param.low <= value <= param.high + 1e-4, name


@pytest.mark.parametrize(
    ("binding", "words"),
    [
        (lambda: bind(PAN, "cc", 128), "0 to 127, not 128"),
        (lambda: bind(PAN, "cc14", 32), "0 to 31, not 32"),
        (lambda: bind(PAN, "note", 1, relative="twos"), "endless encoders"),
        (lambda: bind(PAN, map={"curve": "fader"}), "fader is for gains"),
        (lambda: bind(VOCALS, map={"curve": "toggle"}), "toggle is for mute and solo"),
        (lambda: bind("stem.vocals.mute", map={"curve": "alone"}), "alone is for solo"),
        (lambda: bind("stem.vocal.mute"), 'Did you mean "stem.vocals.mute"'),
    ],
)
def test_a_binding_that_cannot_work_is_refused_with_a_reason(binding: Any, words: str) -> None:
    desk = Controller(bind(PAN))
    with pytest.raises(UsageError, match=words):
        install(desk.context, [binding()])
    desk.cc(7, 127)
    assert desk.params.get(PAN) == 1.0, "the old bindings stay"


def test_every_message_can_be_read_by_a_monitor() -> None:
    desk = Controller()
    desk.send(*((0xB0, k & 0x7F, 1) for k in range(300)))
    assert desk.context.midi_log[0] == 300
    assert desk.context.midi_log[1 + 299 % at.MIDI_LOG] == 0xB0 << 16 | (299 & 0x7F) << 8 | 1


def test_a_flood_between_two_blocks_loses_nothing_and_its_last_value_is_heard_in_the_next() -> None:
    desk = Desk(four_stems(4 * BLOCK))
    install(desk.context, [bind(VOCALS, map={"curve": "fader"})])
    desk.play(BLOCK)
    for sent in range(10_000):
        receive(desk.context.words, 0xB0, 7, sent % 101)
    receive(desk.context.words, 0xB0, 7, 0)
    desk.play(2 * BLOCK)  # a block and a ramp
    assert desk.segment.header[at.MIDI_EVENTS] == 10_001
    assert not desk.play(BLOCK)[2:4].any()
