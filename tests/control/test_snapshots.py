"""Snapshots, morphs, the last state, and the console that does what is asked, on an engine that stands still."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import stat
import threading
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from rtsep.config import GroupsTable, GroupTable, MidiTable, Rig, SnapshotsTable
from rtsep.control import commands as ask
from rtsep.control.client import ControlClient, NotRunningError
from rtsep.control.console import Console
from rtsep.control.learn import ENOUGH
from rtsep.control.local_socket import ControlServer
from rtsep.control.morph import Morph, between
from rtsep.control.params import PARAMS, RECORD
from rtsep.control.saved_state import read_or_warn, write_whole
from rtsep.control.snapshots import MAX_SNAPSHOTS, SnapshotBook, to_toml
from rtsep.control.stage import resume_faders, set_faders
from rtsep.engine.session import Engine, StreamFormat
from rtsep.errors import RtsepError, UsageError
from rtsep.realtime.midi import receive
from tests.control.test_midi_messages import bind

VOCALS = "stem.vocals.gain_db"
MIDI = MidiTable(bind=(bind("snapshot.bridge", "program", 4), bind("snapshot.verse", "program", 3)))
RIG = Rig(midi=MIDI, snapshots=SnapshotsTable(safe=("master.*",), morph=("verse", "chorus")))


class Booth:
    def __init__(self, folder: Path) -> None:
        self.told: list[str] = []
        self.engine = Engine(StreamFormat(48_000, 256), model="passthrough")
        self.console = Console(self.engine, RIG, state=folder, tell=self.told.append)
        self.params = self.console.params

    def do(self, command: ask.Command) -> ask.Answer:
        answer = self.console.execute(command)
        assert answer.ok, answer.error
        return answer


@pytest.fixture
def booth(tmp_path: Path) -> Iterator[Booth]:
    made = Booth(tmp_path)
    yield made
    made.engine.stop()


def test_a_recall_brings_everything_back_but_what_is_safe(booth: Booth) -> None:
    for name, value in ((VOCALS, -6.0), ("stem.drums.mute", 1.0), ("master.gain_db", -3.0), ("midi.layer", 2.0)):
        booth.params.set(name, value)
    booth.do(ask.SnapshotStore("verse"))
    for name in (VOCALS, "stem.drums.mute", "master.gain_db", "midi.layer"):
        booth.params.set(name, 0.0)
    booth.do(ask.SnapshotRecall("verse"))
    assert booth.params.get(VOCALS) == pytest.approx(-6.0)
    assert booth.params.get("stem.drums.mute") == 1.0
    assert booth.params.get("master.gain_db") == 0.0, "safe by the rig"
    assert booth.params.get("midi.layer") == 0.0, "always safe"


def test_snapshots_outlive_the_engine_and_travel_as_toml(booth: Booth, tmp_path: Path) -> None:
    booth.params.set(VOCALS, -6.0)
    booth.do(ask.SnapshotStore("verse 1"))
    text = booth.do(ask.SnapshotExport()).data
    elsewhere = SnapshotBook(tmp_path / "elsewhere.toml", warn=booth.told.append)

    assert elsewhere.take_in(tomllib.loads(text)) == ["verse 1"]
    again = SnapshotBook(tmp_path / "elsewhere.toml", warn=booth.told.append)
    assert again.recallable("verse 1")[VOCALS] == pytest.approx(-6.0)
    assert SnapshotBook(tmp_path / "snapshots.toml", warn=booth.told.append).names == ["verse 1"]


@pytest.mark.parametrize("name", ["", "../up", "a/b", "x" * 41, "morph", 'quo"te', "new\nline"])
def test_a_snapshot_has_a_name_that_can_be_written_anywhere(booth: Booth, name: str) -> None:
    assert "cannot name a snapshot" in booth.console.execute(ask.SnapshotStore(name)).error


def test_the_book_does_not_grow_without_end(booth: Booth) -> None:
    tables = {f"s{i}": {VOCALS: 0.0} for i in range(MAX_SNAPSHOTS)}
    booth.console.book.take_in(tables)
    with pytest.raises(UsageError, match="all there can be"):
        booth.console.book.store("one more", booth.params)
    booth.console.book.store("s0", booth.params)


def test_what_a_file_holds_that_is_no_parameter_is_skipped_with_a_warning(tmp_path: Path) -> None:
    told: list[str] = []
    file = tmp_path / "book.toml"
    file.write_text('[good]\n"stem.vocals.gain_db" = 99.0\n"stem.vocals.mute" = "yes"\n"stem.tuba.gain_db" = 1.0\n["../x"]\n')
    book = SnapshotBook(file, warn=told.append)
    assert book.recallable("good") == {VOCALS: 12.0}
    assert len(told) == 3


@pytest.mark.parametrize("content", [b"[verse", b"\xff\xfe", b"", b"verse = 1"])
def test_a_broken_file_is_ignored_with_a_warning_and_not_destroyed(tmp_path: Path, content: bytes) -> None:
    told: list[str] = []
    file = tmp_path / "book.toml"
    file.write_bytes(content)
    assert SnapshotBook(file, warn=told.append).names == (["verse"] if content == b"verse = 1" else [])
    assert file.read_bytes() == content
    assert bool(told) == content.startswith((b"[", b"\xff"))


def test_a_file_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    file = tmp_path / "state.toml"
    write_whole(file, "a = 1\n")

    with pytest.raises(UnicodeEncodeError):
        write_whole(file, "b = \ud800")
    assert read_or_warn(file, print) == {"a": 1}
    assert list(tmp_path.iterdir()) == [file], "no temporary file is left"


def test_a_morph_moves_in_gain_and_arrives_exactly(booth: Booth) -> None:
    booth.params.set(VOCALS, 0.0)
    morph = Morph(booth.params, {VOCALS: -120.0, "stem.bass.mute": 1.0, "stem.bass.pan": 1.0}, 4.0, now_s=10.0)
    assert morph.step(11.0)
    assert booth.params.raw(VOCALS) == pytest.approx(0.75)
    assert booth.params.get("stem.bass.mute") == 0.0
    assert morph.step(12.5)
    assert booth.params.get("stem.bass.mute") == 1.0
    assert not morph.step(14.5)
    assert (booth.params.raw(VOCALS), booth.params.get("stem.bass.pan")) == (0.0, 1.0)


def test_a_hand_on_a_fader_takes_it_out_of_the_morph(booth: Booth) -> None:
    morph = Morph(booth.params, {VOCALS: -120.0, "stem.bass.pan": 1.0}, 4.0, now_s=0.0)
    morph.step(1.0)
    booth.params.set(VOCALS, -3.0)
    morph.step(5.0)
    assert booth.params.get(VOCALS) == pytest.approx(-3.0)
    assert booth.params.get("stem.bass.pan") == 1.0


def test_the_morph_fader_moves_between_two_snapshots(booth: Booth) -> None:
    booth.do(ask.SnapshotStore("verse"))
    booth.params.set("stem.bass.pan", 1.0)
    booth.do(ask.SnapshotStore("chorus"))
    for share in (0.25, 1.0, 0.0):
        booth.params.set("snapshot.morph", share)
        booth.console.tick()
        assert booth.params.get("stem.bass.pan") == pytest.approx(share)


def test_between_leaves_out_what_only_one_side_names() -> None:
    assert between({VOCALS: 0.0, "stem.bass.pan": 0.0}, {VOCALS: -120.0}, 0.5) == {VOCALS: 0.5}


def test_the_last_state_is_kept_and_resumed(booth: Booth, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RTSEP_HOME", str(tmp_path))
    booth.params.set(VOCALS, -4.5)
    booth.params.set("stem.bass.solo", 1.0)
    booth.console.save_state()
    (tmp_path / "state").mkdir(exist_ok=True)
    (tmp_path / "last.toml").rename(tmp_path / "state" / "last.toml")
    booth.params.set(VOCALS, 0.0)
    resume_faders(booth.params, booth.told.append)
    assert booth.params.get(VOCALS) == pytest.approx(-4.5)
    (tmp_path / "state" / "last.toml").write_bytes(b"[last\n\0")
    resume_faders(booth.params, booth.told.append)
    assert "ignored" in booth.told[-1]


def test_a_full_disk_is_told_and_nothing_more(booth: Booth, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    booth.params.set(VOCALS, -1.0)
    booth.console.save_state()
    assert "No space left" in booth.told[-1]
    booth.do(ask.SnapshotStore("verse"))
    assert "last until the end only" in booth.told[-1]


def test_a_disk_that_takes_its_time_holds_nobody_up(booth: Booth, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, done, flush = threading.Event(), threading.Event(), os.fsync

    def slow(descriptor: int) -> None:
        begun.set()
        assert done.wait(60)
        flush(descriptor)

    monkeypatch.setattr(os, "fsync", slow)
    booth.params.set(VOCALS, -1.0)
    booth.console.tick()  # the first save is due at once
    assert begun.wait(60)
    booth.do(ask.Status())
    booth.console.tick()
    assert not (tmp_path / "last.toml").exists()
    done.set()
    booth.params.set(VOCALS, -2.0)
    booth.console.save_state()
    assert tomllib.loads((tmp_path / "last.toml").read_text())["last"][VOCALS] == pytest.approx(-2.0)


def test_every_wish_has_an_answer(booth: Booth) -> None:
    assert booth.do(ask.Set(VOCALS, -6.0)).data == pytest.approx(-6.0)
    assert set(booth.do(ask.Get()).data) == set(PARAMS)
    assert booth.do(ask.Describe()).data["stems"] == ["vocals", "drums", "bass", "other"]
    assert booth.do(ask.Status()).data["state"]
    assert 'Did you mean "stem.vocals.gain_db"' in booth.console.execute(ask.Set("stem.vocal.gain_db", 0.0)).error
    assert "Stems: vocals" in booth.console.execute(ask.SoloOnly("tuba")).error
    assert msgspec.json.encode(booth.do(ask.Status()))


def test_the_local_socket_is_for_this_user_only_and_asks_the_engine(booth: Booth, tmp_path: Path) -> None:
    door = ControlServer(booth.console, tmp_path / "run" / "control.sock")
    assert door.start()
    assert stat.S_IMODE(door.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(door.path.parent.stat().st_mode) == 0o700
    with ControlClient(door.path) as client:
        client.ask(ask.Set(VOCALS, -9.0))
        assert client.ask(ask.Get(VOCALS)) == pytest.approx(-9.0)
        with pytest.raises(RtsepError, match="There is no snapshot"):
            client.ask(ask.SnapshotRecall("nothing"))
    assert not ControlServer(booth.console, door.path).start(), "the first engine keeps its door"
    door.stop()
    with pytest.raises(NotRunningError, match="rtsep run"):
        ControlClient(door.path)


def test_a_socket_left_by_a_crash_is_replaced_and_a_rambling_guest_shown_out(booth: Booth, tmp_path: Path) -> None:

    path = tmp_path / "control.sock"
    with socket.socket(socket.AF_UNIX) as crashed:
        crashed.bind(str(path))
    door = ControlServer(booth.console, path)
    assert door.start()
    with socket.socket(socket.AF_UNIX) as guest:
        guest.settimeout(10)
        guest.connect(str(path))
        guest.sendall(b"not json\n")
        assert b"Not a request" in guest.recv(4096)
        guest.sendall(b"x" * (ask.MAX_LINE + 10))
        with contextlib.suppress(ConnectionResetError):
            assert guest.recv(10) == b""
    door.stop()


def test_a_program_change_recalls_a_snapshot(booth: Booth) -> None:
    booth.params.set(VOCALS, -6.0)
    booth.do(ask.SnapshotStore("verse"))
    booth.params.set(VOCALS, 0.0)
    receive(booth.engine.context.words, 0xC0, 3, 0)
    receive(booth.engine.context.words, 0xC0, 4, 0)
    booth.console.tick()
    assert booth.params.get(VOCALS) == pytest.approx(-6.0)
    assert 'There is no snapshot "bridge"' in booth.told[-1]


def test_a_controller_can_be_learned_while_the_engine_runs(booth: Booth) -> None:
    booth.do(ask.LearnStart("stem.bass.mute"))
    for _ in range(ENOUGH // 2):
        receive(booth.engine.context.words, 0xB0, 50, 127)
        receive(booth.engine.context.words, 0xB0, 50, 0)
    booth.console.tick()
    assert booth.do(ask.LearnState()).data == {"parameter": "", "learned": "stem.bass.mute: button"}
    receive(booth.engine.context.words, 0xB0, 50, 127)
    assert booth.params.get("stem.bass.mute") == 1.0


def test_what_belongs_to_effects_of_another_rig_is_kept_for_that_rig(booth: Booth, tmp_path: Path) -> None:
    file = tmp_path / "book.toml"
    others = {"fx.vocals.hall.wet": 0.25, "fx.vocals.hall.state": 'QUJD"\n', "fx.vocals.hall.bypass": 0}
    file.write_text(to_toml({"verse": {VOCALS: -6.0, **others}}))
    book = SnapshotBook(file, safe=("fx.drums.*",), warn=booth.told.append)
    book.store("chorus", booth.params, {"fx.vocals.comp.state": "QUI=", "fx.drums.comp.state": "QUI="})
    again = SnapshotBook(file, safe=("fx.drums.*",), warn=booth.told.append)
    assert tomllib.loads(again.export())["verse"] == {VOCALS: -6.0, **others}
    assert again.recallable("verse") == {VOCALS: -6.0}
    assert again.states("chorus") == {"fx.vocals.comp.state": "QUI="}, "the drums are safe"
    assert booth.told == []


def test_recording_is_a_switch_that_a_recall_and_a_resume_leave_alone(booth: Booth, tmp_path: Path) -> None:
    booth.params.set(RECORD, 1.0)  # by MIDI, OSC, the page: whoever
    booth.console.tick()
    assert booth.console.recorder.recording
    booth.do(ask.SnapshotStore("verse"))
    booth.console.save_state()
    assert RECORD not in (tmp_path / "last.toml").read_text()
    booth.params.set(RECORD, 0.0)
    booth.console.tick()
    assert not booth.console.recorder.recording
    booth.do(ask.SnapshotRecall("verse"))
    assert booth.params.get(RECORD) == 0.0


def test_a_recording_that_cannot_begin_or_ends_by_itself_switches_itself_off(booth: Booth, tmp_path: Path) -> None:
    (tmp_path / "recordings").write_text("in the way")
    booth.params.set(RECORD, 1.0)
    booth.console.tick()
    assert booth.params.get(RECORD) == 0.0
    assert "recordings" in booth.told[-1]
    assert not booth.console.execute(ask.Record(True)).ok
    (tmp_path / "recordings").unlink()
    booth.do(ask.Record(True))
    pid = booth.console.recorder.pid
    assert pid
    os.kill(pid, signal.SIGKILL)
    until = time.monotonic() + 20
    while booth.params.get(RECORD):
        assert time.monotonic() < until
        booth.console.tick()
        time.sleep(0.02)
    assert not booth.do(ask.Status()).data["recording"]


def test_groups_have_names_and_begin_where_the_rig_says(booth: Booth) -> None:
    named = Rig(groups=GroupsTable(a=GroupTable(name="Band", gain_db=-3.0), b=GroupTable(mute=True)))
    set_faders(named, booth.params)
    assert booth.params.get("group.a.gain_db") == pytest.approx(-3.0)
    assert booth.params.get("group.b.mute") == 1.0
    assert booth.do(ask.Describe()).data["groups"] == [{"key": "a", "name": "Group A"}, {"key": "b", "name": "Group B"}]
