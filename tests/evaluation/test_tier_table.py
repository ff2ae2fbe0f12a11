"""The table of tiers lands between its markers and nowhere else."""

from __future__ import annotations

import pytest

from rtsep.errors import UsageError
from rtsep.evaluation.tier_table import BEGIN, END, Row, insert, markdown

ROWS = [Row("net", "fast", 46.4399, 3.678, 0.404), Row("net", "file", None, 4.61, 0.08)]


def test_rows_are_rounded_and_whole_files_have_no_latency() -> None:
    lines = markdown(ROWS, -7.2).splitlines()
    assert "| `net` | `fast` | 46.4 ms | 3.7 dB | 40% |" in lines
    assert "| `net` | `file` | whole file | 4.6 dB | 8% |" in lines
    assert "-7.2 dB" in lines[-1]


def test_the_old_table_is_replaced_and_the_page_around_it_kept() -> None:
    page = f"above\n{BEGIN}\nold\n{END}\nbelow\n"
    once = insert(page, "new")
    assert once == f"above\n{BEGIN}\nnew\n{END}\nbelow\n"
    assert insert(once, "new") == once


@pytest.mark.parametrize("page", ["nothing", BEGIN, f"{END} {BEGIN}"])
def test_a_page_without_markers_is_refused(page: str) -> None:
    with pytest.raises(UsageError, match="no place for the table"):
        insert(page, "new")
