"""Write a sound file so that it is either complete under its name or not there at all.

Samples go to a hidden temporary file in the target folder; only a finished, verified file is moved to its name
(`os.replace` is atomic inside one file system). Ctrl-C, a full disk or an error on the way removes the temporary file.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path
from types import TracebackType
from typing import Any

import msgspec
import numpy as np
import soundfile
from numpy.typing import NDArray

from rtsep.errors import AudioFileError, UsageError, nearest

_MAX_WAV_BYTES = 2**32 - 2**16
"""A WAV counts its bytes in 32 bits; what may grow beyond is written as RF64, which the same programs read."""


class Format(msgspec.Struct, frozen=True):
    """A file type: libsndfile's name, and its subtype for each sample format a user may ask for."""

    name: str
    subtypes: dict[str, str]


FORMATS: dict[str, Format] = {
    "wav": Format("WAV", {"int24": "PCM_24", "int16": "PCM_16", "float32": "FLOAT"}),
    "flac": Format("FLAC", {"int24": "PCM_24", "int16": "PCM_16"}),
    "aiff": Format("AIFF", {"int24": "PCM_24", "int16": "PCM_16", "float32": "FLOAT"}),
    "ogg": Format("OGG", {"lossy": "VORBIS"}),
    "mp3": Format("MP3", {"lossy": "MPEG_LAYER_III"}),
}
"""By file ending; the first sample format of each is its default."""

_BITS = {"int16": 16, "int24": 24}


def sample_format(ending: str, wanted: str | None) -> str:
    """Return the sample format to use for a file type.

    Args:
        ending: a key of `FORMATS`.
        wanted: `int16`, `int24`, `float32`, or None for the type's default.

    Raises:
        UsageError: unknown type, or the type cannot hold that sample format.
    """
    if ending not in FORMATS:
        raise UsageError(f'There is no file type "{ending}".{nearest(ending, FORMATS)} Types: {", ".join(FORMATS)}.')
    allowed = FORMATS[ending].subtypes
    if wanted is None:
        return next(iter(allowed))
    if wanted not in allowed:
        able = [name for name, kind in FORMATS.items() if wanted in kind.subtypes]
        raise UsageError(f"{ending.upper()} cannot hold {wanted} samples; use --format {' or '.join(able)}.")
    return wanted


class AudioWriter:
    """A sound file in the making; a context manager whose normal end gives the file its name.

    Args:
        path: the final name; its ending chooses the type. Missing folders are made.
        rate: frames per second.
        channels: of every block.
        samples: `int16`, `int24`, `float32` or `lossy`, one that the type allows. Integers saturate at full scale.
        frames: expected length if known, to choose a container that can hold it.

    The constructor touches no file, so that whoever holds the writer can always `discard` it, however early it is interrupted.
    """

    def __init__(self, path: Path, rate: int, channels: int, samples: str, frames: int | None = None) -> None:
        self.path = path
        self.frames = 0
        self._rate = rate
        self._channels = channels
        kind = FORMATS[path.suffix[1:].lower()]
        self._subtype = kind.subtypes[samples]
        self._bits = _BITS.get(samples)
        self._container = kind.name
        if kind.name == "WAV" and frames is not None and 4 * channels * frames > _MAX_WAV_BYTES:
            self._container = "RF64"
        self._temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
        self._file: Any = None  # soundfile.SoundFile once open

    def open(self) -> None:
        """Begin the temporary file; a context manager does this by itself.

        Raises:
            AudioFileError: the folder or file cannot be written, or the type does not take this rate.
        """
        if self.path.is_dir():
            raise AudioFileError(f"{self.path} cannot be written: a folder has this name.")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._temporary.touch(exist_ok=False)
        except OSError as error:
            raise AudioFileError(f"{self.path} cannot be written: {(error.strerror or str(error)).lower()}.") from error
        try:
            self._file = soundfile.SoundFile(
                self._temporary, "w", self._rate, self._channels, self._subtype, format=self._container
            )
        except soundfile.LibsndfileError as error:
            name = self.path.suffix[1:].upper()
            raise AudioFileError(f"{name} does not take {self._rate} Hz; use --format flac.") from error

    def write(self, block: NDArray[np.float32]) -> None:
        """Append `[channels, frames]` float32, full scale ±1.

        Raises:
            AudioFileError: the disk is full or failed.
        """
        samples = block.T if self._bits is None else quantise(block.T, self._bits)
        try:
            self._file.write(samples)
        except (soundfile.LibsndfileError, AssertionError) as error:  # soundfile asserts that all was written
            raise self._failed() from error
        self.frames += block.shape[1]

    def __enter__(self) -> AudioWriter:
        try:
            self.open()
        except BaseException:
            self.discard()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is None:
            self.commit()
        else:
            self.discard()

    def commit(self) -> None:
        """Finish the file and give it its name."""
        try:
            self.finish()
            self.publish()
        except BaseException:
            self.discard()
            raise

    def finish(self) -> None:
        """Complete the temporary file and check that every frame arrived on disk.

        Raises:
            AudioFileError: the disk is full or failed.
        """
        try:
            self._file.close()
            if soundfile.info(self._temporary).frames != self.frames:
                raise self._failed()
            with self._temporary.open("rb+") as file:
                os.fsync(file.fileno())
        except (OSError, soundfile.LibsndfileError) as error:
            raise self._failed() from error

    def publish(self) -> None:
        """Give the finished file its name, replacing what has it."""
        try:
            self._temporary.replace(self.path)
        except OSError as error:
            raise self._failed() from error

    def discard(self) -> None:
        """Remove what was written; the name keeps what it held before."""
        try:
            if self._file:
                self._file.close()
        except soundfile.LibsndfileError:
            pass  # the disk that made us give up may also refuse the header
        finally:
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):  # it was never made
                self._temporary.unlink()

    def _failed(self) -> AudioFileError:
        return AudioFileError(f"{self.path} could not be written after {self.frames} frames. Is the disk full? Nothing was kept.")


def quantise(samples: NDArray[np.float32], bits: int) -> NDArray[np.int32]:
    """Round to the nearest step of `bits`, saturating, in the top bits of an int32; libsndfile alone would round down.

    Steps are 2**(1 - bits) and full scale is ±1, so a file of the same depth comes back bit by bit.
    """
    steps = 2.0 ** (bits - 1)
    nearest_step = np.clip(np.rint(samples.astype(np.float64) * steps), -steps, steps - 1)
    return nearest_step.astype(np.int32) << (32 - bits)
