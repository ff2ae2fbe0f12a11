"""Read a song block by block, and refuse a broken one with a sentence instead of separating rubbish.

libsndfile (through soundfile) decodes WAV, AIFF, FLAC, OGG, Opus and MP3; ffmpeg the rest, see `ffmpeg.py`. What the
rest of rtsep may rely on: one or two channels, 8 to 192 kHz, finite samples, and a file that is as long as its
header says. The last two are only known at the end, so `AudioFile.blocks` may raise after having given blocks.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import numpy as np
import soundfile
from numpy.typing import NDArray

from rtsep.errors import AudioFileError, nearest
from rtsep.io import ffmpeg, promises

MIN_RATE_HZ = 8_000
MAX_RATE_HZ = 192_000
SUFFIXES = frozenset(
    {".wav", ".flac", ".mp3", ".ogg", ".oga", ".opus", ".aif", ".aiff", ".aifc", ".caf", ".w64", ".rf64", ".au"} | ffmpeg.SUFFIXES
)
"""What counts as a song when a folder is given."""

Audio = NDArray[np.float32]


class _Decoder(Protocol):
    rate: int
    channels: int
    frames: int | None
    slack: int
    """Frames by which an undamaged file may fall short of `frames`."""

    def read(self, frames: int) -> Audio:
        """`[frames, channels]`; fewer frames at the end of the file."""

    def close(self) -> None:
        """Give the file back."""


class _SoundfileDecoder:
    """libsndfile. `frames` is what the header states."""

    def __init__(self, handle: soundfile.SoundFile, path: Path) -> None:
        self._handle = handle
        self._path = path
        self.rate: int = handle.samplerate
        self.channels: int = handle.channels
        self.frames: int | None = handle.frames
        self.slack = 0

    def read(self, frames: int) -> Audio:
        try:
            block: Audio = self._handle.read(frames, dtype="float32", always_2d=True)
        except soundfile.LibsndfileError as error:
            at = _clock(self._handle.tell() / self.rate)
            raise AudioFileError(f"{self._path} is damaged or cut off after {at}. Copy it again from its source.") from error
        return block

    def close(self) -> None:
        self._handle.close()


class AudioFile:
    """A song that is being read.

    Attributes:
        path: where it is.
        rate: frames per second.
        channels: 1 or 2.
        frames: length, or None if only decoding tells.
    """

    def __init__(self, path: Path, decoder: _Decoder) -> None:
        self.path = path
        self.rate = decoder.rate
        self.channels = decoder.channels
        self.frames = decoder.frames
        self._decoder = decoder

    def blocks(self, frames: int = 16384) -> Iterator[Audio]:
        """Yield the song once, as `[channels, n]` float32 blocks, full scale ±1, `n <= frames`.

        Raises:
            AudioFileError: a sample is NaN or infinite, or the file ends before its header says.
        """
        done = 0
        while self.frames is None or done < self.frames:
            wanted = frames if self.frames is None else min(frames, self.frames - done)
            block = self._decoder.read(wanted)
            if not len(block):
                break
            self._refuse_non_finite(block, done)
            done += len(block)
            yield np.ascontiguousarray(block.T)
        if done == 0:
            raise AudioFileError(f"{self.path} holds no sound.")
        if self.frames is not None and done < self.frames - self._decoder.slack:
            raise _truncated(self.path, self.frames / self.rate, done / self.rate)

    def _refuse_non_finite(self, block: Audio, start: int) -> None:
        bad = ~np.isfinite(block)
        if bad.any():
            frame, channel = np.argwhere(bad)[0]
            at = start + int(frame)
            raise AudioFileError(
                f"{self.path} holds a sample that is not a number ({block[frame, channel]}) at "
                f"{_clock(at / self.rate)}, frame {at}, channel {int(channel) + 1}. "
                "Export the song again, or repair it in an audio editor."
            )


@contextmanager
def open_audio(path: Path | str) -> Iterator[AudioFile]:
    """Open a song for reading.

    Args:
        path: WAV, AIFF, FLAC, OGG, Opus, MP3, CAF, AU, or whatever ffmpeg reads if it is installed.

    Raises:
        AudioFileError: missing, empty, not audio, cut off, more than two channels, or a rate outside 8 to 192 kHz.
    """
    path = Path(path)
    decoder = _decoder(path)
    try:
        _check_shape(path, decoder)
        yield AudioFile(path, decoder)
    finally:
        decoder.close()


def _decoder(path: Path) -> _Decoder:
    _refuse_unreadable(path)
    try:
        handle = soundfile.SoundFile(path)
    except soundfile.LibsndfileError as error:
        if path.suffix.lower() in ffmpeg.SUFFIXES:
            return ffmpeg.FfmpegDecoder(path)
        raise AudioFileError(
            f"{path} cannot be read as audio ({error.error_string.rstrip('.')}). "
            "rtsep reads WAV, AIFF, FLAC, OGG, MP3, and M4A with ffmpeg."
        ) from error
    return _trustworthy(path, handle)


def _refuse_unreadable(path: Path) -> None:
    try:
        with path.open("rb") as file:
            if not file.read(1):
                raise AudioFileError(f"{path} is empty (0 bytes).")
    except FileNotFoundError as error:
        siblings = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
        raise AudioFileError(f"There is no file {path}.{nearest(path.name, siblings)}") from error
    except OSError as error:  # a folder, no permission, a broken disk
        raise AudioFileError(f"{path} cannot be read: {(error.strerror or str(error)).lower()}.") from error


def _trustworthy(path: Path, handle: soundfile.SoundFile) -> _Decoder:
    """Return a decoder whose `frames` can be relied on, or refuse a file that is shorter than it says."""
    if handle.format == "MP3" and not promises.mp3_states_its_length(path):
        handle.close()  # libsndfile would stop at its guess and lose the rest of the song
        return ffmpeg.FfmpegDecoder(path)
    missing = promises.chunk_shortfall(handle.extra_info)
    if missing:
        handle.close()
        present_s = handle.frames / handle.samplerate
        raise _truncated(path, present_s / (1.0 - missing), present_s)
    if handle.format == "OGG" and promises.ogg_ends_inside_a_page(path):
        handle.close()
        raise _truncated(path, None, handle.frames / handle.samplerate)
    return _SoundfileDecoder(handle, path)


def _check_shape(path: Path, decoder: _Decoder) -> None:
    if decoder.frames == 0:
        raise AudioFileError(f"{path} holds no sound (0 frames).")
    if decoder.channels not in (1, 2):
        raise AudioFileError(
            f"{path} has {decoder.channels} channels; rtsep separates mono or stereo. "
            f"Mix it down first: ffmpeg -i {path.name} -ac 2 {path.stem}_stereo.wav"
        )
    if not MIN_RATE_HZ <= decoder.rate <= MAX_RATE_HZ:
        raise AudioFileError(
            f"{path} runs at {decoder.rate} Hz; rtsep takes {MIN_RATE_HZ} to {MAX_RATE_HZ} Hz. "
            f"Convert it first: ffmpeg -i {path.name} -ar 44100 {path.stem}_44100.wav"
        )


def _truncated(path: Path, promised_s: float | None, present_s: float) -> AudioFileError:
    promise = "more" if promised_s is None else _clock(promised_s)
    return AudioFileError(
        f"{path} is cut off: it promises {promise} but holds {_clock(present_s)}. Copy it again from its source."
    )


def _clock(seconds: float) -> str:
    """Seconds as a player shows them: `3:07.25`."""
    minutes, rest = divmod(seconds, 60.0)
    return f"{int(minutes)}:{rest:05.2f}"
