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
