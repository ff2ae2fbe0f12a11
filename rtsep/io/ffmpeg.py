"""Decode what libsndfile cannot (AAC, M4A, WMA, video files, MP3 without a length tag) through the ffmpeg program.

The program runs beside us and its samples arrive through a pipe, so a long file never has to fit in memory or on
disk. Any thread, but one reader at a time.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtsep.errors import AudioFileError

SUFFIXES = frozenset({".m4a", ".aac", ".m4b", ".mp4", ".mov", ".mkv", ".webm", ".wma", ".ac3", ".mka"})
"""Names of files that are worth an attempt."""

_FLOAT_BYTES = 4
_AAC_SLACK = 4096
"""Two frames of HE-AAC: containers round their duration."""


class FfmpegDecoder:
    """One file being decoded by ffmpeg.

    Attributes:
        rate: frames per second.
        channels: as stored.
        frames: length if the container states it (MP4 family), else None.
        slack: frames by which that statement may be off.
    """

    slack = _AAC_SLACK

    def __init__(self, path: Path) -> None:
        if not (shutil.which("ffmpeg") and shutil.which("ffprobe")):
            raise AudioFileError(
                f"{path} needs ffmpeg to be read. Install it (Debian: apt install ffmpeg) or convert the song to "
                "WAV, FLAC, MP3 or OGG."
            )
        self._path = path
        stream = self._probe()
        self.rate = int(stream["sample_rate"])
        self.channels = int(stream["channels"])
        self.frames: int | None = stream["frames"]
        self._complaints = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        self._process = subprocess.Popen(
            ["ffmpeg", "-nostdin", "-v", "error", "-i", f"file:{path}", "-map", "0:a:0", "-f", "f32le", "-"],
            stdout=subprocess.PIPE,
            stderr=self._complaints,
        )

    def _probe(self) -> dict[str, Any]:
        entries = "stream=sample_rate,channels,duration:format=format_name"
        answer = subprocess.run(
            ["ffprobe", "-v", "error", "-select_streams", "a:0", "-show_entries", entries, "-of", "json",
             f"file:{self._path}"],
            capture_output=True, stdin=subprocess.DEVNULL, check=False,
        )  # fmt: skip
        found = json.loads(answer.stdout or b"{}")
        if not found.get("streams"):
            said = answer.stderr.decode(errors="replace").strip().splitlines()
            reason = said[0].split("] ")[-1] if said else "it holds no sound"
            raise AudioFileError(f"{self._path} cannot be read as audio: {reason}.")
        stream: dict[str, Any] = found["streams"][0]
        stated = "mp4" in found["format"]["format_name"] and "duration" in stream
        stream["frames"] = round(float(stream["duration"]) * int(stream["sample_rate"])) if stated else None
        return stream

    def read(self, frames: int) -> NDArray[np.float32]:
        """Return the next `[frames, channels]`, fewer at the end, none after it.

        Raises:
            AudioFileError: ffmpeg gave up.
        """
        assert self._process.stdout is not None  # noqa: S101 - Popen was asked for a pipe
        data = self._process.stdout.read(frames * self.channels * _FLOAT_BYTES)
        whole = len(data) - len(data) % (self.channels * _FLOAT_BYTES)
        if whole < frames * self.channels * _FLOAT_BYTES and self._process.wait() != 0:
            self._complaints.seek(0)
            said = self._complaints.read().decode(errors="replace").strip().splitlines() or ["no reason given"]
            raise AudioFileError(f"{self._path} cannot be decoded: ffmpeg says {said[-1]}.")
        return np.frombuffer(data[:whole], dtype="<f4").reshape(-1, self.channels)

    def close(self) -> None:
        """Stop ffmpeg, wherever it is in the file."""
        if self._process.stdout:
            self._process.stdout.close()
        self._process.kill()
        self._process.wait()
        self._complaints.close()
