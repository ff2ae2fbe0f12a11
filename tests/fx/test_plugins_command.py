"""`rtsep plugins` and the chains that ship."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rtsep.cli import main
from rtsep.config import FxTable, load_rig
from rtsep.fx import vst3
from rtsep.fx.builtin import BUILTINS, DUCK
from rtsep.fx.prepare import prepare
from rtsep.paths import configs

RIGS = sorted((configs() / "rigs").glob("*.toml"))
WITH_EFFECTS = [path for path in RIGS if load_rig(path).fx != FxTable()]
ZAM = Path("/usr/lib/vst3/ZamComp.vst3")


@pytest.mark.parametrize("rig", WITH_EFFECTS, ids=lambda path: path.stem)
def test_every_chain_that_ships_fits_its_model_and_adds_no_latency(rig: Path) -> None:
    loaded = load_rig(rig)
    effects = prepare(loaded.fx, model=loaded.engine.model, tier=loaded.engine.tier, rate=44100)
    assert effects.plan is not None
    assert effects.extra_latency == ()


def test_the_three_ready_chains_ship() -> None:
    assert {"vocal-polish", "drum-bus", "duck"} <= {path.stem for path in WITH_EFFECTS}


def test_info_of_an_effect_that_comes_with_rtsep(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plugins", "info", "duck", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["parameters"]["depth_db"] == [0.0, 40.0, 9.0]


def test_info_of_what_there_is_not_says_what_to_type(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plugins", "info", "Zam Nothing"]) == 2
    assert "rtsep plugins scan" in capsys.readouterr().err


@pytest.mark.skipif(not ZAM.exists(), reason="needs the Debian package zam-plugins")
def test_scan_lists_what_works_and_reports_what_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "ZamComp.vst3").symlink_to(ZAM)
    inside = tmp_path / "broken.vst3" / "Contents" / "x86_64-linux"
    inside.mkdir(parents=True)
    (inside / "broken.so").write_bytes(b"not a library")
    monkeypatch.setattr(vst3, "folders", lambda: [tmp_path])
    assert main(["plugins", "scan", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert [plugin["name"] for plugin in said["plugins"]] == ["ZamComp"]
    assert list(said["refused"]) == ["broken"]


def test_the_page_about_effects_names_every_effect_that_comes_with_rtsep() -> None:
    page = (Path(__file__).parents[2] / "rtsep" / "fx" / "README.md").read_text()
    assert " ".join([*BUILTINS, DUCK]) in page


RIG = """
[fx]
vocals = [{ use = "reverb", set = { room_size = 0.6 } }]

[[midi.bind]]
when = { type = "cc", number = 91 }
to = "fx.vocals.reverb.wet"
"""


def test_a_rig_whose_controllers_move_effects_is_fine(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rig = tmp_path / "rig.toml"
    rig.write_text(RIG)
    assert main(["config", "check", str(rig)]) == 0
    assert "1 MIDI bindings, 1 effects" in capsys.readouterr().out
    rig.write_text(RIG.replace("room_size", "room_sise"))
    assert main(["config", "check", str(rig)]) == 2
    assert 'Did you mean "room_size"?' in capsys.readouterr().err


def test_the_knob_of_an_effect_can_be_learned_by_its_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rig = tmp_path / "rig.toml"
    rig.write_text(RIG.replace("reverb", "delay").replace("room_size", "mix"))
    assert main(["midi", "learn", "fx.vocals.delay.fedback", "--rig", str(rig), "--seconds", "0.1"]) == 2
    assert 'Did you mean "fx.vocals.delay.feedback"?' in capsys.readouterr().err
