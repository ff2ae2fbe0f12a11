"""What `rtsep doctor` found best for this machine: one small TOML file, which live commands take as their defaults.

An option beats the rig, the rig beats this, and this beats what is built in. It says on what it was measured; on another
machine or with other versions it is left out, with a sentence, as its figures would be somebody else's.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import platform
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import msgspec

from rtsep import __version__, paths
from rtsep.config import EngineTable
from rtsep.control.saved_state import write_whole
from rtsep.errors import ModelError
from rtsep.evaluation.machine import cores, processor
from rtsep.models import registry

_HEAD = "What rtsep doctor measured here. A rig or an option says otherwise; rtsep doctor --forget takes it away."
_GPUS = Path("/proc/driver/nvidia/gpus")


class Circumstances(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the figures depend on; if any of it is another, they say nothing. Cheap to look at."""

    processor: str
    cores: int
    gpus: int
    system: str
    python: str
    rtsep: str
    onnxruntime: str
    torch: str
    model: str
    """Digest of the model's card."""


class Choice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The file."""

    model: str
    tier: str
    runtime: Literal["onnx", "torch"]
    threads: int
    on_overload: Literal["dry", "grow", "tier"]
    rate: int
    """Hz that the device should run at."""
    period: int
    """Frames per callback that it should run at: JACK's period, PipeWire's quantum."""
    measured_on: Circumstances


def path() -> Path:
    """Where it is kept."""
    return paths.cache() / "machine.toml"


def circumstances(model: str) -> Circumstances:
    """Look at this machine.

    Raises:
        ModelError: there is no such model.
    """
    card = msgspec.json.encode(registry.find(model)[0])
    return Circumstances(
        processor=processor(),
        cores=cores(),
        gpus=len(list(_GPUS.iterdir())) if _GPUS.is_dir() else 0,
        system=f"{platform.system()} {platform.machine()}",
        python=platform.python_version(),
        rtsep=__version__,
        onnxruntime=importlib.metadata.version("onnxruntime"),
        torch=importlib.metadata.version("torch"),
        model=hashlib.sha256(card).hexdigest()[:12],
    )


def keep(choice: Choice) -> None:
    """Write it.

    Raises:
        OSError: it cannot be written.
    """
    import tomlkit  # here, as live commands only read

    document = tomlkit.document()
    document.add(tomlkit.comment(_HEAD))
    document.update(msgspec.to_builtins(choice))
    write_whole(path(), tomlkit.dumps(document))


def forget() -> bool:
    """Take it away; returns whether there was one."""
    try:
        path().unlink()
    except FileNotFoundError:
        return False
    return True


def recall(warn: Callable[[str], None]) -> Choice | None:
    """Read what holds for this machine.

    Args:
        warn: takes a sentence if there is a file and it does not hold.
    """
    try:
        text = path().read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        warn(f"{path()} cannot be read and is left out: {error}.")
        return None
    try:
        choice = msgspec.toml.decode(text, type=Choice)
        now = circumstances(choice.model)
        registry.find(choice.model, choice.tier)
    except (msgspec.DecodeError, ModelError) as error:
        warn(f"{path()} is damaged or of another version and is left out: {error}. Write it anew with: rtsep doctor")
        return None
    for field in Circumstances.__struct_fields__:
        then, here = getattr(choice.measured_on, field), getattr(now, field)
        if then != here:
            what = "the model's card" if field == "model" else f'{field} "{then}", and this is "{here}"'
            warn(f"What rtsep doctor chose was measured with another {what}: it is left out. Choose anew with: rtsep doctor")
            return None
    return choice


def fill_in(engine: EngineTable, choice: Choice | None, *, live: bool = True) -> EngineTable:
    """Put the choice where a rig and its options say nothing.

    It was measured for one model; if another one is asked for, by name or by one of its tiers, nothing of it counts.

    Args:
        engine: options over the rig.
        choice: what holds here, if anything.
        live: whether the tier is the live one; a song is looked at ahead, with the tier for files.
    """
    if choice is None or engine.model not in ("", choice.model):
        return engine
    if engine.tier and engine.tier not in registry.find(choice.model)[0].tier_names:
        return engine
    return msgspec.structs.replace(
        engine,
        model=choice.model,
        tier=engine.tier or (choice.tier if live else ""),
        runtime=choice.runtime if engine.runtime == "auto" else engine.runtime,
        threads=engine.threads or choice.threads,
        on_overload=choice.on_overload if engine.on_overload == "auto" else engine.on_overload,
    )
