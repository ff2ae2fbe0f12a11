"""What a run directory records."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rtsep.errors import WeightsError
from rtsep.models import bandnet_package as package
from rtsep.training.corpus import Listing
from rtsep.training.rundir import open_run


def sources(run: Path) -> list[str]:
    found: list[str] = json.loads((run / "run.json").read_text())[-1]["sources"]
    return found


def test_weights_owe_thanks_to_all_that_they_ever_heard(tmp_path: Path) -> None:
    """By way of a package, of the same run with other data, and of another run."""
    first, second = tmp_path / "first", tmp_path / "second"
    packaged = package.folder("bandnet23")
    credited = package.read_facts(packaged).sources
    open_run(first, "", Listing(sources={"Somebody (CC0)"}), packaged)
    assert sources(first) == sorted({"Somebody (CC0)", *credited})
    open_run(first, "", Listing(sources={"Nobody (CC0)"}))
    assert sources(first) == sorted({"Somebody (CC0)", "Nobody (CC0)", *credited})
    open_run(second, "", Listing(sources={"Anybody (CC0)"}), first / "checkpoint.pt")
    assert sources(second) == sorted({"Somebody (CC0)", "Nobody (CC0)", "Anybody (CC0)", *credited})


def test_a_run_from_nothing_owes_to_its_data_alone(tmp_path: Path) -> None:
    open_run(tmp_path, "", Listing(sources={"Somebody (CC0)"}))
    assert sources(tmp_path) == ["Somebody (CC0)"]


def test_weights_of_unknown_origin_begin_no_run(tmp_path: Path) -> None:
    (tmp_path / "checkpoint.pt").touch()
    with pytest.raises(WeightsError, match=r"run\.json is missing.*Copy it there"):
        open_run(tmp_path / "run", "", Listing(), tmp_path / "checkpoint.pt")
    assert not (tmp_path / "run").exists()
