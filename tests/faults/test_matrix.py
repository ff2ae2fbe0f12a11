"""The table of promises names tests that exist, and is printed whatever becomes of them."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import pytest

from tests.faults import outcome_log
from tests.faults.print_matrix import ROWS, TESTS, Run
from tests.faults.test_process_faults import eventually

DEAF = "signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})"
"""What keeps a test's own limit of time from reaching it."""

ODD = f"""
import os, signal, time, pytest

def test_a_passes(): pass
def test_b_fails(): assert False
@pytest.fixture
def broken():
    yield
    raise ValueError
def test_c_fails_afterwards(broken): pass
def test_d_takes_pytest_along(): os.kill(os.getpid(), signal.SIGKILL)
def test_e_hangs():
    {DEAF}
    time.sleep(1000)
@pytest.mark.parametrize("n", [1, 2])
def test_f_is_skipped_once(n):
    if n == 1: pytest.skip("no")
def test_g_passes(): pass
"""


@pytest.mark.parametrize("name", sorted({test for row in ROWS for test in row["tests"]}))
def test_every_test_that_a_promise_rests_on_exists(name: str) -> None:
    path, _, function = name.partition("::")
    assert f"def {function}(" in (TESTS / path).read_text() if function else "def test_" in (TESTS / path).read_text()


def what_became_of(run: Run) -> dict[str, str]:
    return {name.partition("::test_")[2]: result for name, result in run.outcomes().items()}


def test_tests_that_hang_or_take_pytest_along_have_failed_and_the_others_are_run(tmp_path: Path) -> None:
    odd = tmp_path / "test_odd.py"
    odd.write_text(ODD)
    run = Run([str(odd)], [], tmp_path / "outcomes", silent_s=5.0)
    run.finish()
    assert what_became_of(run) == {
        "a_passes": "passed",
        "b_fails": "FAILED",
        "c_fails_afterwards": "FAILED",
        "d_takes_pytest_along": "FAILED",
        "e_hangs": "FAILED",
        "f_is_skipped_once": "skipped",
        "g_passes": "passed",
    }


def test_an_interrupt_ends_the_run_and_what_is_known_is_told(tmp_path: Path) -> None:
    odd, log = tmp_path / "test_odd.py", tmp_path / "outcomes"
    odd.write_text(f"import signal, time\ndef test_a_passes(): pass\ndef test_b_hangs():\n    {DEAF}\n    time.sleep(1000)\n")
    run = Run([str(odd)], [], log)

    def interrupt() -> None:
        if eventually(lambda: any("hangs" in test for test in outcome_log.read(log))):
            os.kill(os.getpid(), signal.SIGINT)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell has its background jobs ignore it
    interrupter = threading.Thread(target=interrupt)
    interrupter.start()
    try:
        run.finish()
    finally:
        interrupter.join()
        signal.signal(signal.SIGINT, before)
    assert run.interrupted
    assert what_became_of(run) == {"a_passes": "passed", "b_hangs": "not run"}
