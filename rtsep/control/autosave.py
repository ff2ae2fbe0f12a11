"""Keeps where everything stands, so that the next performance can begin there (`rtsep run --resume`) and a killed engine go on.

The file is replaced as a whole a few seconds after something has moved. A busy disk takes seconds for that, and whoever waits for
it answers nobody meanwhile: so writing has a thread of its own, and a save that is due while one is under way comes later.
Control threads only.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from rtsep.control.saved_state import write_whole
from rtsep.control.snapshots import to_toml

EVERY_S = 5.0
LAST = "last"
"""Name of the table in the file."""

State = Mapping[str, float | str]


class Autosave:
    """The file of the last state; a disk that is full is told once per attempt and no more."""

    def __init__(self, file: Path, *, tell: Callable[[str], None]) -> None:
        """The first save is due at once: an engine that dies early shall not come back with the faders of last week."""
        self._file, self._tell = file, tell
        self._due_s = time.monotonic()
        self._saved: State = {}
        self._writer: threading.Thread | None = None

    def look(self, state: Callable[[], State]) -> None:
        """Begin to save if it is time to. Returns at once."""
        if time.monotonic() < self._due_s or (self._writer and self._writer.is_alive()):
            return
        self._due_s = time.monotonic() + EVERY_S
        now = state()
        if now != self._saved:
            self._writer = threading.Thread(target=self._write, args=(now,), name="rtsep-autosave", daemon=True)
            self._writer.start()

    def save(self, state: State) -> None:
        """Save what has moved; returns when it is on the disk."""
        if self._writer:
            self._writer.join()
        if state != self._saved:
            self._write(state)

    def _write(self, state: State) -> None:
        self._saved = state
        try:
            write_whole(self._file, to_toml({LAST: state}))
        except OSError as error:
            self._tell(f"The state cannot be saved: {error}.")
