"""Checkpoints from which a run goes on exactly where it stopped: same weights, same optimiser, same next sound.

A checkpoint holds tensors and numbers only and is loaded with `weights_only=True`. Audio and generators are not in it: a
lane's chunk follows from its position (see `rtsep.training.streams`).
"""

from __future__ import annotations

import os
import pickle
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from rtsep.errors import WeightsError

FORMAT = 1


@dataclass
class Checkpoint:
    """State of a run between two updates.

    lane_states: per lane the recurrent state `[blocks, bands, hidden]`; lane_positions: chunks each lane has given;
    began_with: the network whose weights the run began with (see `rtsep.training.growth`), if it did not begin with random ones.
    """

    recipe: str
    step: int
    model: dict[str, Tensor]
    average: dict[str, Tensor]
    optimizer: dict[str, Any]
    lane_states: list[Tensor]
    lane_positions: list[int]
    core_seconds: float = 0.0
    audio_seconds: float = 0.0
    began_with: str = ""
    format: int = field(default=FORMAT)


def save(checkpoint: Checkpoint, path: Path) -> None:
    """Write a checkpoint; the old one stays until the new one is complete on the disk."""
    partial = path.with_suffix(".partial")
    with partial.open("wb") as file:
        torch.save(asdict(checkpoint), file)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def load(path: Path) -> Checkpoint:
    """Read a checkpoint.

    Raises:
        WeightsError: the file is absent, damaged or of another format.
    """
    try:
        values = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise WeightsError(f"There is no checkpoint {path}.") from error
    except (RuntimeError, EOFError, OSError, ValueError, pickle.UnpicklingError) as error:
        raise WeightsError(f"{path} is damaged or not a checkpoint. Go on from another one, or begin the run anew.") from error
    if not isinstance(values, dict) or values.get("format") != FORMAT:
        raise WeightsError(f"{path} is not a checkpoint of format {FORMAT}.")
    return Checkpoint(**values)
