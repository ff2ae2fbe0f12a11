"""The process that records: it reads the rings and writes files, so that no disk can hold up audio or model.

It ends when its standard input does: when it is told to, but also if the engine's process is killed, and then finishes the files
all the same. If it is killed itself, the WAVs hold all up to their last second (`WavStream`). A disk that is slow for a minute
is waited for in memory; one that is full ends the recording with a sentence, all files cut to the same length; audio goes on.
"""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import sys
import threading
from pathlib import Path

import msgspec

from rtsep.io.flac_stream import FlacStream
from rtsep.io.recording import TRACKS, RingReader
from rtsep.io.wav_stream import WavStream
from rtsep.models.separator import Audio
from rtsep.realtime import layout as at
from rtsep.realtime.segment import Segment

FORMATS: dict[str, tuple[str, str]] = {"wav": ("wav", "int24"), "float": ("wav", "float32"), "flac": ("flac", "int24")}
"""What a user asks for: file ending and samples."""

_POLL_S = 0.05
_SYNC_S = 0.5
_MEMORY_S = 60.0
_NICENESS = 5


class RecordingRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Everything the recording process must know."""

    descriptor: int
    capacity: int
    first: int
    """Output frame at which the recording begins."""
    folder: str
    format: str


class RecordingEvent(msgspec.Struct, frozen=True, kw_only=True):
    """A line on the recording process's standard output."""

    frames: int
    lost: int = 0
    error: str = ""
    ended: bool = False


class DiskWriter:
    """The thread that waits for the disk.

    Attributes:
        waiting: frames in memory.
        safe: frames that every file will hold even if this process is killed.
        error: why it writes no more; empty otherwise.
    """

    def __init__(self, files: list[WavStream | FlacStream], rate: int) -> None:
        self._files, self._sync_frames = files, round(_SYNC_S * rate)
        self._blocks: queue.Queue[Audio | None] = queue.Queue()
        self.waiting = self.safe = 0
        self.error = ""
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def put(self, block: Audio) -> None:
        """Take `[tracks, channels, frames]` to be written."""
        self.waiting += block.shape[2]
        self._blocks.put(block)

    def finish(self) -> None:
        """Write what waits and close the files, all of one length."""
        self._blocks.put(None)
        self._thread.join()

    @property
    def frames(self) -> int:
        """Frames that every file holds."""
        return min(file.frames for file in self._files)

    def _run(self) -> None:
        try:
            while (block := self._blocks.get()) is not None:
                for file, track in zip(self._files, block, strict=True):
                    file.append(track)
                self.waiting -= block.shape[2]
                if self.frames - self.safe >= self._sync_frames:
                    for file in self._files:
                        file.sync()
                    self.safe = self.frames
        except OSError as error:
            self.error = f"{(error.strerror or str(error)).capitalize()} in {self._files[0].path.parent}."
        shortest = self.frames
        for file in self._files:
            with contextlib.suppress(OSError):
                file.cut(shortest)
            with contextlib.suppress(OSError):
                file.close()


def _record(request: RecordingRequest, ended: threading.Event) -> int:
    """Record until `ended` is set or the disk refuses; returns an exit code."""
    segment = Segment(request.descriptor, request.capacity)
    rate = int(segment.header[at.RATE])
    ending, samples = FORMATS[request.format]
    kind = WavStream if ending == "wav" else FlacStream
    try:
        files = [kind(Path(request.folder) / f"{track}.{ending}", rate, at.CHANNELS, samples) for track in TRACKS]
    except OSError as error:
        _say(RecordingEvent(frames=0, error=f"{request.folder}: {(error.strerror or str(error)).lower()}."))
        return 1
    disk = DiskWriter(files, rate)
    reader = RingReader(segment, request.first)
    told = 0
    while not ended.wait(_POLL_S) and not disk.error:
        disk.put(reader.take())
        if disk.waiting > _MEMORY_S * rate:
            disk.error = f"The disk has not kept up for {_MEMORY_S:g} s; a faster one or --record-format flac helps."
        if disk.safe > told:
            told = disk.safe
            _say(RecordingEvent(frames=told, lost=reader.lost))
    if not disk.error:
        disk.put(reader.take(all_of_it=True))
    disk.finish()
    _say(RecordingEvent(frames=disk.frames, lost=reader.lost, error=disk.error, ended=True))
    return 1 if disk.error else 0


def _say(event: RecordingEvent) -> None:
    with contextlib.suppress(OSError):  # the engine may be gone
        sys.stdout.buffer.write(msgspec.json.encode(event) + b"\n")
        sys.stdout.buffer.flush()


def main() -> int:
    """Entry of the process: one JSON request as argument; ends with its standard input."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the audio process's to handle
    with contextlib.suppress(OSError):
        os.nice(_NICENESS)
    ended = threading.Event()

    def wait_for_the_end() -> None:
        sys.stdin.buffer.read()
        ended.set()

    threading.Thread(target=wait_for_the_end, daemon=True).start()
    return _record(msgspec.json.decode(sys.argv[1].encode(), type=RecordingRequest), ended)


if __name__ == "__main__":
    sys.exit(main())
