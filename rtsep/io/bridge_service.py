"""The bridge: looks for plug-in instances, serves each in a session of its own, and forgets those whose DAW has gone."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

from rtsep.config import Rig
from rtsep.errors import DeviceError, RtsepError
from rtsep.io.bridge import abandoned, instances, meeting_place, open_instance, take_place
from rtsep.io.bridge_session import PluginSession

POLL_S = 0.04
IDLE_S = 30.0
"""A bridge that a plug-in has started ends this long after the last plug-in has gone."""

_UNBORN_S = 10.0  # a plug-in takes milliseconds to lock and name its file


class BridgeService:
    """All instances of one user. One control thread, except `stop`."""

    def __init__(self, rig: Rig, say: Callable[[str], None]) -> None:
        """Become the bridge of this user.

        Args:
            rig: model and tier for plug-ins that ask for none, and effects on stems.
            say: called with a sentence whenever something happens.

        Raises:
            DeviceError: there is no safe meeting place, or another bridge runs.
        """
        self.place = meeting_place()
        self.sessions: dict[Path, PluginSession] = {}
        self._rig = rig
        self._say = say
        self._refused: set[tuple[Path, int]] = set()
        self._stop = threading.Event()
        lock = take_place(self.place)
        if lock is None:
            raise DeviceError("A bridge runs already and serves every plug-in of this user.")
        self._lock = lock

    def stop(self) -> None:
        """Have `serve` return. Any thread."""
        self._stop.set()

    def serve(self, *, idle_s: float | None = None) -> None:
        """Serve until stopped, or until there was no plug-in for `idle_s` seconds."""
        busy = time.monotonic()
        try:
            while not self._stop.wait(POLL_S):
                self.poll()
                if self.sessions:
                    busy = time.monotonic()
                elif idle_s is not None and time.monotonic() - busy > idle_s:
                    return
        finally:
            for session in self.sessions.values():
                session.close()
            self.sessions.clear()
            os.close(self._lock)

    def poll(self) -> None:
        """Look once: new instances in, dead ones out, every session served."""
        for path in instances(self.place):
            if path not in self.sessions:
                self._welcome(path)
        for path, session in list(self.sessions.items()):
            if abandoned(session.segment.descriptor):
                del self.sessions[path]
                session.close()
                path.unlink(missing_ok=True)
                self._say(f"The plug-in of process {session.host} has gone.")
            else:
                session.poll()
        for unborn in self.place.glob("*.segment.new"):
            self._remove_unborn(unborn)

    def _welcome(self, path: Path) -> None:
        try:
            key = (path, path.stat().st_ino)
        except FileNotFoundError:
            return
        if key in self._refused:
            return
        try:
            segment = open_instance(path)
        except RtsepError as error:
            self._refused.add(key)
            self._say(str(error))
            return
        self.sessions[path] = PluginSession(segment, self._rig, self._say)
        self._say(f"A plug-in of process {self.sessions[path].host} has come.")

    def _remove_unborn(self, path: Path) -> None:
        """Remove the file of a DAW that ended while it made it."""
        try:
            if time.time() - path.stat().st_mtime > _UNBORN_S:
                path.unlink()
        except FileNotFoundError:
            return
