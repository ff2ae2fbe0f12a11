"""What effects cost: the ready chains, and a rig of one's own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rtsep.cli import main


def test_every_ready_chain_is_measured_at_the_hop_of_its_model(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "--effects", "--seconds", "0.5", "--json"]) == 0
    costs = {cost["rig"]: cost for cost in json.loads(capsys.readouterr().out)["effects"]}
    assert {"drum-bus", "duck", "vocal-polish"} <= costs.keys()
    assert costs["vocal-polish"]["effects"] == 4
    assert all(0.0 < cost["p50_ms"] <= cost["p99_ms"] for cost in costs.values())
    assert costs["drum-bus"]["hop_ms"] < costs["duck"]["hop_ms"]


def test_a_rig_without_effects_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rig = tmp_path / "plain.toml"
    rig.write_text("[stems.vocals]\ngain_db = -3.0\n")
    assert main(["bench", "--effects", str(rig)]) == 2
    assert "plain.toml has no effects" in capsys.readouterr().err
