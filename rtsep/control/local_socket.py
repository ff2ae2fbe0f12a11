"""The door through which other programs of the same user reach a running engine.

It is a Unix socket with mode 0600 in a folder with mode 0700: a line of JSON in, a line of JSON out (`rtsep.control.commands`).
The first engine keeps the door; a socket file that nobody answers on is left over from a crash and is replaced. A client that
sends a longer line than `MAX_LINE`, or comes when `MAX_CLIENTS` are there, is shown out.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from pathlib import Path

import msgspec

from rtsep.control.commands import MAX_LINE
from rtsep.control.console import Console

MAX_CLIENTS = 16
_TIMEOUT_S = 5.0


class ControlServer:
    """Answers on a socket from threads of its own."""

    def __init__(self, console: Console, path: Path) -> None:
        self.path = path
        self._console = console
        self._socket: socket.socket | None = None
        self._clients: set[socket.socket] = set()
        self._stopping = False

    def start(self) -> bool:
        """Open the door; False if another engine answers there already.

        Raises:
            OSError: the folder cannot be made or the socket not be bound.
        """
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if _answers(self.path):
            return False
        self.path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX)
        mask = os.umask(0o177)
        try:
            listener.bind(str(self.path))
        finally:
            os.umask(mask)
        listener.listen(MAX_CLIENTS)
        self._socket = listener
        threading.Thread(target=self._accept, args=(listener,), name="rtsep-door", daemon=True).start()
        return True

    def _accept(self, listener: socket.socket) -> None:
        while not self._stopping:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            if len(self._clients) >= MAX_CLIENTS:
                client.close()
                continue
            self._clients.add(client)
            threading.Thread(target=self._serve, args=(client,), name="rtsep-guest", daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError), client, client.makefile("rb") as lines:
            while line := lines.readline(MAX_LINE + 1):
                if len(line) > MAX_LINE:
                    break
                client.sendall(msgspec.json.encode(self._console.execute_line(line)) + b"\n")
        self._clients.discard(client)

    def stop(self) -> None:
        """Close the door and show everybody out."""
        self._stopping = True
        if self._socket:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)
            self._socket.close()
            self.path.unlink(missing_ok=True)
        for client in list(self._clients):
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)


def _answers(path: Path) -> bool:
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(_TIMEOUT_S)
        probe.connect(str(path))
        return True
    return False
