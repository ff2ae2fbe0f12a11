"""A corpus that takes no disk: tones, noise bursts and sweeps as stems, and a recipe small enough for seconds of training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from rtsep.models.bandnet_config import BandNetConfig
from rtsep.stems import STEMS
from rtsep.training.corpus import Corpus, Song
from rtsep.training.recipe import DataConfig, Recipe, TrainingConfig
from rtsep.training.streams import StreamConfig

RATE = 44100

SMALL = BandNetConfig(window=512, hop=128, synthesis=256, bands=((8, 4), (8, 8), (5, 32)), width=12, hidden=16, blocks=2)


def stem_audio(stem: str, seconds: float = 4.0, seed: int = 0) -> NDArray[np.float32]:
    """`[frames, 2]`: each class in its own region of the spectrum, so that a small net can tell them apart at once."""
    rng = np.random.default_rng((seed, STEMS.index(stem)))
    time = np.arange(int(seconds * RATE)) / RATE
    if stem == "drums":
        sound = rng.standard_normal(time.size) * np.exp(-30.0 * (time % 0.25))
    else:
        base_hz = {"vocals": 900.0, "bass": 70.0, "other": 3000.0}[stem] * rng.uniform(0.9, 1.1)
        sound = np.sin(2 * np.pi * base_hz * time + 4.0 * np.sin(2 * np.pi * 3.0 * time))
    return (0.2 * np.stack([sound, 0.8 * sound], 1)).astype(np.float32)


def song(name: str, seed: int) -> Song:
    stems = {stem: np.round(stem_audio(stem, seed=seed) * 32767).astype(np.int16) for stem in STEMS}
    return Song(name, stems, ())


@pytest.fixture
def corpus() -> Corpus:
    songs = [song("one", 1), song("two", 2)]
    return Corpus(songs, {stem: [each.stems[stem] for each in songs] for stem in STEMS})


@pytest.fixture
def recipe() -> Recipe:
    return Recipe(
        name="small",
        model=SMALL,
        data=(DataConfig(layout="stems", folder="songs"),),
        streams=StreamConfig(chunk_frames=48, stretch_chunks=3, drop_stem=0.0),
        training=TrainingConfig(lanes=2, warmup_steps=5, learning_rate=5e-3, bfloat16=False, compile=False, average=0.9),
    )


@pytest.fixture
def songs_on_disk(tmp_path: Path) -> Path:
    """A folder of two songs to train on and one to validate on."""
    for number, name in enumerate(("one", "two", "valid/three")):
        folder = tmp_path / "songs" / name
        folder.mkdir(parents=True)
        for stem in STEMS:
            soundfile.write(folder / f"{stem}.wav", stem_audio(stem, seed=number), RATE)
    return tmp_path
