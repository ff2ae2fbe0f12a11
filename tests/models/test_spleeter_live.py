"""The live net: the published vocals net and a difference of four bits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import load_file, save

from rtsep.errors import WeightsError
from rtsep.models import registry, spleeter_live, spleeter_weights
from rtsep.models.spleeter_live import LEVELS, decode, encode

Tensors = dict[str, NDArray[np.float32]]


@pytest.fixture
def nets() -> tuple[Tensors, Tensors]:
    """Published tensors, and tuned ones that differ by a hundredth."""
    rng = np.random.default_rng(0)
    shapes = {"down.0.weight": (16, 2, 5, 5), "up.0.weight": (32, 8, 5, 5), "up.0.bias": (8,)}
    published = {f"vocals.{name}": rng.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}
    moved = {name: (0.01 * rng.standard_normal(tensor.shape)).astype(np.float32) for name, tensor in published.items()}
    return published, {"live" + name.removeprefix("vocals"): tensor + moved[name] for name, tensor in published.items()}


def test_what_is_packed_comes_back_to_half_a_step_of_its_output_channel(nets: tuple[Tensors, Tensors], tmp_path: Path) -> None:
    published, tuned = nets
    file = tmp_path / "difference.safetensors"
    file.write_bytes(save(encode(published, tuned)))
    again = decode(published | {"accompaniment.last.bias": np.zeros(2, np.float32)}, file)
    assert again.keys() == tuned.keys()
    for name, outputs in (("live.down.0.weight", 0), ("live.up.0.weight", 1)):
        difference = tuned[name] - published["vocals" + name.removeprefix("live")]
        within = tuple(axis for axis in range(4) if axis != outputs)
        step = np.abs(difference).max(axis=within, keepdims=True) / LEVELS
        assert np.all(np.abs(again[name] - tuned[name]) <= 0.5001 * step + 1e-6)
        assert np.abs(load_file(file)[f"{name}.steps"]).max() == LEVELS
    assert np.abs(again["live.up.0.bias"] - tuned["live.up.0.bias"]).max() < 1e-6


def test_what_was_not_tuned_stays_as_published(nets: tuple[Tensors, Tensors], tmp_path: Path) -> None:
    published, _ = nets
    file = tmp_path / "difference.safetensors"
    file.write_bytes(save(encode(published, {"live" + name.removeprefix("vocals"): each for name, each in published.items()})))
    for name, tensor in decode(published, file).items():
        assert np.array_equal(tensor, published["vocals" + name.removeprefix("live")])


def test_a_difference_that_is_absent_damaged_or_of_another_net_is_refused(nets: tuple[Tensors, Tensors], tmp_path: Path) -> None:
    published, tuned = nets
    file = tmp_path / "difference.safetensors"
    with pytest.raises(WeightsError, match="missing or damaged"):
        decode(published, file)
    file.write_bytes(b"no tensors")
    with pytest.raises(WeightsError, match="Install rtsep anew"):
        decode(published, file)
    del tuned["live.up.0.bias"]
    file.write_bytes(save(encode(published, tuned)))
    with pytest.raises(WeightsError, match=r"live\.up\.0\.bias is missing"):
        decode(published, file)


def test_the_live_tiers_hold_the_published_net_plus_the_packaged_difference() -> None:
    card = registry.find("spleeter-2stems", "46ms")[0]
    folder, _ = spleeter_weights.ensure(card, [spleeter_weights.Shape(live=True, frames=64, newest=13)], progress=print)
    tensors = load_file(folder / spleeter_weights.WEIGHTS)
    expected = decode(tensors)
    assert expected
    assert all(np.array_equal(tensors[name], tensor) for name, tensor in expected.items())
    moved = [np.abs(tensor - tensors["vocals" + name.removeprefix("live")]).max() for name, tensor in expected.items()]
    assert 0 < max(moved) < 0.1


def test_another_difference_makes_everybodys_cache_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    card = registry.find("spleeter-2stems", "46ms")[0]
    before = spleeter_weights.fingerprint(card)
    monkeypatch.setattr(spleeter_live, "fingerprint", lambda: "another")
    assert spleeter_weights.fingerprint(card) != before
