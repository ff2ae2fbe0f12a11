"""The table of promises names tests that exist."""

from __future__ import annotations

import pytest

from tests.faults.print_matrix import ROWS, TESTS


@pytest.mark.parametrize("name", sorted({test for row in ROWS for test in row["tests"]}))
def test_every_test_that_a_promise_rests_on_exists(name: str) -> None:
    path, _, function = name.partition("::")
    assert f"def {function}(" in (TESTS / path).read_text() if function else "def test_" in (TESTS / path).read_text()
