"""A WAV that is valid while it grows: for recordings whose length nobody knows and whose program may die.

The header is rewritten at every `sync`, so a file that was never closed holds all that was written before the last one. Space
for the 64-bit sizes of RF64 (EBU Tech 3306) is reserved from the start as a `JUNK` chunk; once the file outgrows 32 bits,
that chunk becomes `ds64`, in place.

    RIFF size WAVE | JUNK 28 … | fmt  … | (fact 4 frames) | data size samples …
    RF64 -1   WAVE | ds64 28 … |                          | data -1   samples …
"""

from __future__ import annotations

import os
import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rtsep.io.writers import quantise

_LARGEST_RIFF = 2**32 - 2**16
_PCM, _FLOAT = 1, 3
_UNKNOWN = 0xFFFFFFFF


class WavStream:
    """A growing WAV file. Each call may block on the disk and raise OSError.

    Args:
        path: must not exist.
        rate: Hz.
        channels: of every block.
        samples: `int24` or `float32`.
        largest_riff: bytes after which the file becomes RF64.
    """

    def __init__(self, path: Path, rate: int, channels: int, samples: str, *, largest_riff: int = _LARGEST_RIFF) -> None:
        self.path = path
        self.frames = 0
        self._rate, self._channels, self._largest = rate, channels, largest_riff
        self._bytes = {"int24": 3, "float32": 4}[samples]
        self._file = path.open("xb", buffering=0)
        self._data_at = len(self._header())
        self._rewrite_header()

    def append(self, block: NDArray[np.float32]) -> None:
        """Write `[channels, frames]` float32, full scale ±1; integers are rounded and saturate."""
        if self._bytes == 4:
            raw = np.ascontiguousarray(block.T, np.dtype("<f4")).tobytes()
        else:
            steps = np.ascontiguousarray(quantise(block.T, 24).astype("<i4"))  # in the upper three bytes
            raw = steps.view(np.uint8).reshape(-1, 4)[:, 1:].tobytes()
        start = self._data_at + self.frames * self._frame_bytes
        written = 0
        while written < len(raw):
            written += os.pwrite(self._file.fileno(), raw[written:], start + written)
        self.frames += block.shape[1]

    def sync(self) -> None:
        """Make the file valid up to here and have it on the disk."""
        self._rewrite_header()
        os.fdatasync(self._file.fileno())

    def cut(self, frames: int) -> None:
        """Drop what is beyond a length, such as the part of a block that a full disk took."""
        self.frames = min(self.frames, frames)
        self._file.truncate(self._data_at + self.frames * self._frame_bytes)
        self._rewrite_header()

    def close(self) -> None:
        """Finish the file."""
        try:
            if self.frames * self._frame_bytes % 2:
                os.pwrite(self._file.fileno(), b"\0", self._data_at + self.frames * self._frame_bytes)  # chunks have even lengths
            self._rewrite_header()
        finally:
            self._file.close()

    @property
    def _frame_bytes(self) -> int:
        return self._channels * self._bytes

    def _rewrite_header(self) -> None:
        os.pwrite(self._file.fileno(), self._header(), 0)

    def _header(self) -> bytes:
        data = self.frames * self._frame_bytes
        kind = _PCM if self._bytes == 3 else _FLOAT
        form = (kind, self._channels, self._rate, self._rate * self._frame_bytes, self._frame_bytes, 8 * self._bytes)
        fmt = struct.pack("<HHIIHH", *form) + (b"\0\0" if kind == _FLOAT else b"")
        fact = b"fact" + struct.pack("<II", 4, min(self.frames, _UNKNOWN)) if kind == _FLOAT else b""
        rest = b"fmt " + struct.pack("<I", len(fmt)) + fmt + fact
        riff = 4 + 36 + len(rest) + 8 + data + data % 2
        if riff <= self._largest:
            name, size, sizes, length = b"RIFF", riff, b"JUNK" + struct.pack("<I28x", 28), data
        else:
            name, size, length = b"RF64", _UNKNOWN, _UNKNOWN
            sizes = b"ds64" + struct.pack("<IQQQI", 28, riff, data, self.frames, 0)
        return name + struct.pack("<I", size) + b"WAVE" + sizes + rest + b"data" + struct.pack("<I", length)
