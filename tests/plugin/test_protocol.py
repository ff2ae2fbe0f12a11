"""The segment in C++ and the segment in Python are one, and only its owner's processes of the same version can open it."""

from __future__ import annotations

import ctypes
import os
import re
import stat
import subprocess
from pathlib import Path

import numpy as np
import pytest

from rtsep.errors import DeviceError
from rtsep.io import bridge as meeting
from rtsep.realtime import layout as at
from rtsep.realtime.segment import Segment
from tests.plugin.clap_host import ClapPlugin

PLUGIN = Path(__file__).parents[2] / "rtsep" / "plugin"
HEADER = (PLUGIN / "rtsep_segment.h").read_text()


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
def instance(plugins: Path, place: Path) -> Path:
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


def test_a_place_that_others_can_enter_is_not_used(place: Path) -> None:
    place.chmod(0o755)
    with pytest.raises(DeviceError, match="0700"):
        meeting.meeting_place()


def test_there_is_one_bridge(place: Path) -> None:
    first = meeting.take_place(place)
    assert first is not None
    assert meeting.take_place(place) is None
    os.close(first)
    second = meeting.take_place(place)
    assert second is not None
    os.close(second)
