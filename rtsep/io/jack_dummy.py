"""A JACK server of our own without a sound card, for measurements and tests.

It carries a name nobody else uses, so a server that is running is neither disturbed nor asked to change its period. A client must
never have the server's name: when it closes, JACK removes the server's socket with it.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import subprocess
import tempfile
import time
from collections.abc import Iterator
from typing import IO

from rtsep.errors import DeviceError
from rtsep.io.jack_client import load_library, quiet_stderr

_START_LIMIT_S = 10.0
_INSTALL = "Install it with: apt install jackd2"


@contextlib.contextmanager
def dummy_server(
    *, rate: int = 44_100, period: int = 256, channels: int = 2, sync: bool = False, realtime: bool = False
) -> Iterator[str]:
    """Run a server for the time of the context.

    Args:
        rate: Hz.
        period: frames.
        channels: inputs, and as many outputs.
        sync: wait for late clients instead of going on without them.
        realtime: ask for real-time priority, which is granted or not.

    Yields:
        Its name. `JACK_DEFAULT_SERVER` holds it meanwhile, so everything in this process and its children finds it.

    Raises:
        DeviceError: jackd or libjack is not installed, or it does not start.
    """
    name = f"rtsep-dummy-{secrets.token_hex(4)}"
    manner = [*(["-S"] if sync else []), "-R" if realtime else "-r"]
    command = ["jackd", *manner, "-n", name, "-d", "dummy", "-r", str(rate), "-p", str(period)]
    command += ["-C", str(channels), "-P", str(channels)]
    quiet = {"JACK_NO_AUDIO_RESERVATION": "1", "JACK_NO_START_SERVER": "1"}
    said = tempfile.TemporaryFile()  # noqa: SIM115  closed below
    try:
        server = subprocess.Popen(command, env={**os.environ, **quiet}, stdout=said, stderr=said)
    except FileNotFoundError as error:
        said.close()
        raise DeviceError(f"The program jackd is not installed. {_INSTALL}") from error
    before = {key: os.environ.get(key) for key in (*quiet, "JACK_DEFAULT_SERVER")}
    os.environ.update(quiet, JACK_DEFAULT_SERVER=name)
    try:
        _wait_until_it_answers(server, name, said)
        yield name
    finally:
        for key, value in before.items():
            if value is None:
                os.environ.pop(key, None)
            else:
                os.environ[key] = value
        server.terminate()
        try:
            server.wait(5.0)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
        said.close()


def _wait_until_it_answers(server: subprocess.Popen[bytes], name: str, said: IO[bytes]) -> None:
    jack = load_library()
    until = time.monotonic() + _START_LIMIT_S
    while time.monotonic() < until and server.poll() is None:
        time.sleep(0.05)
        with contextlib.suppress(jack.JackOpenError), quiet_stderr():
            jack.Client("rtsep-waiting", no_start_server=True, servername=name).close()
            return
    said.seek(0)
    words = said.read().decode(errors="replace")
    if "Too many servers" in words:
        raise DeviceError(
            "JACK's list of eight servers is full, because servers were killed. If none is running, empty it with: "
            "rm /dev/shm/jack-shm-registry"
        )
    last = (words.strip().splitlines() or [f"no answer within {_START_LIMIT_S:g} s"])[-1]
    raise DeviceError(f"A JACK server without sound card could not be started: {last}. Try it by hand: jackd -r -d dummy")
