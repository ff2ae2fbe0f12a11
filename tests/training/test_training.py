"""A real, small training: the loss falls, a resumed run is the same run, and two processes are one."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import torch
from msgspec.structs import replace

from rtsep.cli import main
from rtsep.models.bandnet import BandNet
from rtsep.training import checkpoint as checkpoints
from rtsep.training.calibration import Calibration, apply
from rtsep.training.corpus import Corpus
from rtsep.training.loop import Trainer
from rtsep.training.parallel import Group
from rtsep.training.recipe import Recipe

RECIPE = """
name = "small"

[model]
window = 512
hop = 128
synthesis = 256
bands = [[8, 4], [8, 8], [5, 32]]
width = 12
hidden = 16
blocks = 2

[[data]]
layout = "stems"
folder = "songs"

[streams]
chunk_frames = 48
stretch_chunks = 3
drop_stem = 0.0

[training]
lanes = 2
warmup_steps = 2
learning_rate = 5e-3
bfloat16 = false
compile = false
average = 0.9
stable_steps = {steps}
processes = {processes}
log_every_steps = 1
"""


def trainer(recipe: Recipe, corpus: Corpus) -> Trainer:
    return Trainer(recipe, "", corpus, Corpus(), Group())


def train(folder: Path, run: str, steps: int, processes: int = 1, *more: str) -> checkpoints.Checkpoint:
    (folder / "small.toml").write_text(RECIPE.format(steps=steps, processes=processes))
    assert main(["train", str(folder / "small.toml"), "--run", str(folder / run), *more]) == 0
    return checkpoints.load(folder / run / "checkpoint.pt")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RTSEP_HOME", str(tmp_path / "home"))


def test_a_short_training_lowers_the_loss(recipe: Recipe, corpus: Corpus) -> None:
    one = trainer(recipe, corpus)
    losses = [one.update()[0]["loss"] for _ in range(60)]
    # One lane more or less of easy music moves a single loss by 0.1; the means fall by 0.3.
    assert np.mean(losses[-15:]) < np.mean(losses[:15]) - 0.15


@pytest.mark.parametrize("workers", [0, 2])
def test_a_resumed_run_is_the_same_run_to_the_bit(recipe: Recipe, corpus: Corpus, tmp_path: Path, workers: int) -> None:
    recipe = replace(recipe, training=replace(recipe.training, loader_workers=workers))
    whole, first, second = (trainer(recipe, corpus) for _ in range(3))
    for _ in range(4):
        whole.update()
        first.update()
    checkpoints.save(first.checkpoint(), tmp_path / "checkpoint.pt")
    second.restore(checkpoints.load(tmp_path / "checkpoint.pt"))
    rows = [(whole.update()[0]["loss"], second.update()[0]["loss"]) for _ in range(4)]
    assert all(a == b for a, b in rows)
    for a, b in ((whole.model, second.model), (whole.average, second.average)):
        assert all(torch.equal(x, y) for x, y in zip(a.parameters(), b.parameters(), strict=True))
    for each in (whole, first, second):
        each.close()


def test_state_is_carried_between_chunks_and_cleared_between_stretches(recipe: Recipe, corpus: Corpus) -> None:
    one = trainer(recipe, corpus)
    seen: list[torch.Tensor] = []
    objective = one.objective

    def spy(chunk: object, state: torch.Tensor, weights: object) -> object:
        seen.append(state.clone())
        return objective(chunk, state, weights)  # type: ignore[arg-type]

    one.objective = spy  # type: ignore[assignment]
    for _ in range(4):
        one.update()
    bands = recipe.model.band_count
    lanes = [[bool(state.unflatten(1, (bands, 2))[:, :, lane].any()) for state in seen] for lane in (0, 1)]
    # Stretches have three chunks; lane 1 begins with the second one of its first.
    assert lanes == [[False, True, True, False], [False, True, False, True]]


def test_two_processes_compute_the_update_of_one(songs_on_disk: Path) -> None:
    alone = train(songs_on_disk, "alone", 3)
    together = train(songs_on_disk, "together", 3, 2)
    assert together.lane_positions == alone.lane_positions == [3, 4]
    for name, value in alone.model.items():
        # Sums over lanes in another order: 1e-7 in a gradient, which AdamW's first steps can blow up to a part of the rate 5e-3.
        assert torch.allclose(value, together.model[name], atol=2e-4), name


def test_processes_of_a_killed_run_save_and_end(songs_on_disk: Path) -> None:
    run, recipe = songs_on_disk / "killed", songs_on_disk / "small.toml"
    recipe.write_text(RECIPE.format(steps=1_000_000, processes=2))
    command = [sys.executable, "-m", "rtsep.cli", "train", str(recipe), "--run", str(run)]
    parent = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for(lambda: (run / "steps.csv").exists())
    # The processes of the run, and one of multiprocessing's.
    children = [int(pid) for pid in Path(f"/proc/{parent.pid}/task/{parent.pid}/children").read_text().split()]
    assert len(children) >= 2
    parent.kill()
    parent.wait()
    try:
        wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in children))
    finally:
        for pid in children:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    last = (run / "steps.csv").read_text().splitlines()[-1]
    assert checkpoints.load(run / "checkpoint.pt").step == int(last.split(",")[0])


def wait_for(happens: Callable[[], bool], seconds: float = 120.0) -> None:
    end = time.monotonic() + seconds
    while not happens():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_run_directory_tells_everything(songs_on_disk: Path) -> None:
    saved = train(songs_on_disk, "told", 3)
    run = songs_on_disk / "told"
    assert (run / "recipe.toml").read_text() == saved.recipe
    (start,) = json.loads((run / "run.json").read_text())
    assert start["songs"] == 3
    assert len(start["data_sha256"]) == 64
    assert start["libraries"]["torch"] == torch.__version__
    with (run / "steps.csv").open() as lines:
        rows = list(csv.DictReader(lines))
    assert [float(row["step"]) for row in rows] == [1, 2, 3]
    assert all(float(row["loss"]) < 1 for row in rows)
    with (run / "validation.csv").open() as lines:
        songs = {row["song"]: row for row in csv.DictReader(lines)}
    assert set(songs) == {"valid/three", "mean"}
    assert float(songs["mean"]["vocals"]) > -10


def test_a_decay_branch_ends_with_a_rate_of_almost_nothing(songs_on_disk: Path) -> None:
    train(songs_on_disk, "main", 3)
    start = str(songs_on_disk / "main" / "checkpoint.pt")
    branch = train(songs_on_disk, "branch", 3, 1, "--start-from", start, "--decay-steps", "4")
    assert branch.step == 7
    with (songs_on_disk / "branch" / "steps.csv").open() as lines:
        rates = [float(row["learning_rate"]) for row in csv.DictReader(lines)]
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] < 0.2 * rates[0]
    assert checkpoints.load(songs_on_disk / "main" / "checkpoint.pt").step == 3


def test_another_recipe_does_not_go_on_in_a_run_of_this_one(songs_on_disk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train(songs_on_disk, "mine", 2)
    (songs_on_disk / "small.toml").write_text(RECIPE.format(steps=9, processes=1))
    assert main(["train", str(songs_on_disk / "small.toml"), "--run", str(songs_on_disk / "mine")]) == 2
    assert "another recipe" in capsys.readouterr().err


def test_a_damaged_checkpoint_is_refused_with_its_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "checkpoint.pt").write_bytes(b"not a checkpoint")
    assert main(["export", str(tmp_path / "checkpoint.pt")]) == 1
    assert "checkpoint.pt" in capsys.readouterr().err


def test_a_run_can_be_exported_and_separates(songs_on_disk: Path) -> None:
    pytest.importorskip("onnxscript")
    from rtsep.models.bandnet_package import WEIGHTS, read_facts
    from rtsep.models.bandnet_torch import load_net

    saved = train(songs_on_disk, "run", 2)
    checkpoint = str(songs_on_disk / "run" / "checkpoint.pt")
    recipe_file = str(songs_on_disk / "small.toml")
    assert main(["export", checkpoint, "--to", str(songs_on_disk / "package"), "--calibrate", recipe_file]) == 0
    facts = read_facts(songs_on_disk / "package")
    assert facts.training["updates"] == 2
    found = facts.training["calibration"]
    assert "valid/three" in facts.scores
    assert "valid/three" in (songs_on_disk / "package" / "README.md").read_text()
    net = BandNet(facts.model)
    net.load_state_dict(saved.average)
    apply(net, Calibration.of_facts(found))
    packaged = load_net(songs_on_disk / "package" / WEIGHTS, facts.model).state_dict()
    for name, value in net.state_dict().items():
        assert torch.equal(packaged[name], value.half().float()), name

    again = train(songs_on_disk, "again", 1, 1, "--start-from", str(songs_on_disk / "package"))
    assert (again.step, again.began_with) == (1, "small after 2 updates")
