"""A wrong rig is refused whole, with file, line, key, and what was probably meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from rtsep import paths
from rtsep.config import load_rig, rig_path
from rtsep.control.midi_map import install
from rtsep.errors import ConfigError
from tests.control.desk import Desk, four_stems

GOOD = """
[engine]
model = "spleeter-2stems"
tier = "70ms"

[stems.vocals]
gain_db = -6.0
mute = true

[[midi.bind]]
when = { type = "cc", number = 20, channel = 1 }
to = "stem.vocals.gain_db"
map = { curve = "fader", range = [-60, 6] }
"""


@pytest.fixture
def write(tmp_path: Path):  # type: ignore[no-untyped-def]
    def one(text: str) -> Path:
        path = tmp_path / "stage.toml"
        path.write_text(text)
        return path

    return one


def test_a_rig_says_what_it_says_and_the_rest_has_its_default(write) -> None:  # type: ignore[no-untyped-def]
    rig = load_rig(write(GOOD))
    assert (rig.engine.model, rig.engine.tier, rig.engine.runtime) == ("spleeter-2stems", "70ms", "auto")
    assert (rig.stems.vocals.gain_db, rig.stems.vocals.mute, rig.stems.drums.gain_db) == (-6.0, True, 0.0)
    (binding,) = rig.midi.bind
    assert (binding.when.type, binding.when.number, binding.to) == ("cc", 20, "stem.vocals.gain_db")


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("[engine]\nmodle = 'x'\n", 2, ["modle", 'Did you mean "model"?']),
        ("\n[audoi]\n", 2, ["audoi", 'Did you mean "audio"?']),
        ("[stems.vocals]\ngain = -3\n", 2, ["gain", 'Did you mean "gain_db"?']),
        ("[stems.vocal]\n", 1, ["vocal", 'Did you mean "vocals"?']),
        ("[stems.drums]\n\ngain_db = 13.0\n", 3, ["$.stems.drums.gain_db", "12.0"]),
        ("[stems.drums]\nmute = 'yes'\n", 2, ["$.stems.drums.mute", "bool"]),
        ("[audio]\nbackend = 'alsa'\n", 2, ["$.audio.backend", "alsa"]),
        ("[[midi.bind]]\nto = 'x'\nwhen = { type = 'cc', number = 20, chanel = 1 }\n", 3, ["chanel", 'Did you mean "channel"?']),
        ("[[midi.bind]]\nto = 'x'\nwhen = { type = 'cc', number = 20, channel = 17 }\n", 3, ["channel", "16"]),
    ],
)
def test_a_wrong_key_or_value_is_named_with_its_line(write, text: str, line: int, words: list[str]) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ConfigError) as caught:
        load_rig(write(text))
    said = str(caught.value)
    assert f"stage.toml, line {line}:" in said
    for word in words:
        assert word in said, said


def test_text_that_is_no_toml_is_named_with_its_place(write) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ConfigError, match=r"stage\.toml is not valid TOML: .*line 2"):
        load_rig(write("[engine]\nmodel = \n"))


def test_bytes_that_are_no_text_are_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "stage.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_rig(path)


def test_a_rig_is_found_by_path_or_by_the_name_of_one_that_ships(write) -> None:  # type: ignore[no-untyped-def]
    path = write(GOOD)
    assert rig_path(str(path)) == path
    assert rig_path("default").parent == paths.configs() / "rigs"


def test_an_unknown_rig_lists_those_that_ship() -> None:
    with pytest.raises(ConfigError, match=r'no rig file "defualt"\. Did you mean "default"\?.*karaoke'):
        rig_path("defualt")


@pytest.mark.parametrize("path", sorted((paths.configs() / "rigs").glob("*.toml")), ids=lambda path: path.stem)
def test_every_rig_that_ships_can_be_used(path: Path) -> None:
    desk = Desk(four_stems(512))
    install(desk.context, load_rig(path).midi.bind)
