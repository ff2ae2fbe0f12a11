"""What a controller seems to be, from what it sends, and how that is written into a rig."""

from __future__ import annotations

from pathlib import Path

import pytest

from rtsep.config import load_rig
from rtsep.control.learn import ENOUGH, SETTLED_S, Heard, Learner, describe, guess, write_binding

PAN, MUTE = "stem.vocals.pan", "stem.vocals.mute"


def cc(number: int, *values: int) -> list[Heard]:
    return [(0xB2, number, value) for value in values]


PAIR = [message for value in range(40, 60) for message in ((0xB0, 5, value), (0xB0, 37, value * 7 % 128))]
NRPN = [message for value in range(20) for message in ((0xB0, 99, 2), (0xB0, 98, 44), (0xB0, 6, value))]


@pytest.mark.parametrize(
    ("heard", "parameter", "kind", "when"),
    [
        (cc(16, *range(30, 70)), PAN, "knob or fader", {"type": "cc", "number": 16}),
        (cc(16, 64, 65, 66, 67, 66, 65, 64), PAN, "knob or fader", {"type": "cc", "number": 16, "relative": None}),
        (cc(48, 127, 0), MUTE, "button", {"type": "cc", "number": 48}),
        (cc(16, 1, 1, 2, 1, 1, 127, 127, 126, 127), PAN, "endless encoder (twos)", {"relative": "twos"}),
        (cc(16, 65, 65, 65, 66, 63, 63, 63), PAN, "endless encoder (offset)", {"relative": "offset"}),
        (cc(16, 1, 1, 1, 65, 65, 66, 65), PAN, "endless encoder (sign)", {"relative": "sign"}),
        (PAIR, PAN, "14-bit pair", {"type": "cc14", "number": 5}),
        (NRPN, PAN, "NRPN", {"type": "nrpn", "number": 300}),
        ([(0x91, 60, 90), (0x81, 60, 0)], MUTE, "key or pad", {"type": "note", "number": 60, "channel": 2}),
        ([(0xE3, 0, value) for value in range(20)], PAN, "pitch bend or 14-bit fader", {"type": "bend", "channel": 4}),
        ([(0xC0, 5, 0)], MUTE, "program change", {"type": "program", "number": 5}),
    ],
)
def test_each_kind_of_control_is_recognised(heard: list[Heard], parameter: str, kind: str, when: dict[str, object]) -> None:
    found = guess(heard, parameter)
    assert found
    binding, said = found
    assert said == kind
    assert {name: getattr(binding.when, name) for name in when} == when


def test_what_cannot_be_bound_is_not_guessed() -> None:
    assert guess([(0xD0, 5, 0), (0xA0, 1, 1)], PAN) is None


def test_a_movement_is_over_when_it_is_quiet_or_long() -> None:
    learner = Learner(PAN)
    assert learner.hear(cc(7, 10, 11, 12), 5.0) is None
    assert learner.hear([], 5.0 + SETTLED_S - 0.01) is None
    assert learner.hear([], 5.0 + SETTLED_S)
    assert Learner(PAN).hear(cc(7, *(value % 128 for value in range(ENOUGH))), 5.0)


RIG = """# my rig: do not touch
[engine]
model = "passthrough"   # for the rehearsal

[midi]
ports = ["nano"]   # under the desk

[[midi.bind]]
when = { type = "cc", number = 20 }
to = "stem.vocals.gain_db"   # left hand
"""


def test_learning_adds_to_a_rig_and_keeps_its_comments(tmp_path: Path) -> None:
    file = tmp_path / "rig.toml"
    file.write_text(RIG)
    for _ in range(2):  # learning the same again replaces
        found = guess(cc(16, *range(30, 70)), PAN)
        assert found
        write_binding(file, found[0])
    rig = load_rig(file)
    assert [binding.to for binding in rig.midi.bind] == ["stem.vocals.gain_db", PAN]
    assert rig.midi.bind[1] == found[0]
    for comment in ("# my rig: do not touch", "# for the rehearsal", "# under the desk", "# left hand"):
        assert comment in file.read_text()


def test_learning_makes_a_rig_that_is_not_there_yet(tmp_path: Path) -> None:
    found = guess(cc(48, 127, 0), MUTE)
    assert found
    write_binding(tmp_path / "new.toml", found[0])
    (binding,) = load_rig(tmp_path / "new.toml").midi.bind
    assert (binding.to, binding.when.number, binding.curve and binding.curve.curve) == (MUTE, 48, "toggle")


def test_a_monitor_says_it_in_words() -> None:
    assert describe((0xB0, 7, 100)) == "channel 1   controller  7 value 100"
    assert describe((0xE1, 0, 64)) == "channel 2   bend        +0"
    assert describe((0xC0, 5, 0)) == "channel 1   program     5"
