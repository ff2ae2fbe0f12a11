"""A FLAC that grows: half the size of a WAV, at some computing time in the recording process.

FLAC is a stream of frames, each complete in itself. A file that was never closed only lacks its total length in the header, and
players read it to its last whole frame (4096 samples).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from rtsep.io.writers import quantise


class FlacStream:
    """A growing FLAC file with 24 bits. Each call may block on the disk and raise OSError.

    Args:
        path: must not exist.
        rate: Hz.
        channels: of every block.
        samples: `int24`.
    """

    def __init__(self, path: Path, rate: int, channels: int, samples: str) -> None:
        self.path = path
        self.frames = 0
        path.touch(exist_ok=False)
        try:
            self._file = soundfile.SoundFile(path, "w", rate, channels, {"int24": "PCM_24"}[samples], format="FLAC")
        except soundfile.LibsndfileError as error:
            raise OSError(str(error)) from error

    def append(self, block: NDArray[np.float32]) -> None:
        """Write `[channels, frames]` float32, full scale ±1; rounded and saturated to 24 bits."""
        try:
            self._file.write(quantise(block.T, 24))
        except (soundfile.LibsndfileError, AssertionError) as error:  # soundfile asserts that all was written
            raise OSError("the disk is full or failed") from error
        self.frames += block.shape[1]

    def sync(self) -> None:
        """Hand what is encoded to the system."""
        self._file.flush()

    def cut(self, frames: int) -> None:
        """A stream of frames has nothing to cut: what was not written whole is not decoded."""

    def close(self) -> None:
        """Finish the file."""
        try:
            self._file.close()
        except soundfile.LibsndfileError as error:
            raise OSError(str(error)) from error
