"""The segment in C++ and the segment in Python are one, and only its owner's processes of the same version can open it."""

from __future__ import annotations

import ctypes
import os
import re
import stat
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from rtsep.errors import DeviceError
from rtsep.io import bridge as meeting
from rtsep.realtime import layout as at
from rtsep.realtime.segment import Segment
from tests.plugin.clap_host import ClapPlugin
from tests.plugin.conftest import Bridge

PLUGIN = Path(__file__).parents[2] / "rtsep" / "plugin"
HEADER = (PLUGIN / "rtsep_segment.h").read_text()

Until = Callable[..., None]
NOBODY = 65534
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to another user")


def constants() -> dict[str, int]:
    return {name: int(value, 0) for name, value in re.findall(r"constexpr int64_t (\w+) = (\w+);", HEADER)}


def test_every_word_of_the_header_means_the_same_in_python() -> None:
    theirs = constants()
    assert len(theirs) > 50
    assert theirs == {name: getattr(at, name) for name in theirs}


def test_every_word_of_the_talk_is_in_the_header() -> None:
    talk = {name for name in vars(at) if name.startswith(("HOST_", "BRIDGE_", "LAYOUT_", "MESSAGE", "PLUGIN_"))}
    assert len(talk) > 15
    assert talk <= constants().keys()


def test_rows_lie_at_the_same_offsets_and_the_size_is_the_same(tmp_path: Path) -> None:
    source = tmp_path / "offsets.cpp"
    source.write_text(
        '#include "rtsep_segment.h"\nextern "C" { size_t offsets[] = {rtsep::TAGS_OFFSET, rtsep::PARAMS_OFFSET,'
        " rtsep::METERS_OFFSET, rtsep::SOURCE_OFFSET, rtsep::STEMS_OFFSET, rtsep::SEGMENT_BYTES}; }\n"
    )
    library = tmp_path / "offsets.so"
    subprocess.run(["g++", "-shared", "-fPIC", "-I", PLUGIN, source, "-o", library], check=True)
    theirs = list((ctypes.c_size_t * 6).in_dll(ctypes.CDLL(str(library)), "offsets"))
    segment = Segment.create(rate=44100, hop=512, model_latency=0, latency=0, stems=(), capacity=at.PLUGIN_CAPACITY)
    start = segment.header.ctypes.data
    rows = (segment.tags, segment.params, segment.meters, segment.source, segment.stems)
    assert theirs == [row.ctypes.data - start for row in rows] + [os.fstat(segment.descriptor).st_size]
    segment.close()


@pytest.fixture
def instance(plugins: Path, place: Path) -> Iterator[Path]:
    """The file of a plug-in that lives."""
    plugin = ClapPlugin(plugins / "rtsep-stems.clap")
    plugin.activate(44100, 256)
    [path] = meeting.instances(place)
    yield path
    plugin.deactivate()
    plugin.destroy()
    assert meeting.instances(place) == []


def test_a_plug_in_makes_a_file_that_only_its_user_can_open(instance: Path) -> None:
    info = instance.stat()
    assert stat.S_IMODE(info.st_mode) == 0o600
    assert info.st_uid == os.geteuid()
    segment = meeting.open_instance(instance)
    assert not meeting.abandoned(segment.descriptor)
    segment.close()


def test_a_file_that_others_can_read_is_not_opened(instance: Path) -> None:
    instance.chmod(0o644)
    with pytest.raises(DeviceError, match="0600"):
        meeting.open_instance(instance)


@needs_root
def test_a_file_of_another_user_is_not_opened(instance: Path) -> None:
    os.chown(instance, NOBODY, -1)
    with pytest.raises(DeviceError, match="not made by this user's own plug-in"):
        meeting.open_instance(instance)
    os.chown(instance, os.geteuid(), -1)


@pytest.mark.parametrize(
    ("word", "value", "says"),
    [(at.MAGIC_WORD, at.MAGIC + 1, "is not a segment of rtsep"), (at.CAPACITY, 2 * at.PLUGIN_CAPACITY, "rings of 524288 frames")],
)
def test_a_file_that_is_something_else_is_not_opened(instance: Path, word: int, value: int, says: str) -> None:
    words = np.memmap(instance, np.int64, "r+", shape=(at.HEADER_WORDS,))
    words[word] = value
    with pytest.raises(DeviceError, match=says):
        meeting.open_instance(instance)


def test_a_file_that_is_too_short_is_not_opened_and_the_bridge_lives_on(place: Path, bridge: Bridge, until: Until) -> None:
    """Mapping it would raise, and touching what is missing would end the process."""
    words = np.zeros(at.HEADER_WORDS, np.int64)
    words[[at.MAGIC_WORD, at.VERSION_WORD, at.CAPACITY]] = at.MAGIC, at.VERSION, at.PLUGIN_CAPACITY
    short = place / "1-0.segment.new"
    short.touch(0o600)
    short.write_bytes(words.tobytes())
    short.rename(place / "1-0.segment")
    until(lambda: "has 4096 bytes" in bridge.said)
    lock = meeting.take_place(place)
    assert lock is None  # it still has the place


