"""How another program of the same user talks to a running engine (`rtsep.control.local_socket`). Loads nothing heavy."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

import msgspec

from rtsep import paths
from rtsep.control.commands import Answer, Command
from rtsep.errors import RtsepError

_TIMEOUT_S = 5.0


class NotRunningError(RtsepError):
    """There is no engine to talk to."""


def default_path() -> Path:
    """Where the door is: in the session's runtime folder, else with the user's state."""
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    home = os.environ.get("RTSEP_HOME")
    folder = Path(home) / "run" if home else Path(runtime) / "rtsep" if runtime else paths.state() / "run"
    return folder / "control.sock"


class ControlClient:
    """Talks to a running engine; a context manager."""

    def __init__(self, path: Path | None = None) -> None:
        """Connect.

        Raises:
            NotRunningError: no engine answers.
        """
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(_TIMEOUT_S)
        try:
            self._socket.connect(str(path or default_path()))
        except OSError as error:
            self._socket.close()
            raise NotRunningError("No engine is running that could be controlled. Start one: rtsep run") from error
        self._lines = self._socket.makefile("rb")

    def ask(self, command: Command) -> Any:
        """Send one command and return its data.

        Raises:
            RtsepError: the engine said no; the text is its sentence.
            NotRunningError: it has gone away.
        """
        try:
            self._socket.sendall(msgspec.json.encode(command) + b"\n")
            line = self._lines.readline()
        except OSError as error:
            raise NotRunningError("The engine does not answer any more.") from error
        if not line:
            raise NotRunningError("The engine has ended.")
        answer = msgspec.json.decode(line, type=Answer)
        if not answer.ok:
            raise RtsepError(answer.error)
        return answer.data

    def close(self) -> None:
        """Hang up."""
        self._lines.close()
        self._socket.close()

    def __enter__(self) -> ControlClient:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()
