"""A folder in memory for as long as this process lives: private to the user, and removed even if the process is killed.

A process that ends removes its own. One that is killed cannot, but the system releases its lock on the folder: whoever makes a
new one removes those of this user that nobody holds. Between making a folder and locking it somebody may do just that; then
another one is made.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import os
import shutil
import tempfile
from pathlib import Path

_PREFIX = "rtsep-fx-"


@functools.cache
def room() -> tempfile.TemporaryDirectory[str]:
    """This process's folder; the same at every call. Control threads."""
    memory = Path("/dev/shm")  # noqa: S108  the folder in it is made anew, for this user alone
    place = memory if memory.is_dir() else Path(tempfile.gettempdir())
    _remove_abandoned(place)
    while True:
        made = tempfile.TemporaryDirectory(prefix=_PREFIX, dir=place)
        if _hold(Path(made.name)):
            return made
        made.cleanup()


def _hold(folder: Path) -> bool:
    """Lock a folder until this process ends; False if it was removed before."""
    with contextlib.suppress(FileNotFoundError):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        if folder.is_dir():
            return True
        os.close(descriptor)
    return False


def _remove_abandoned(place: Path) -> None:
    for folder in place.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):  # held by its process, another user's, or gone by now
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.fstat(descriptor).st_uid == os.geteuid():
                    shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(descriptor)
