"""A training recipe: one TOML file that names model, data, streams and schedule, and nothing that belongs to one machine.

Unknown keys are errors. Folders in `[[data]]` may use `~` and `$VARIABLES`; relative ones count from the recipe's folder.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from rtsep.errors import ConfigError
from rtsep.models.bandnet_config import BandNetConfig
from rtsep.training.corpus import Listing
from rtsep.training.layouts import read_layout
from rtsep.training.streams import StreamConfig
from rtsep.training.teacher import TeacherConfig


class DataConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One data set: its layout (see `rtsep.training.layouts`), its folder, and texts in paths to leave out or to prefer."""

    layout: str
    folder: str
    without: tuple[str, ...] = ()
    times: dict[str, int] = {}
    """Training songs and clips with this text in their path are drawn as often as so many: what is rare and real weighs more."""
    optional: bool = False
    """Go on without this set where its folder is absent."""


class LossConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Weights of the losses; `decay` ones hold during the decay phase."""

    sdr: float = 1.0
    magnitude: float = 1.0
    waveform: float = 0.0
    decay_sdr: float = 0.0
    decay_magnitude: float = 0.5
    decay_waveform: float = 1.0


class TrainingConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Optimiser, schedule and machine.

    The learning rate warms up, stays, and decays only when asked to (`decay_steps` after `stable_steps`, or a decay branch of a
    run): a run may be cut and continued at any time, and any point of it can be turned into good weights.
    """

    seed: int = 0
    lanes: int = 8
    processes: int = 1
    learning_rate: float = 2e-3
    weight_decay: float = 1e-2
    dropout: float = 0.0
    """Share of each block's output that an update leaves out; another number of processes then leaves out other parts."""
    warmup_steps: int = 200
    stable_steps: int = 1_000_000
    decay_steps: int = 0
    clip_norm: float = 1.0
    average: float = 0.999
    decay_average: float = 0.98
    """Share of the old average in the new one; less during the decay, which averages by itself."""
    device: str = "cpu"
    bfloat16: bool = True
    """Compute in bfloat16 where the device gains by it, else in float32."""
    compile: bool = True
    threads: int = 1
    loader_workers: int = 0
    log_every_steps: int = 10
    checkpoint_every_minutes: float = 5.0
    validate_every_minutes: float = 20.0
    validate_seconds: float = 30.0


class Recipe(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything that decides what a run computes."""

    name: str
    model: BandNetConfig
    data: tuple[DataConfig, ...]
    streams: StreamConfig = StreamConfig()
    teacher: TeacherConfig = TeacherConfig()
    loss: LossConfig = LossConfig()
    training: TrainingConfig = TrainingConfig()


def parse_recipe(text: str, origin: str) -> Recipe:
    """Read a recipe.

    Raises:
        ConfigError: not TOML, or a wrong key or value; the message has its path.
    """
    try:
        return msgspec.toml.decode(text, type=Recipe)
    except msgspec.MsgspecError as error:
        raise ConfigError(f"{origin}: {error}.") from error


def load_recipe(path: Path) -> Recipe:
    """Read a recipe file.

    Raises:
        ConfigError: there is no such file, or see `parse_recipe`.
    """
    if not path.is_file():
        raise ConfigError(f"There is no recipe {path}. Recipes that ship with rtsep are in configs/training.")
    return parse_recipe(path.read_text(), str(path))


def list_data(recipe: Recipe, base: Path) -> Listing:
    """Find the files of every data set of a recipe; relative folders count from `base`.

    Raises:
        ConfigError: a folder is absent, or the variable that names it is not set.
    """
    listing = Listing()
    for data in recipe.data:
        place = os.path.expandvars(data.folder)
        folder = base / Path(place).expanduser()
        if data.optional and not folder.is_dir():
            continue
        if place.startswith("$"):
            raise ConfigError(f"The recipe's {data.layout} data set is in {place}, which is not set: export {place[1:]}=FOLDER.")
        found = read_layout(data.layout, folder, data.without)
        for text, times in data.times.items():
            found.favour(text, times)
        listing.songs += found.songs
        listing.clips += found.clips
        listing.sources |= found.sources
    return listing
