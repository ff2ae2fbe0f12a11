"""Switches recording on and off while the engine runs; the work is done by a process of its own (`recording_process`)."""

from __future__ import annotations

import contextlib
import datetime
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import msgspec

from rtsep.engine.session import Engine
from rtsep.errors import AudioFileError, UsageError, nearest
from rtsep.io.recording_process import FORMATS, RecordingEvent, RecordingRequest
from rtsep.realtime import layout as at


class Recorder:
    """Switches recording on and off. Control threads only.

    Attributes:
        frames: safe on the disk so far, as last heard of.
        error: why the recording ended by itself; empty otherwise.
    """

    def __init__(
        self, engine: Engine, parent: Path, *, format_name: str = "wav", on_event: Callable[[str], None] | None = None
    ) -> None:
        """Prepare.

        Args:
            engine: laid out.
            parent: each recording gets a folder of its own in this one, named by date and time.
            format_name: a key of `FORMATS`.
            on_event: called with a sentence when a recording begins or ends.

        Raises:
            UsageError: there is no such format.
        """
        if format_name not in FORMATS:
            hint = nearest(format_name, FORMATS)
            raise UsageError(f'There is no recording format "{format_name}".{hint} Formats: {", ".join(FORMATS)}.')
        self._engine, self._parent, self._format = engine, parent, format_name
        self._tell = on_event or (lambda _text: None)
        self._process: subprocess.Popen[bytes] | None = None
        self._listener: threading.Thread | None = None
        self.folder: Path | None = None
        self.frames, self.error = 0, ""

    @property
    def recording(self) -> bool:
        """Whether something is being recorded."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int | None:
        """Process id of the recording process."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Begin a recording; does nothing while there is one.

        Raises:
            AudioFileError: the folder cannot be made.
        """
        if self.recording:
            return
        self.folder = _new_folder(self._parent)
        self.frames, self.error = 0, ""
        segment = self._engine.segment
        request = RecordingRequest(
            descriptor=segment.descriptor,
            capacity=segment.capacity,
            first=int(segment.header[at.OUT_POS]),
            folder=str(self.folder),
            format=self._format,
        )
        self._process = subprocess.Popen(
            [sys.executable, "-m", "rtsep.io.recording_process", msgspec.json.encode(request).decode()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=[segment.descriptor],
            start_new_session=True,
        )
        self._listener = threading.Thread(target=self._listen, args=(self._process,), daemon=True)
        self._listener.start()
        self._tell(f"Recording to {self.folder}")

    def stop(self, limit_s: float = 10.0) -> None:
        """Finish the files; does nothing while there is no recording."""
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(OSError):
            if process.stdin:
                process.stdin.close()
        try:
            process.wait(limit_s)
        except subprocess.TimeoutExpired:
            process.kill()  # the files are valid up to a second ago
            process.wait()
        if self._listener:
            self._listener.join(1.0)
        seconds = self.frames / self._engine.stream.rate
        if not self.error:
            self._tell(f"Recorded {seconds:.1f} s to {self.folder}")

    def _listen(self, process: subprocess.Popen[bytes]) -> None:
        for line in process.stdout or ():
            event = msgspec.json.decode(line, type=RecordingEvent)
            self.frames = event.frames
            if event.error and not self.error:
                self.error = event.error
                self._tell(f"The recording has ended: {event.error} Audio goes on.")
        if process.stdout:
            process.stdout.close()


def _new_folder(parent: Path) -> Path:
    name = datetime.datetime.now().astimezone().strftime("%Y-%m-%d %H.%M.%S")
    for suffix in ("", *(f" ({n})" for n in range(2, 100))):
        folder = parent / f"{name}{suffix}"
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            continue
        except OSError as error:
            raise AudioFileError(f"Recordings cannot be put into {parent}: {(error.strerror or str(error)).lower()}.") from error
        return folder
    raise AudioFileError(f"There are too many recordings of this second in {parent}.")
