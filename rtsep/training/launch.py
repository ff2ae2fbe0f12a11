"""Starting a run: one process, or several that average their gradients, each with the same recipe and its own lanes."""

from __future__ import annotations

import multiprocessing
import os
import signal
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import torch

from rtsep.errors import RtsepError
from rtsep.training import checkpoint as checkpoints
from rtsep.training.corpus import load_corpus
from rtsep.training.growth import Learnt
from rtsep.training.loop import Trainer, Watcher, run
from rtsep.training.parallel import Group
from rtsep.training.progress import RunWatcher
from rtsep.training.recipe import list_data, parse_recipe


@dataclass(frozen=True)
class Launch:
    """A start of a run; plain values, so that it travels to other processes."""

    recipe_text: str
    origin: str
    data_base: Path
    folder: Path
    cache: Path
    start_from: Path | None = None
    minutes: float | None = None


def launch(job: Launch) -> None:
    """Run a training to its end, a signal, or `minutes`, whichever comes first; the checkpoint is written in any case.

    Raises:
        RtsepError: a process of the run failed.
    """
    recipe = parse_recipe(job.recipe_text, job.origin)
    size = recipe.training.processes
    if size == 1:
        work(job, 0, 1, None)
        return
    listing = list_data(recipe, job.data_base)
    for split in ("train", "valid"):  # decode once, here; the workers then find every clip in the cache
        load_corpus(listing, split, job.cache, recipe.model.rate)
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory(prefix="rtsep-train-") as scratch:
        rendezvous = Path(scratch) / "rendezvous"
        workers = [context.Process(target=work, args=(job, rank, size, rendezvous)) for rank in range(size)]
        for worker in workers:
            worker.start()

        def pass_on(_number: int, _frame: FrameType | None) -> None:
            """Whoever stops the run signals this process; the workers finish their step and save."""
            for worker in workers:
                worker.terminate()

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, pass_on)
        for worker in workers:
            worker.join()
    failed = [rank for rank, worker in enumerate(workers) if worker.exitcode]
    if failed:
        raise RtsepError(f"Training processes {failed} of {size} failed; their messages are above. The last checkpoint stands.")


def work(job: Launch, rank: int, size: int, rendezvous: Path | None) -> None:
    """One process of a run."""
    recipe = parse_recipe(job.recipe_text, job.origin)
    os.environ.setdefault("OMP_NUM_THREADS", str(recipe.training.threads))
    torch.set_num_threads(recipe.training.threads)
    torch.set_flush_denormal(True)
    stop_asked: list[int] = []

    def on_signal(number: int, _frame: FrameType | None) -> None:
        stop_asked.append(number)

    handlers = {number: signal.signal(number, on_signal) for number in (signal.SIGTERM, signal.SIGINT)}
    listing = list_data(recipe, job.data_base)
    corpus = load_corpus(listing, "train", job.cache, recipe.model.rate)
    validation = load_corpus(listing, "valid", job.cache, recipe.model.rate)
    group = Group(rank, size, rendezvous)
    trainer = Trainer(recipe, job.recipe_text, corpus, validation, group)
    latest = job.folder / "checkpoint.pt"
    start = latest if latest.exists() else job.start_from
    if start is not None:
        begin(trainer, start)
    watcher = RunWatcher(job.folder, recipe, trainer.step) if rank == 0 else Watcher()
    deadline = time.monotonic() + job.minutes * 60.0 if job.minutes else None
    parent = multiprocessing.parent_process()

    def should_stop() -> bool:
        """Also when the parent was killed: nobody could stop this process any more, and a new start would write beside it."""
        if stop_asked or (parent is not None and not parent.is_alive()):
            return True
        return deadline is not None and time.monotonic() > deadline

    try:
        run(trainer, job.folder, watcher, should_stop)
    finally:
        watcher.close()
        trainer.close()
        group.close()
        for number, handler in handlers.items():
            signal.signal(number, handler)


def begin(trainer: Trainer, start: Path) -> None:
    """Go on from a checkpoint of the same network, or begin with what another network or a package of weights has learnt."""
    if start.is_dir():
        trainer.learn_from(Learnt.of_package(start))
        return
    saved = checkpoints.load(start)
    learnt = Learnt.of_checkpoint(saved)
    if learnt.config == trainer.recipe.model:
        trainer.restore(saved)
    else:
        trainer.learn_from(learnt)
