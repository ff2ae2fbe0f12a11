"""A FLAC that is valid while it grows: half the size of a WAV, at some computing time in the recording process.

FLAC is a stream of frames, each complete in itself; only the total length in the header (STREAMINFO, RFC 9639 §8.2) is missing
until the file is closed, and some programs refuse a file without it. Each `sync` therefore puts in the length of the blocks that
are complete by then; closing replaces it.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from rtsep.io.writers import quantise

_BLOCK = 4096
"""Frames that libsndfile puts into one FLAC frame."""

_LENGTH_AT = 21
"""Byte whose lower half begins the 36 bits of the length: 4 of `fLaC`, 4 of the block's header, 13 before it in STREAMINFO."""


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
        """Make the file valid up to the last complete block and have it on the disk."""
        self._file.flush()
        complete = max(0, self.frames - 1) // _BLOCK * _BLOCK  # the encoder holds a full block until the next one begins
        with self.path.open("rb+", buffering=0) as file:
            file.seek(_LENGTH_AT)
            high = file.read(1)[0] & 0xF0
            file.seek(_LENGTH_AT)
            file.write(bytes([high | complete >> 32]) + (complete & 0xFFFFFFFF).to_bytes(4, "big"))
            os.fdatasync(file.fileno())

    def cut(self, frames: int) -> None:
        """A stream of frames has nothing to cut: what was not written whole is not decoded."""

    def close(self) -> None:
        """Finish the file."""
        try:
            self._file.close()
        except soundfile.LibsndfileError as error:
            raise OSError(str(error)) from error
