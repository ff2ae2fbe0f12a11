"""A JACK server without a sound card that can be killed and started again under the same name."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import time
from typing import ClassVar

import jack

from rtsep.io.jack_client import quiet_stderr

LIMIT_S = 60.0


class RestartingServer:
    """Its clients find it through `JACK_DEFAULT_SERVER=name`."""

    _running: ClassVar[set[RestartingServer]] = set()

    def __init__(self, *, rate: int = 44_100, period: int = 256) -> None:
        self.name = f"rtsep-test-{secrets.token_hex(4)}"
        self.rate, self.period = rate, period
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and return when it answers."""
        self._running.add(self)
        command = ["jackd", "-S", "-r", "-n", self.name, "-d", "dummy", "-r", str(self.rate), "-p", str(self.period)]
        quiet = {"JACK_NO_AUDIO_RESERVATION": "1", "JACK_NO_START_SERVER": "1"}
        until = time.monotonic() + LIMIT_S
        while time.monotonic() < until:
            if self._process is None or self._process.poll() is not None:  # JACK allows eight servers at a time; wait for a place
                self._process = subprocess.Popen(
                    command, env={**os.environ, **quiet}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
                )
            if self._answers():
                return
            time.sleep(0.1)
        self.end()
        raise TimeoutError("jackd does not answer")

    def _answers(self) -> bool:
        """Asked by a process of its own: libjack mixes two servers up if one process has a client of each."""
        asked = subprocess.run(["jack_lsp", "-s", self.name], capture_output=True, check=False)
        return asked.returncode == 0

    def client(self, name: str) -> jack.Client:
        """A client of this server."""
        with quiet_stderr():
            return jack.Client(name, no_start_server=True, servername=self.name)

    def end(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End it, with or without warning to its clients.

        JACK keeps a list of at most eight servers, and one that was killed stays on it until its name is used again: leave the
        last one of a test by SIGTERM.
        """
        self._running.discard(self)
        if self._process:
            self._process.send_signal(how)
            self._process.wait(LIMIT_S)
            self._process = None

    @classmethod
    def end_all(cls) -> None:
        """End what tests that failed half-way have left running: after eight of them no other server starts."""
        for server in tuple(cls._running):
            server.end()
