"""A run directory: everything that was needed to get these weights, and everything they did on the way.

| file | what |
|---|---|
| `recipe.toml` | the recipe, byte for byte |
| `run.json` | versions, git commit, command, data fingerprint; one entry per start |
| `checkpoint.pt` | where to go on |
| `steps.csv` | loss, gradient norm, learning rate, core-hours, hours of audio heard |
| `validation.csv` | utterance SDR per song and stem |
| `curves.png` | both of them drawn |
"""

from __future__ import annotations

import csv
import json
import platform
import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path
from typing import Any

from rtsep.errors import ConfigError, WeightsError
from rtsep.models import bandnet_package as package
from rtsep.training.corpus import Listing

LIBRARIES = ("torch", "numpy", "soundfile", "soxr", "onnxruntime")


class CsvLog:
    """Appends rows to a CSV file, whose header is that of the first row ever written."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.columns: list[str] = []
        if path.exists():
            with path.open(newline="") as lines:
                self.columns = next(csv.reader(lines), [])

    def write(self, row: dict[str, Any]) -> None:
        """Append one row and push it to the disk; a value without a column is dropped."""
        new = not self.columns
        self.columns = self.columns or list(row)
        with self.path.open("a", newline="") as lines:
            writer = csv.DictWriter(lines, self.columns, extrasaction="ignore", restval="")
            if new:
                writer.writeheader()
            writer.writerow(row)

    def drop_after(self, step: int) -> None:
        """Forget rows of updates after `step`: a resumed run does them again."""
        if not self.path.exists():
            return
        with self.path.open(newline="") as lines:
            rows = [row for row in csv.DictReader(lines) if float(row["step"]) <= step]
        with self.path.open("w", newline="") as lines:
            writer = csv.DictWriter(lines, self.columns)
            writer.writeheader()
            writer.writerows(rows)


def sources_of(start: Path) -> set[str]:
    """Attributions of all that a package of weights, or the run of a checkpoint, has learnt from.

    Raises:
        WeightsError: nothing tells.
    """
    if start.is_dir():
        return set(package.read_facts(start).sources)
    record = start.with_name("run.json")
    if not record.exists():
        raise WeightsError(
            f"{record} is missing: weights owe thanks to all they learnt from. Copy it there from the run of {start}."
        )
    return set(json.loads(record.read_text())[-1]["sources"])


def open_run(folder: Path, recipe_text: str, listing: Listing, start_from: Path | None = None) -> None:
    """Create a run directory, or check that an existing one is of the same recipe, and note this start in `run.json`.

    Its sources are those of the data, of what the run has heard before, and of what it starts from: weights owe them all.

    Raises:
        ConfigError: the folder belongs to another recipe.
        WeightsError: `start_from` is a folder without a package, or a checkpoint without the record of its run.
    """
    heard = sources_of(start_from) if start_from else set()
    folder.mkdir(parents=True, exist_ok=True)
    recipe = folder / "recipe.toml"
    if recipe.exists() and recipe.read_text() != recipe_text:
        raise ConfigError(f"{folder} is a run of another recipe; give --run another folder, or train {recipe} itself.")
    recipe.write_text(recipe_text)
    record = folder / "run.json"
    starts: list[dict[str, Any]] = json.loads(record.read_text()) if record.exists() else []
    heard |= set(starts[-1]["sources"]) if starts else set()
    starts.append(
        {
            "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "command": ["rtsep", *sys.argv[1:]],
            "git_commit": git_commit(),
            "python": platform.python_version(),
            "machine": f"{platform.machine()} {platform.system()}",
            "libraries": {name: metadata.version(name) for name in LIBRARIES},
            "data_sha256": listing.fingerprint(),
            "songs": len(listing.songs),
            "clips": len(listing.clips),
            "sources": sorted(listing.sources | heard),
        }
    )
    record.write_text(json.dumps(starts, indent=1) + "\n")


def git_commit() -> str:
    """Return the commit of the checkout this code runs from, with `+` if files differ from it; empty if it is not a checkout."""
    here = Path(__file__).parent

    def git(*words: str) -> str:
        return subprocess.run(["git", *words], cwd=here, capture_output=True, text=True, check=True).stdout.strip()

    try:
        return git("rev-parse", "HEAD") + ("+" if git("status", "--porcelain", ".") else "")
    except (OSError, subprocess.CalledProcessError):
        return ""
