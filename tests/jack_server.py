"""JACK servers for tests: without a sound card, each with a name of its own, ended by their own process id."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rtsep.io.jack_dummy import dummy_server

StartServer = Callable[..., str]


@pytest.fixture(scope="session", autouse=True)
def forget_dead_servers() -> None:
    """Empty JACK's list of eight servers if nobody uses it: one that was killed, also in an earlier run, stays on it for ever.

    Who has once had a client keeps the list mapped, and from then on finds no server whose entry is in another one. So it stays
    as long as any process has it: a server, or a second run of these tests, whose clients would all fail from here on.
    """
    in_use = False
    for path in Path("/proc").glob("[0-9]*/maps"):
        with contextlib.suppress(OSError):  # ended meanwhile, or another user's
            in_use = in_use or "/dev/shm/jack-shm-registry" in path.read_text()  # noqa: S108  where JACK keeps it
    if not in_use:
        for left in Path("/dev/shm").glob("jack*"):  # noqa: S108  where JACK keeps it
            with contextlib.suppress(OSError):
                left.unlink()


@pytest.fixture
def jack_server() -> Iterator[StartServer]:
    """Start a server with `jack_server(period=…, rate=…)`; until the test ends, everything in this process finds it.

    It waits for late clients (`jackd -S`), so a busy machine drops no cycle.
    """
    with contextlib.ExitStack() as stack:

        def start(*, period: int = 256, rate: int = 44_100, channels: int = 2) -> str:
            return stack.enter_context(dummy_server(rate=rate, period=period, channels=channels, sync=True))

        yield start
