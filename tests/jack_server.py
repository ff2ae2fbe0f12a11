"""JACK servers for tests: without a sound card, each with a name of its own, ended by their own process id."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import pytest

from rtsep.io.jack_dummy import dummy_server

StartServer = Callable[..., str]


@pytest.fixture
def jack_server() -> Iterator[StartServer]:
    """Start a server with `jack_server(period=…, rate=…)`; until the test ends, everything in this process finds it.

    It waits for late clients (`jackd -S`), so a busy machine drops no cycle.
    """
    with contextlib.ExitStack() as stack:

        def start(*, period: int = 256, rate: int = 44_100) -> str:
            return stack.enter_context(dummy_server(rate=rate, period=period, sync=True))

        yield start