def test_a_link_is_not_followed(instance: Path) -> None:
    link = instance.with_name("link.segment")
    link.symlink_to(instance)
    with pytest.raises(DeviceError, match="cannot be opened"):
        meeting.open_instance(link)
    link.unlink()


def test_another_version_is_refused_and_the_plug_in_is_told(instance: Path) -> None:
    words = np.memmap(instance, np.int64, "r+", shape=(at.HEADER_WORDS,))
    words[at.VERSION_WORD] = at.VERSION + 1
    says = f"version {at.VERSION + 1} .* version {at.VERSION}.*tools/build_plugin"
    with pytest.raises(meeting.VersionMismatchError, match=says):
        meeting.open_instance(instance)
    assert words[at.BRIDGE_VERSION] == at.VERSION
    assert words[at.BRIDGE_STATE] == at.BRIDGE_REFUSED


def test_a_plug_in_that_was_refused_says_why_in_its_state(plugins: Path, place: Path) -> None:
    plugin = ClapPlugin(plugins / "rtsep-stems.clap")
    plugin.activate(44100, 256)
    words = np.memmap(meeting.instances(place)[0], np.int64, "r+", shape=(at.HEADER_WORDS,))
    words[at.BRIDGE_VERSION] = at.VERSION + 7
    assert f"version {at.VERSION + 7} of the segment and this plug-in version {at.VERSION}: build".encode() in plugin.save()
    plugin.deactivate()
    plugin.destroy()


@pytest.fixture
def newer_bridge(place: Path) -> Iterator[Bridge]:
    """The real one with another number."""
    newer = "import sys, rtsep.realtime.layout as at; at.VERSION += 1; from rtsep.cli import main; sys.exit(main(sys.argv[1:]))"
    running = Bridge(place, "--model", "passthrough", program=("-c", newer))
    yield running
    assert running.stop() == 0


def test_an_engine_of_another_version_refuses_the_plug_in_and_both_say_so(plugins: Path, newer_bridge: Bridge) -> None:
    plugin = ClapPlugin(plugins / "rtsep-stems.clap")
    plugin.activate(44100, 256)
    sound = np.full((2, 256), 0.5, np.float32)
    heard = np.concatenate([plugin.process(sound) for _ in range(40)], axis=1)
    np.testing.assert_array_equal(heard[:2, plugin.latency :], 0.5)
    assert plugin["Engine"] == at.BRIDGE_REFUSED
    ours, theirs = at.VERSION, at.VERSION + 1
    assert f"The engine speaks version {theirs} of the segment and this plug-in version {ours}: build".encode() in plugin.save()
    refusal = f"(process {os.getpid()}) speaks version {ours} of the segment, this engine version {theirs}. Build"
    assert refusal in " ".join(newer_bridge.said.split())
    plugin.deactivate()
    plugin.destroy()


def spoil(place: Path, how: str) -> None:
    """Make the meeting place one that is not this user's alone."""
    if how == "open":
        place.chmod(0o755)
    elif how == "linked":
        place.rename(place.with_name("elsewhere"))
        place.symlink_to(place.with_name("elsewhere"))
    else:
        os.chown(place, NOBODY, -1)


SPOILED = pytest.mark.parametrize("how", ["open", "linked", pytest.param("of another user", marks=needs_root)])


@SPOILED
def test_the_engine_uses_no_place_that_is_not_its_users_alone(place: Path, how: str) -> None:
    spoil(place, how)
    with pytest.raises(DeviceError, match="0700"):
        meeting.meeting_place()


@SPOILED
def test_a_plug_in_uses_no_place_that_is_not_its_users_alone(plugins: Path, place: Path, how: str) -> None:
    """Without memory it cannot delay: the input passes through, and no latency is reported."""
    spoil(place, how)
    plugin = ClapPlugin(plugins / "rtsep-stems.clap")
    plugin.activate(44100, 256)
    assert meeting.instances(place) == []
    assert b"does not belong to this user alone" in plugin.save()
    assert plugin["Engine"] == at.BRIDGE_FAILED
    sound = np.full((2, 256), 0.5, np.float32)
    plugin.reset()
    assert (plugin.latency, plugin.process(sound)[:2].tolist()) == (0, sound.tolist())
    plugin.deactivate()
    plugin.destroy()


def test_a_plug_in_does_not_write_through_what_lies_at_its_files_name(plugins: Path, place: Path) -> None:
    victim = place.with_name("victim")
    victim.write_text("mine")
    trap = place / f"{os.getpid()}-0.segment.new"
    trap.symlink_to(victim)
    plugin = ClapPlugin(plugins / "rtsep-stems.clap")
    plugin.activate(44100, 256)
    assert [path.name for path in meeting.instances(place)] == [f"{os.getpid()}-1.segment"]
    assert victim.read_text() == "mine"
    plugin.deactivate()
    plugin.destroy()


def test_there_is_one_bridge(place: Path) -> None:
    first = meeting.take_place(place)
    assert first is not None
    assert meeting.take_place(place) is None
    os.close(first)
    second = meeting.take_place(place)
    assert second is not None
    os.close(second)
