"""A song as input: a feeder decodes ahead of what is heard, so the model works ahead too and nothing has to be delayed.

Frame t of the song is input frame t, and output frame t plays it: the engine's latency is 0, whatever the model's. The feeder
keeps at most half a ring between the output clock and itself, and pads the end with silence until the model has given back
the last frame. A song at another rate than the device's is resampled on the way; pedalboard's resampler is half a frame off
in time, which does not matter to a listener.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from pedalboard.io import StreamResampler

from rtsep.engine.session import Engine
from rtsep.errors import RtsepError
from rtsep.io.files import open_audio
from rtsep.models.separator import Audio
from rtsep.realtime import layout as at

_NAP_S = 0.02
_BLOCK = 4096


class SongFeeder:
    """Writes a song into an engine's input ring. Control threads only; the thread it starts is its own.

    Attributes:
        error: what went wrong while decoding, empty if nothing did.
    """

    def __init__(self, engine: Engine, song: Path, *, on_event: Callable[[str], None]) -> None:
        self._engine, self._song, self._tell = engine, song, on_event
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="rtsep-feeder", daemon=True)
        self.error = ""

    def start(self) -> None:
        """Begin to decode. Returns at once."""
        self._thread.start()

    def stop(self) -> None:
        """End early."""
        self._stop.set()
        self._thread.join()

    @property
    def finished(self) -> bool:
        """Whether the last frame has been heard."""
        header = self._engine.segment.header
        return 0 <= int(header[at.END]) <= int(header[at.OUT_POS])

    def _run(self) -> None:
        header = self._engine.segment.header
        try:
            with open_audio(self._song) as song:
                for block in self._at_device_rate(song.blocks(_BLOCK), song.rate, song.channels):
                    if not self._write(block):
                        return
        except RtsepError as error:
            self.error = str(error)
            self._tell(f"{error} Playing ends there.")
        header[at.END] = header[at.IN_W]
        hop = int(header[at.HOP])
        rest = int(header[at.MODEL_LATENCY]) + 2 * hop
        for start in range(0, rest, _BLOCK):
            self._write(np.zeros((at.CHANNELS, min(_BLOCK, rest - start)), np.float32))

    def _at_device_rate(self, blocks: Iterator[Audio], rate: int, channels: int) -> Iterator[Audio]:
        wanted = self._engine.stream.rate
        if rate == wanted:
            yield from blocks
            return
        resampler = StreamResampler(rate, wanted, channels)
        for block in blocks:
            yield resampler.process(block)
        yield resampler.process(None)

    def _write(self, block: Audio) -> bool:
        """Append when there is room; False if told to stop meanwhile."""
        header, ring = self._engine.segment.header, self._engine.segment.source
        capacity = ring.shape[1]
        start, n = int(header[at.IN_W]), block.shape[1]
        while start + n - int(header[at.OUT_POS]) > capacity // 2:
            if self._stop.wait(_NAP_S):
                return False
        places = np.arange(start, start + n) & (capacity - 1)
        ring[:, places] = block  # a mono song feeds both sides
        header[at.IN_W] = start + n
        self._engine.segment.wake()
        return not self._stop.is_set()
