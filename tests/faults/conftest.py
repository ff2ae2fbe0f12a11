"""Seeds of the fault tests, and JACK servers of their own."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from tests.faults.restarting_server import RestartingServer


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> int:
    """A fresh seed each time, or that of `--reproduce`; a failing test shows it."""
    given = request.config.getoption("--reproduce")
    value = int(given) if given is not None else random.SystemRandom().randrange(1 << 32)
    print(f"seed {value}; the same again: pytest --reproduce {value} {request.node.nodeid}")
    return value


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[RestartingServer]:
    """A running JACK server that the test may end and start again; clients find it by default."""
    one = RestartingServer()
    monkeypatch.setenv("JACK_DEFAULT_SERVER", one.name)
    monkeypatch.setenv("JACK_NO_START_SERVER", "1")
    one.start()
    yield one
    one.end()


@pytest.fixture(autouse=True)
def no_server_is_left_over() -> Iterator[None]:
    """End the JACK servers of a test, however it ended."""
    yield
    RestartingServer.end_all()
