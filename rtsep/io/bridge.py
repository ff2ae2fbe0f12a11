"""Where DAW plug-ins and the engine meet: one folder of the user's own, one file per plug-in instance.

The plug-in makes the file and holds a lock on it while it lives (`rtsep/plugin/SharedSegment.hpp` has the rules; this module is
their other side). A file whose lock is free belongs to a DAW that ended without goodbye and is removed. Before a file is mapped
its owner, mode, magic, version and size are checked: only what this user's own processes made is opened.

Control threads only.
"""

from __future__ import annotations

import fcntl
import os
import stat
from pathlib import Path

import numpy as np

from rtsep.errors import DeviceError
from rtsep.realtime import layout as at
from rtsep.realtime.segment import Segment, bytes_of

_HEADER_BYTES = 8 * at.HEADER_WORDS


class VersionMismatchError(DeviceError):
    """Plug-in and engine come from different versions of rtsep."""


def meeting_place() -> Path:
    """Return the folder where instances are found, made if need be.

    It is `RTSEP_BRIDGE_DIR`, else /run/user/UID/rtsep where the system has made /run/user/UID, else /dev/shm/rtsep-UID.

    Raises:
        DeviceError: it cannot be made or is not this user's alone.
    """
    user = os.geteuid()
    session = Path(f"/run/user/{user}")
    if chosen := os.environ.get("RTSEP_BRIDGE_DIR"):
        place = Path(chosen)
    elif session.is_dir() and session.stat().st_uid == user:
        place = session / "rtsep"
    else:
        memory = Path("/dev/shm")  # noqa: S108  made with mode 0700 and checked below
        place = (memory if os.access(memory, os.W_OK) else Path("/tmp")) / f"rtsep-{user}"  # noqa: S108
    try:
        place.mkdir(mode=0o700, exist_ok=True)
        info = place.lstat()
    except OSError as error:
        raise DeviceError(f"The folder where plug-ins meet the engine cannot be made: {error}.") from error
    if not stat.S_ISDIR(info.st_mode) or info.st_uid != user or info.st_mode & 0o077:
        raise DeviceError(f"{place} does not belong to this user alone. Remove it, or make it yours with mode 0700.")
    return place


def take_place(place: Path) -> int | None:
    """Become the one bridge of this place.

    Returns:
        A descriptor to keep open as long as the bridge runs, or None if another bridge runs.
    """
    lock = os.open(place / "bridge.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    return lock


def instances(place: Path) -> list[Path]:
    """Return the files of plug-in instances, in the order of their names."""
    return sorted(place.glob("*.segment"))


def abandoned(descriptor: int) -> bool:
    """Whether the plug-in that made this file is gone."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    fcntl.flock(descriptor, fcntl.LOCK_UN)
    return True


def open_instance(path: Path) -> Segment:
    """Open a plug-in's segment after checking whose it is and what it speaks.

    Returns:
        The segment; close it when done.

    Raises:
        VersionMismatchError: another version of the segment; the plug-in is told too.
        DeviceError: not a segment of this user, or damaged.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError as error:
        raise DeviceError(f"The plug-in's file {path} cannot be opened: {error}.") from error
    try:
        _check(path, descriptor)
        return Segment(descriptor, at.PLUGIN_CAPACITY)
    except BaseException:
        os.close(descriptor)
        raise


def _check(path: Path, descriptor: int) -> None:
    info = os.fstat(descriptor)
    mine = stat.S_ISREG(info.st_mode) and info.st_uid == os.geteuid() and stat.S_IMODE(info.st_mode) == 0o600
    if not mine or info.st_nlink != 1:
        raise DeviceError(f"{path} was not made by this user's own plug-in (owner, or mode other than 0600) and is not opened.")
    header = np.frombuffer(os.pread(descriptor, _HEADER_BYTES, 0), np.int64)
    if header.size != at.HEADER_WORDS or header[at.MAGIC_WORD] != at.MAGIC:
        raise DeviceError(f"{path} is not a segment of rtsep. Remove it.")
    if header[at.VERSION_WORD] != at.VERSION:
        _put(descriptor, at.BRIDGE_VERSION, at.VERSION)
        _put(descriptor, at.BRIDGE_STATE, at.BRIDGE_REFUSED)
        raise VersionMismatchError(
            f"A plug-in (process {header[at.HOST_PID]}) speaks version {header[at.VERSION_WORD]} of the segment, this engine "
            f"version {at.VERSION}. Build the plug-in anew with tools/build_plugin, then load the project again."
        )
    if header[at.CAPACITY] != at.PLUGIN_CAPACITY or info.st_size != bytes_of(at.PLUGIN_CAPACITY):
        raise DeviceError(
            f"{path} has {info.st_size} bytes for rings of {header[at.CAPACITY]} frames, not {bytes_of(at.PLUGIN_CAPACITY)} for "
            f"{at.PLUGIN_CAPACITY}. Build the plug-in anew."
        )


def _put(descriptor: int, word: int, value: int) -> None:
    os.pwrite(descriptor, value.to_bytes(8, "little", signed=True), 8 * word)
