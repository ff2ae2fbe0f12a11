"""Starts and ends the process of the mixer page. Control threads only."""

from __future__ import annotations

import ipaddress
import secrets
import socket
import subprocess
import sys
from pathlib import Path

import msgspec

from rtsep.control.params import PARAMS
from rtsep.control.web.request import PageRequest
from rtsep.engine.session import Engine
from rtsep.errors import DeviceError

PORT = 8130
_SEND_BUFFER = 32_768  # connections inherit it: what a slow client has not read yet is old


class PageAddress(msgspec.Struct, frozen=True):
    """Where the page is served."""

    listen: str = "127.0.0.1"
    port: int = PORT


class MixerPage:
    """The page of one engine.

    Attributes:
        url: where it is, with the token after the `#` when other machines may connect: what follows `#` is never sent.
    """

    def __init__(self, engine: Engine, *, listen: str = "127.0.0.1", port: int = PORT) -> None:
        """Take a port; the next free one if it is taken, any if it is 0.

        Raises:
            DeviceError: the address is not one of this machine, or no port is free.
        """
        self._engine = engine
        self._token = secrets.token_urlsafe(16)
        self._listener = _bind(listen, port)
        self.port = int(self._listener.getsockname()[1])
        self.anywhere = not _is_loopback(listen)
        name = f"[{listen}]" if ":" in listen else listen
        self.url = f"http://{name}:{self.port}/" + (f"#{self._token}" if self.anywhere else "")
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """Process id, while it runs."""
        return self._process.pid if self._process else None

    def start(self, control: Path) -> None:
        """Start the process; the page answers from now on, as soon as that has loaded.

        Args:
            control: the engine's control socket.
        """
        request = PageRequest(
            descriptor=self._engine.segment.descriptor,
            capacity=self._engine.segment.capacity,
            listener=self._listener.fileno(),
            control=str(control),
            token=self._token,
            params=tuple(PARAMS.values()),
            anywhere=self.anywhere,
        )
        self._process = subprocess.Popen(
            [sys.executable, "-m", "rtsep.control.web.process"],
            stdin=subprocess.PIPE,
            pass_fds=[request.descriptor, request.listener],
            start_new_session=True,
        )
        if self._process.stdin:  # not on the command line, which every user of the machine can read
            self._process.stdin.write(msgspec.json.encode(request) + b"\n")
            self._process.stdin.flush()
        self._listener.close()

    def stop(self) -> None:
        """End the process, by force if it must be."""
        self._listener.close()
        process = self._process
        if process is None:
            return
        if process.stdin:
            process.stdin.close()
        try:
            process.wait(2.0)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self._process = None


def _is_loopback(address: str) -> bool:
    return address == "localhost" or (bool(address) and _address(address).is_loopback)


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    try:
        return ipaddress.ip_address(text)
    except ValueError as error:
        raise DeviceError(f'"{text}" is not an address. Give one in digits, such as 192.168.1.20, or 0.0.0.0 for all.') from error


def _bind(listen: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in listen else socket.AF_INET
    problem: OSError | None = None
    for candidate in [port] if port == 0 else range(port, port + 10):
        listener = socket.socket(family, socket.SOCK_STREAM)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
            listener.bind((listen, candidate))
            listener.listen(64)
        except OSError as error:
            listener.close()
            problem = error
            continue
        return listener
    raise DeviceError(f"The mixer page cannot listen on {listen}, port {port}: {problem}.")
