"""`tools/bench`: a figure with and one without for each manner of the engine, or a word on why there is none."""

from __future__ import annotations

import pytest

from rtsep.evaluation import manners


def test_every_manner_has_a_figure_before_and_after(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(manners, "_EVENTS", 10)
    assert manners.main() == 0
    _, _, *rows = capsys.readouterr().out.splitlines()
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    assert [row[0] for row in cells] == ["semaphore", "priority", "touched", "locked", "flush audio", "flush model", "frozen"]
    for name, *figures in cells:
        if name in ("priority", "locked") and figures[0].startswith("not granted"):
            continue
        assert all(float(figure) >= 0.0 for figure in figures), name
        assert float(figures[0]) > 0.0, name
