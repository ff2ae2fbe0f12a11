"""A recording through the whole live engine into files: the audio thread's code on a virtual clock, without a device.

What is written is what a player would have heard, shifted back by the engine's latency so that it lines up with the recording.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

import msgspec
import numpy as np

from rtsep.engine.latency import LatencyBudget
from rtsep.engine.session import Engine, StreamFormat
from rtsep.engine.stats import Snapshot
from rtsep.errors import RtsepError
from rtsep.io.null import render
from rtsep.io.writers import AudioWriter
from rtsep.models.separator import Audio
from rtsep.realtime import layout as at
from rtsep.stems import STEMS
from rtsep.units import gain_to_db

_LOAD_LIMIT_S = 300.0
_BLOCK = 256


class Rendering(msgspec.Struct, frozen=True, kw_only=True):
    """What a rendering made, and how the engine fared. Levels are RMS over the whole recording."""

    files: dict[str, Path]
    levels_db: dict[str, float]
    latency: LatencyBudget
    status: Snapshot


def render_to_files(mix: Audio, rate: int, folder: Path, *, model: str | None = None, tier: str | None = None) -> Rendering:
    """Play a recording through the engine, waiting for the model, and write mix and stems as 24-bit WAV.

    Args:
        mix: `[2, frames]` float32 at `rate` Hz.
        rate: frames per second.
        folder: is made if it is not there.
        model: name, None for the default.
        tier: name of a live tier, None for the default.

    Raises:
        RtsepError: the model cannot be loaded, or a file cannot be written; nothing half-written stays.
    """
    engine = Engine(StreamFormat(rate, _BLOCK), model=model, tier=tier, freewheel=True)
    names = ("mix", *(stem for stem in STEMS if stem in engine.spec.stems))
    rows = {name: at.CHANNELS * (0 if name == "mix" else 1 + STEMS.index(name)) for name in names}
    energy = dict.fromkeys(names, 0.0)
    engine.start()
    try:
        if not engine.supervisor.wait_until_running(_LOAD_LIMIT_S):
            raise RtsepError(engine.supervisor.reason or "The model did not load in time.")
        with contextlib.ExitStack() as stack:
            writers = {
                name: stack.enter_context(AudioWriter(folder / f"{name}.wav", rate, at.CHANNELS, "int24", mix.shape[1]))
                for name in names
            }
            skip = engine.latency.frames
            for outs in render(engine, mix):
                heard = outs[:, min(skip, outs.shape[1]) :]
                skip -= outs.shape[1] - heard.shape[1]
                for name, row in rows.items():
                    block = heard[row : row + at.CHANNELS]
                    writers[name].write(block)
                    energy[name] += float(np.square(block, dtype=np.float64).sum())
        status = engine.status()
    finally:
        engine.stop()
    samples = at.CHANNELS * mix.shape[1]
    return Rendering(
        files={name: writer.path for name, writer in writers.items()},
        levels_db={name: gain_to_db((total / samples) ** 0.5) for name, total in energy.items()},
        latency=engine.latency,
        status=status,
    )
