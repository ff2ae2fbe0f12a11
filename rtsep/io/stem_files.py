"""Write all stems of one song: every file or none, and all at one common level.

A separated stem can be louder than the song it came from, above full scale even, because what cancelled its peaks is gone.
Float files hold that. Integer and lossy files cannot, so there are two policies:

* `rescale` (default): all stems are turned down by one common gain, so they still add up to the song, only quieter. The peak is
  known at the end, so samples wait in an unnamed temporary file in the target folder.
* `clamp`: peaks are cut off, the level stays.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from rtsep.errors import AudioFileError
from rtsep.io.writers import AudioWriter

CLIP_MODES = ("rescale", "clamp")
CEILING = 1.0 - 2.0**-15
"""The largest positive 16-bit sample."""

_BLOCK_FRAMES = 65_536

Audio = NDArray[np.float32]


class StemFiles:
    """The files being written for one song. Use through `stem_files`.

    Attributes:
        peak: largest absolute sample so far, before any gain.
        gain: what the files were multiplied with; final after the end.
    """

    def __init__(self, writers: dict[str, AudioWriter], channels: int, waiting: dict[str, IO[bytes]]) -> None:
        self.peak = 0.0
        self.gain = 1.0
        self._writers = writers
        self._channels = channels
        self._waiting = waiting

    def write(self, stem: str, block: Audio) -> None:
        """Append `[channels, frames]` float32 to a stem.

        Raises:
            AudioFileError: the disk is full or failed.
        """
        if block.size:
            self.peak = max(self.peak, float(np.max(np.abs(block))))
        if stem not in self._waiting:
            self._writers[stem].write(block)
            return
        try:
            self._waiting[stem].write(np.ascontiguousarray(block.T).data)
        except OSError as error:
            path = self._writers[stem].path
            raise AudioFileError(f"{path} could not be written ({error.strerror}). Nothing was kept.") from error

    def _finish(self) -> None:
        if self._waiting and self.peak > CEILING:
            self.gain = CEILING / self.peak
        for stem, file in self._waiting.items():
            file.seek(0)
            while data := file.read(_BLOCK_FRAMES * 4 * self._channels):
                block = np.frombuffer(data, np.float32).reshape(-1, self._channels).T
                self._writers[stem].write(block if self.gain == 1.0 else block * np.float32(self.gain))
        for writer in self._writers.values():
            writer.finish()
        for writer in self._writers.values():
            writer.publish()


@contextmanager
def stem_files(
    targets: dict[str, Path], rate: int, channels: int, samples: str, clip: str = "rescale", frames: int | None = None
) -> Iterator[StemFiles]:
    """Open one file per stem; they get their names together at the end, or never if anything goes wrong before.

    Args:
        targets: file of each stem; the ending chooses the type.
        rate: frames per second.
        channels: of every block.
        samples: see `AudioWriter`.
        clip: one of `CLIP_MODES`; float files need none.
        frames: expected length, if known.

    Raises:
        AudioFileError: a file cannot be written.
    """
    writers: dict[str, AudioWriter] = {}
    waiting: dict[str, IO[bytes]] = {}
    try:
        for stem, path in targets.items():
            writers[stem] = AudioWriter(path, rate, channels, samples, frames)
            writers[stem].open()
            if clip == "rescale" and samples != "float32":
                waiting[stem] = tempfile.TemporaryFile(dir=path.parent)  # noqa: SIM115 - closed below
        files = StemFiles(writers, channels, waiting)
        yield files
        files._finish()
    except BaseException:
        for writer in writers.values():
            writer.discard()
        raise
    finally:
        for file in waiting.values():
            file.close()
