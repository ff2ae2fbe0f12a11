"""What all tests share: a home of their own, hypothesis without a clock, and floating point as it was."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import hypothesis
import pytest

for library in ("OMP", "OPENBLAS", "MKL"):  # before numpy is loaded: on busy cores, threads that spin cost more than they give
    os.environ.setdefault(f"{library}_NUM_THREADS", "1")

pytest_plugins = ["tests.jack_server"]

hypothesis.settings.register_profile("house", deadline=None, max_examples=60, derandomize=bool(os.environ.get("CI")))
hypothesis.settings.load_profile("house")
# No deadline: the machine may be busy. Derandomised in CI: a red build must be red again when it is run again.


def pytest_addoption(parser: pytest.Parser) -> None:
    """Fault tests draw a seed and print it."""
    parser.addoption("--reproduce", metavar="SEED", help="run the fault tests with this seed instead of a fresh one")


def pytest_configure(config: pytest.Config) -> None:
    """Keep the user's cache and state out of it; converted weights and compiled code last from one run to the next."""
    assert config.cache is not None
    os.environ["RTSEP_HOME"] = str(config.cache.mkdir("rtsep-home"))
    # A shell that starts a job in the background has it ignore Ctrl-C, and so would every program under test.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def same_float_mode() -> Iterator[None]:
    """Give denormals back after a test: ONNX Runtime and the inference loop switch them off in the thread that they run in."""
    from rtsep.realtime.atomics import flush_to_zero, restore_float_mode

    before = flush_to_zero()
    restore_float_mode(before)
    yield
    restore_float_mode(before)
