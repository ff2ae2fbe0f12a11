"""One song in, its stems out: reading, separating and writing joined, one block in memory at a time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from rtsep.engine.pipeline import separate
from rtsep.io.files import AudioFile
from rtsep.io.stem_files import stem_files
from rtsep.models.separator import Separator, WholeFileSeparator

Parts = dict[str, tuple[str, ...]]
"""For each file to write, the model's stems that are added up in it."""


class Separated(msgspec.Struct, frozen=True):
    """What became of a song.

    Attributes:
        frames: length of the song and of each stem.
        rate: Hz of both.
        channels: of both.
        seconds: how long it took.
        peak: largest absolute sample of any written stem before `gain`.
        gain: common gain of all files; below 1 if they would have clipped.
        files: what was written, by stem.
    """

    frames: int
    rate: int
    channels: int
    seconds: float
    peak: float
    gain: float
    files: dict[str, Path]

    @property
    def times_real_time(self) -> float:
        """Seconds of music separated per second."""
        return self.frames / self.rate / self.seconds


def one_file_per_stem(stems: tuple[str, ...]) -> Parts:
    """Return the parts that write each stem by itself."""
    return {stem: (stem,) for stem in stems}


def stem_and_rest(stem: str, stems: tuple[str, ...]) -> Parts:
    """Return the parts that write one stem and the sum of all others, as for karaoke: `vocals` and `no_vocals`."""
    return {stem: (stem,), f"no_{stem}": tuple(name for name in stems if name != stem)}


def separate_song(
    song: AudioFile,
    separator: Separator | WholeFileSeparator,
    parts: Parts,
    targets: dict[str, Path],
    *,
    samples: str,
    clip: str = "rescale",
    on_progress: Callable[[int], None] = lambda frames: None,
) -> Separated:
    """Separate an open song into files, all of them or none.

    Args:
        song: freshly opened.
        separator: at the song's rate.
        parts: what to write.
        targets: the file of each part; parts without one are left out.
        samples: sample format of the files, see `AudioWriter`.
        clip: see `stem_files`.
        on_progress: called with the number of frames that have just been read.

    Raises:
        AudioFileError: the song is broken or a file cannot be written; no file appears.
    """

    def watched() -> Iterator[NDArray[np.float32]]:
        for block in song.blocks():
            yield block
            on_progress(block.shape[1])

    rows = {part: [separator.spec.stems.index(stem) for stem in parts[part]] for part in targets}
    started = time.perf_counter()
    done = 0
    with stem_files(targets, song.rate, song.channels, samples, clip, song.frames) as files:
        for block in separate(watched(), separator):
            for part, indices in rows.items():
                files.write(part, block[indices].sum(axis=0, dtype=np.float32))
            done += block.shape[2]
    return Separated(
        frames=done, rate=song.rate, channels=song.channels, seconds=time.perf_counter() - started,
        peak=files.peak, gain=files.gain, files=targets,
    )  # fmt: skip
