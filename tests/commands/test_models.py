"""`rtsep models` as it is typed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rtsep.cli import main
from rtsep.models import registry, weights


def test_the_list_names_every_tier_with_its_latency(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models"]) == 0
    listed = capsys.readouterr().out
    for card in registry.catalogue():
        assert card.name in listed
        for tier in card.tier_names:
            assert f"  {tier} " in listed
    assert "46.4 ms" in listed
    assert max(map(len, listed.splitlines())) <= 120


@pytest.mark.parametrize(
    "words",
    [["models", "--json"], ["models", "info", "spleeter-2stems", "--json"], ["models", "--json", "info", "spleeter-2stems"]],
)
def test_json_holds_the_same_facts(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 0
    facts = {card["name"]: card for card in json.loads(capsys.readouterr().out)}
    spleeter = facts["spleeter-2stems"]
    assert spleeter["stems"] == ["vocals", "other"]
    assert spleeter["licence"].startswith("MIT")
    assert [tier["latency_ms"] for tier in spleeter["tiers"]] == [46.4, 69.7, 116.1, 139.3, 441.2, None]


def test_info_spells_out_what_a_delay_is_made_of(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "info", "spleeter-2stems"]) == 0
    told = capsys.readouterr().out
    assert "46.4 ms = hop to fill 23.2 + synthesis window 23.2" in told
    assert "Deezer" in told


def test_pull_then_verify_then_damage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RTSEP_HOME", str(tmp_path))
    assert main(["models", "verify", "spleeter-2stems"]) == 1
    assert "rtsep models pull spleeter-2stems" in capsys.readouterr().out
    assert main(["models", "pull", "spleeter-2stems"]) == 0
    assert main(["models", "verify"]) == 0
    assert "spleeter-2stems: ok" in capsys.readouterr().out
    with (weights.folder("spleeter-2stems") / "weights.safetensors").open("ab") as file:
        file.write(b"\0")
    assert main(["models", "verify"]) == 1
    assert "--force" in capsys.readouterr().out


def test_an_unknown_model_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "pull", "spleter"]) == 2
    assert 'Did you mean "spleeter-2stems"?' in capsys.readouterr().err
