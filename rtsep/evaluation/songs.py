"""Songs whose true stems are known, ready to be separated and scored.

The mix is the plain sum of the stems. Mastered mixes that come with some data sets are not: against them no separator could
reach more than some 15 dB, because compression of the mix is nobody's stem.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soxr

from rtsep.errors import UsageError
from rtsep.models.separator import Audio
from rtsep.stems import STEMS
from rtsep.training.corpus import SongFiles, decode_file
from rtsep.training.layouts import LAYOUTS, read_layout

ACCOMPANIMENT = "accompaniment"
"""Everything but vocals: what a model of two stems calls `other`."""


@dataclass(frozen=True)
class TrueSong:
    """A song with its known stems.

    Attributes:
        name: of the song.
        rate: Hz.
        mix: `[2, frames]`.
        stems: `[2, frames]` by name; may hold fewer than four if only sums of the others are known.
    """

    name: str
    rate: int
    mix: Audio
    stems: dict[str, Audio]

    def truth(self, names: tuple[str, ...]) -> dict[str, Audio]:
        """What a model with these stems should find; `other` of a two-stem model is the accompaniment.

        Worked example: for ("vocals", "other") the keys are `vocals` and `accompaniment`.
        """
        if set(names) == {"vocals", "other"}:
            return {"vocals": self.stems["vocals"], ACCOMPANIMENT: self.mix - self.stems["vocals"]}
        return {name: self.stems[name] for name in names if name in self.stems}


def find_songs(folder: Path, layout: str | None, split: str | None) -> list[SongFiles]:
    """List the songs of a data set.

    Args:
        folder: the data set.
        layout: a key of `LAYOUTS`, or None to guess: a manifest makes a pack, `train` and `test` make MUSDB.
        split: keep songs of this split only; None keeps all.

    Raises:
        UsageError: there is no song.
    """
    if layout is None:
        layout = "pack" if (folder / "manifest.csv").is_file() else "musdb" if (folder / "test").is_dir() else "stems"
    listing = read_layout(layout, folder)
    songs = [song for song in listing.songs if split in (None, song.split)]
    if not songs:
        found = sorted({song.split for song in listing.songs})
        raise UsageError(f'No song in {folder} is of split "{split}"; it has {", ".join(found) or "no songs"}. '
                         f"Layouts: {', '.join(LAYOUTS)}.")  # fmt: skip
    return songs


def load_song(files: SongFiles, rate: int, seconds: float | None = None) -> TrueSong:
    """Decode a song at `rate` Hz, its first `seconds` only if given. An absent stem is silent, unless another one holds it."""
    stems: dict[str, Audio] = {}
    for stem, source in files.stems.items():
        audio, found = decode_file(source)
        if found != rate:
            audio = soxr.resample(audio, found, rate)
        wave = np.ascontiguousarray(audio.T, np.float32)
        stems[stem] = np.repeat(wave, 2, 0) if len(wave) == 1 else wave
    frames = min(wave.shape[1] for wave in stems.values())
    frames = min(frames, int(seconds * rate)) if seconds else frames
    stems = {stem: wave[:, :frames] for stem, wave in stems.items()}
    mix: Audio = np.sum(list(stems.values()), axis=0, dtype=np.float32)
    known = {stem: stems.get(stem, np.zeros_like(mix)) for stem in STEMS if stem not in files.merged}
    return TrueSong(files.name, rate, mix, known)


def load_songs(songs: list[SongFiles], rate: int, seconds: float | None = None) -> Iterator[TrueSong]:
    """Decode songs one after the other."""
    for files in songs:
        yield load_song(files, rate, seconds)
