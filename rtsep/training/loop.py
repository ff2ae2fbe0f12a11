"""The training loop of one process: chunks in, updates out, state carried, everything resumable.

The model that ships is the exponential moving average of the weights; it is what validation scores.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from rtsep.models.bandnet import BandNet
from rtsep.training import checkpoint as checkpoints
from rtsep.training.corpus import Corpus
from rtsep.training.feed import Feed
from rtsep.training.growth import Learnt, fitted_bins
from rtsep.training.gru_scan import use_scan
from rtsep.training.objective import Objective, Weights
from rtsep.training.parallel import Group, flat_norm
from rtsep.training.recipe import Recipe
from rtsep.training.schedule import is_decaying, last_step, rate_factor
from rtsep.training.stft import LowDelayStft
from rtsep.training.streams import Lane, StretchMaker
from rtsep.training.teacher import Teacher
from rtsep.training.validation import mean_scores, song_scores

Row = dict[str, float]

CALIBRATION = 12
"""Stretches of music from which the mean and scale of the network's inputs are taken."""


class Trainer:
    """Holds model, average, optimiser and lanes of one process, and moves them forward."""

    def __init__(self, recipe: Recipe, recipe_text: str, corpus: Corpus, validation: Corpus, group: Group) -> None:
        self.recipe, self.recipe_text, self.group = recipe, recipe_text, group
        config, training = recipe.model, recipe.training
        torch.manual_seed(training.seed)
        self.device = torch.device(training.device)
        self.model = BandNet(config, training.dropout).to(self.device)
        self.stft = LowDelayStft(config.window, config.hop, config.synthesis).to(self.device)
        self.objective = Objective(self.model, self.stft, bfloat16=training.bfloat16, compiled=training.compile)
        self.optimizer = torch.optim.AdamW(
            self.model.parameters(), lr=training.learning_rate, betas=(0.9, 0.98), weight_decay=training.weight_decay
        )
        samples = recipe.streams.chunk_frames * config.hop
        teacher = Teacher(recipe.teacher, config.rate) if recipe.teacher.share else None
        self.maker = StretchMaker(corpus, recipe.streams, config.rate, recipe.streams.stretch_chunks * samples, teacher)
        self._calibrate()
        self.average = copy.deepcopy(self.model).requires_grad_(False).eval()
        if self.device.type == "cpu":
            use_scan(self.model, torch.bfloat16 if self.objective.bfloat16 else torch.float32)
        self.lane_numbers = group.share(range(training.lanes))
        # Lanes begin at different parts of their stretch, so that no update hears beginnings only.
        self.feed = self._feed([number % recipe.streams.stretch_chunks for number in self.lane_numbers])
        self.state = self.model.init_state(len(self.lane_numbers))
        self.validation = validation
        self.step = 0
        self.core_seconds = 0.0
        self.audio_seconds = 0.0
        self.began_with = ""

    def _feed(self, positions: list[int]) -> Feed:
        hop, seed = self.recipe.model.hop, self.recipe.training.seed
        lanes = [
            Lane(self.maker, hop, self.stft.history, seed, number, position)
            for number, position in zip(self.lane_numbers, positions, strict=True)
        ]
        return Feed(lanes, self.recipe.training.loader_workers)

    def close(self) -> None:
        """Stop the threads that make chunks."""
        self.feed.close()

    def _calibrate(self) -> None:
        """Show the network what music looks like; every process draws the same, so that all start alike."""
        waves = [self.maker.draw((self.recipe.training.seed, number)).mix for number in range(CALIBRATION)]
        mixes = np.pad(np.stack(waves), ((0, 0), (0, 0), (self.stft.history, 0)))
        self.model.calibrate(torch.view_as_real(self.stft(torch.from_numpy(mixes).to(self.device))).transpose(1, 2))

    def restore(self, saved: checkpoints.Checkpoint) -> None:
        """Go on from a checkpoint, with any number of processes."""
        self.model.load_state_dict(saved.model)
        self.average.load_state_dict(saved.average)
        self.optimizer.load_state_dict(saved.optimizer)
        self.feed.close()
        self.feed = self._feed([saved.lane_positions[number] for number in self.lane_numbers])
        states = [saved.lane_states[number] for number in self.lane_numbers]
        self.state = torch.stack(states, 2).flatten(1, 2).to(self.device)
        self.step, self.core_seconds, self.audio_seconds = saved.step, saved.core_seconds, saved.audio_seconds
        self.began_with = saved.began_with

    def learn_from(self, learnt: Learnt) -> None:
        """Begin a run of this recipe with what another network has learnt, see `rtsep.training.growth`.

        The compute and the audio that went into it count on; updates, optimiser and streams begin anew.
        """
        self.model.load_state_dict(fitted_bins(learnt.weights, learnt.config, self.recipe.model), strict=False)
        self.average.load_state_dict(self.model.state_dict())
        self.core_seconds, self.audio_seconds = learnt.core_seconds, learnt.audio_seconds
        self.began_with = learnt.name

    def checkpoint(self) -> checkpoints.Checkpoint:
        """Collect the state of all processes; every process must call this."""
        states = self.state.view(self.state.shape[0], self.recipe.model.band_count, len(self.lane_numbers), -1)
        mine = {
            number: (states[:, :, index].cpu().clone(), self.feed.positions[index])
            for index, number in enumerate(self.lane_numbers)
        }
        lanes = {number: value for part in self.group.gather(mine) for number, value in part.items()}
        return checkpoints.Checkpoint(
            recipe=self.recipe_text,
            step=self.step,
            model=self.model.state_dict(),
            average=self.average.state_dict(),
            optimizer=self.optimizer.state_dict(),
            lane_states=[lanes[number][0] for number in sorted(lanes)],
            lane_positions=[lanes[number][1] for number in sorted(lanes)],
            core_seconds=self.core_seconds,
            audio_seconds=self.audio_seconds,
            began_with=self.began_with,
        )

    def update(self, flag: float = 0.0) -> tuple[Row, float]:
        """One optimiser step.

        Args:
            flag: a number that is averaged over all processes along with the gradients (to agree on stopping).

        Returns:
            Figures of the step, averaged over processes, and the averaged flag.
        """
        began = time.process_time()
        training = self.recipe.training
        # Dropout draws from here: the same parts at the same step, however often the run was interrupted.
        torch.manual_seed(hash((training.seed, self.step, self.group.rank)))
        factor = rate_factor(training, self.step)
        for parameters in self.optimizer.param_groups:
            parameters["lr"] = training.learning_rate * factor
        chunk = self.feed.next()
        keep = torch.from_numpy(~chunk.fresh).to(self.device).repeat(self.recipe.model.band_count)
        state = self.state * keep[None, :, None]
        weights = Weights.of_phase(self.recipe.loss, is_decaying(training, self.step))
        self.optimizer.zero_grad(set_to_none=True)
        loss, parts, self.state = self.objective(chunk, state, weights)
        loss.backward()  # type: ignore[no-untyped-call]
        names = sorted(parts)
        figures = self.group.average(
            self.model.parameters(), [float(loss.detach()), *(parts[name] for name in names), flag, self.core_seconds]
        )
        norm = flat_norm(p.grad for p in self.model.parameters() if p.grad is not None)
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), training.clip_norm)
        self.optimizer.step()
        self._update_average()
        self.step += 1
        self.core_seconds += (time.process_time() - began) * self.group.size
        self.audio_seconds += training.lanes * self.maker.config.chunk_frames * self.recipe.model.hop / self.recipe.model.rate
        row = {"step": float(self.step), "loss": figures[0]} | dict(zip(names, figures[1:], strict=False))
        row |= {
            "gradient_norm": norm,
            "learning_rate": training.learning_rate * factor,
            "core_hours": figures[-1] / 3600.0,
            "audio_hours": self.audio_seconds / 3600.0,
        }
        return row, figures[-2]

    def _update_average(self) -> None:
        # Early on it is an average of the last third of the run, or it would hold the start for thousands of steps.
        training = self.recipe.training
        longest = training.decay_average if is_decaying(training, self.step) else training.average
        keep = min(longest, (1.0 + self.step) / (4.0 + self.step))
        with torch.no_grad():
            for mean, value in zip(self.average.parameters(), self.model.parameters(), strict=True):
                mean.lerp_(value, 1.0 - keep)

    def validate(self) -> tuple[dict[str, float], dict[str, dict[str, float]]]:
        """Score the averaged weights; songs are shared out over the processes. Returns means, and scores per song."""
        seconds = self.recipe.training.validate_seconds
        mine = {
            song.name: song_scores(self.average, self.stft, song, seconds, self.recipe.model.rate)
            for song in self.group.share(self.validation.songs)
        }
        songs = {name: scores for part in self.group.gather(mine) for name, scores in part.items()}
        return mean_scores(list(songs.values())), songs


