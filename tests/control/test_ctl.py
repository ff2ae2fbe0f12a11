"""`rtsep ctl` and `rtsep midi`, as a player types them, against an engine of this process behind its real socket."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from rtsep.cli import main
from rtsep.control.client import default_path
from rtsep.control.local_socket import ControlServer
from rtsep.control.params import PARAMS
from rtsep.control.snapshots import MAX_SNAPSHOTS
from rtsep.realtime import layout as at
from rtsep.stems import STEMS
from tests.control.test_snapshots import VOCALS, Booth
from tests.jack_server import StartServer

Said = pytest.CaptureFixture[str]


@pytest.fixture
def booth(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Booth]:
    monkeypatch.setenv("RTSEP_HOME", str(tmp_path))
    made = Booth(tmp_path / "state")
    door = ControlServer(made.console, default_path())
    assert door.start()
    yield made
    door.stop()
    made.console.stop()
    made.engine.stop()


def test_a_snapshot_is_stored_recalled_morphed_and_deleted(booth: Booth, capsys: Said) -> None:
    assert main(["ctl", "set", VOCALS, "-6", "stem.drums.mute", "on"]) == 0
    assert main(["ctl", "snapshot", "store", "verse"]) == 0
    assert main(["ctl", "set", VOCALS, "0", "stem.drums.mute", "off"]) == 0
    assert main(["ctl", "snapshot", "recall", "verse"]) == 0
    assert (booth.params.get(VOCALS), booth.params.get("stem.drums.mute")) == (pytest.approx(-6.0), 1.0)
    assert main(["ctl", "set", VOCALS, "off"]) == 0
    assert booth.params.raw(VOCALS) == 0.0
    assert main(["ctl", "snapshot", "recall", "verse", "--over", "600"]) == 0
    booth.console.tick()
    assert booth.params.get(VOCALS) < -40.0, "it is on its way"
    capsys.readouterr()
    assert main(["ctl", "snapshot", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == ["verse"]
    assert main(["ctl", "snapshot", "delete", "verse"]) == 0
    assert booth.console.book.names == []
    assert main(["ctl", "snapshot", "recall", "verse"]) != 0
    assert 'There is no snapshot "verse"' in capsys.readouterr().err


def test_snapshots_go_into_a_file_and_come_back_from_it_or_from_a_pipe(
    booth: Booth, capsys: Said, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    booth.params.set(VOCALS, -9.0)
    main(["ctl", "snapshot", "store", "verse"])
    capsys.readouterr()
    assert main(["ctl", "snapshot", "export"]) == 0
    text = capsys.readouterr().out
    file = tmp_path / "mine.toml"
    file.write_text(text)
    for source in (str(file), "-"):
        main(["ctl", "snapshot", "delete", "verse"])
        monkeypatch.setattr("sys.stdin", io.StringIO(text))
        assert main(["ctl", "snapshot", "import", source]) == 0
        assert booth.console.book.recallable("verse")[VOCALS] == pytest.approx(-9.0)
    file.write_text("[verse")
    for broken in (str(file), str(tmp_path / "nothing.toml")):
        assert main(["ctl", "snapshot", "import", broken]) != 0
    file.write_text("".join(f'["s{number}"]\n' for number in range(MAX_SNAPSHOTS)))
    assert main(["ctl", "snapshot", "import", str(file)]) != 0
    said = capsys.readouterr().err
    for words in ("not TOML", "cannot be read", "Delete some first"):
        assert words in said
    assert booth.console.book.names == ["verse"]


def test_everything_else_is_asked_and_answered(booth: Booth, capsys: Said) -> None:
    assert main(["ctl", "--json"]) == 0
    assert set(json.loads(capsys.readouterr().out)) == set(PARAMS)
    assert main(["ctl", "status", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["model"].startswith("passthrough")
    booth.params.set("stem.vocals.solo", 1)
    assert main(["ctl", "solo", "drums"]) == 0
    assert [booth.params.get(f"stem.{stem}.solo") for stem in STEMS] == [0, 1, 0, 0]
    booth.engine.segment.header[at.CLIPPED] = 0b100
    assert main(["ctl", "clear"]) == 0
    assert booth.engine.segment.header[at.CLIPPED] == 0
    assert main(["ctl", "record", "on"]) == 0
    assert booth.console.recorder.recording
    assert main(["ctl", "record", "off"]) == 0
    assert not booth.console.recorder.recording


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["sett"], 'Did you mean "set"'),
        (["set", VOCALS], "pairs"),
        (["set", VOCALS, "on"], '"on" is not a number; off is silence'),
        (["set", "stem.vocals.mute", "loud"], "use on or off"),
        (["get", "stem.vocal.gain_db"], f'Did you mean "{VOCALS}"'),
        (["record", "perhaps"], "on or off"),
        (["snapshot", "recal", "verse"], 'Did you mean "recall"'),
        (["snapshot", "store"], "rtsep ctl snapshot store NAME"),
    ],
)
def test_what_is_mistyped_is_a_sentence(booth: Booth, capsys: Said, words: list[str], hint: str) -> None:
    assert main(["ctl", *words]) != 0
    assert hint in capsys.readouterr().err


def test_without_an_engine_it_is_said_how_to_start_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Said) -> None:
    monkeypatch.setenv("RTSEP_HOME", str(tmp_path))
    assert main(["ctl"]) != 0
    assert "rtsep run" in capsys.readouterr().err


@pytest.mark.jack
@pytest.mark.skipif(not shutil.which("jackd"), reason="needs the Debian package jackd2")
def test_midi_ports_are_listed_by_the_name_that_a_rig_uses(jack_server: StartServer, capsys: Said) -> None:
    import rtmidi

    jack_server()
    keyboard = rtmidi.MidiOut(rtmidi.API_UNIX_JACK, name="keyboard")
    keyboard.open_virtual_port("keys")
    try:
        assert main(["midi", "ports", "--json"]) == 0
        assert {"api": "JACK", "name": "keyboard:keys"} in json.loads(capsys.readouterr().out)
        assert main(["midi"]) == 0
        assert "JACK       keyboard:keys" in capsys.readouterr().out
    finally:
        keyboard.delete()
