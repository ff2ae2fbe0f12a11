"""What a run shows and writes: a progress bar on a terminal, plain lines in a log, CSV rows and curves in the run directory."""

from __future__ import annotations

import time
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from rtsep.stems import STEMS
from rtsep.training.curves import draw_curves
from rtsep.training.loop import Row, Watcher
from rtsep.training.recipe import Recipe
from rtsep.training.rundir import CsvLog
from rtsep.training.schedule import last_step


class RunWatcher(Watcher):
    """Logs a run."""

    def __init__(self, folder: Path, recipe: Recipe, step: int) -> None:
        self.folder, self.recipe = folder, recipe
        self.steps, self.scores = CsvLog(folder / "steps.csv"), CsvLog(folder / "validation.csv")
        self.steps.drop_after(step)
        self.scores.drop_after(step)
        self.sums: Row = {}
        self.count = 0
        self.last_line = time.monotonic()
        self.console = Console(stderr=True)
        self.progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.completed:.0f} updates"),
            TimeElapsedColumn(),
            console=self.console,
            disable=not self.console.is_terminal,
        )
        endless = last_step(recipe.training) >= 1_000_000
        self.task = self.progress.add_task(recipe.name, total=None if endless else last_step(recipe.training), completed=step)
        self.progress.start()

    def on_step(self, row: Row) -> None:
        """Average figures over some steps, write them, and move the bar."""
        self.count += 1
        for name, value in row.items():
            self.sums[name] = self.sums.get(name, 0.0) + value
        if self.count < self.recipe.training.log_every_steps:
            return
        means = {name: total / self.count for name, total in self.sums.items()}
        # Sums over the window are right for losses; counters are shown as they stand.
        means |= {name: row[name] for name in ("step", "core_hours", "audio_hours", "learning_rate")}
        self.sums, self.count = {}, 0
        columns = ("step", "loss", "sdr", "magnitude", "waveform", "gradient_norm", "learning_rate", "core_hours", "audio_hours")
        self.steps.write({name: f"{means[name]:.6g}" if name in means else "" for name in columns})
        text = f"loss {means['loss']:.4f}  {means['audio_hours']:.2f} h heard  {means['core_hours']:.2f} core-hours"
        self.progress.update(self.task, completed=means["step"], description=f"{self.recipe.name}  {text}")
        if not self.console.is_terminal and time.monotonic() - self.last_line > 60.0:
            self.last_line = time.monotonic()
            self.console.print(f"update {means['step']:.0f}  {text}", highlight=False)

    def on_validation(self, step: int, means: dict[str, float], songs: dict[str, dict[str, float]]) -> None:
        """Write a row per song and their mean, print the mean, and draw the curves."""
        for song, scores in {**songs, "mean": means}.items():
            self.scores.write({"step": step, "song": song} | {stem: _number(scores, stem) for stem in (*STEMS, "mean")})
        text = "  ".join(f"{stem} {value:.2f}" for stem, value in means.items())
        self.console.print(f"update {step}  validation SDR, dB: {text}", highlight=False)
        draw_curves(self.folder)

    def close(self) -> None:
        """Stop the progress bar."""
        self.progress.stop()


def _number(scores: dict[str, float], stem: str) -> str:
    return f"{scores[stem]:.3f}" if stem in scores else ""