class Timer:
    """Says when something that is to happen every so many minutes is due."""

    def __init__(self, minutes: float) -> None:
        self.seconds, self.last = minutes * 60.0, time.monotonic()

    def due(self) -> bool:
        """True at most once per period."""
        if time.monotonic() - self.last < self.seconds:
            return False
        self.last = time.monotonic()
        return True


class Watcher:
    """What a run tells whoever watches; rank 0 overrides these to write logs and show progress."""

    def on_step(self, row: Row) -> None:
        """After every update."""

    def on_validation(self, step: int, means: dict[str, float], songs: dict[str, dict[str, float]]) -> None:
        """After every validation."""

    def close(self) -> None:
        """After the run, however it ended."""


def run(trainer: Trainer, folder: Path, watcher: Watcher, should_stop: Callable[[], bool]) -> None:
    """Train until the schedule ends or `should_stop` says so in any process, with checkpoints and validations on the way."""
    training = trainer.recipe.training
    save_timer, validate_timer = Timer(training.checkpoint_every_minutes), Timer(training.validate_every_minutes)
    stopping = False
    while trainer.step < last_step(training) and not stopping:
        # Clocks differ between processes; all act on the flag of rank 0 that travels with the gradients.
        leads = trainer.group.rank == 0
        wants_stop = should_stop()
        wants = 1.0 * wants_stop + 1e3 * (leads and save_timer.due()) + 1e6 * (leads and validate_timer.due())
        row, flag = trainer.update(wants)
        total = round(flag * trainer.group.size)
        watcher.on_step(row)
        stopping = total % 1000 > 0
        if total // 1000 % 1000:
            _save(trainer, folder)
        if total // 1000000:
            _validate(trainer, watcher)
    _save(trainer, folder)
    _validate(trainer, watcher)


def _save(trainer: Trainer, folder: Path) -> None:
    saved = trainer.checkpoint()
    if trainer.group.rank == 0:
        checkpoints.save(saved, folder / "checkpoint.pt")


def _validate(trainer: Trainer, watcher: Watcher) -> None:
    if trainer.validation.songs:
        means, songs = trainer.validate()
        watcher.on_validation(trainer.step, means, songs)
