"""What a recording takes from the rings of an engine: mix as heard, stems before the faders, and the input, sample-aligned.

Frame k of every file is output frame `start + k`. The mix comes from the ring of what was played; stem and input frames from the
place `t - L` that was heard then. Stems are taken before faders, so that what a player muted can still be mixed later; where the
model was late they hold an equal share of the input, as the dry mix does. Reading stays a little behind the audio thread, which
it never disturbs: it only loads memory.
"""

from __future__ import annotations

import numpy as np

from rtsep.models.separator import Audio
from rtsep.realtime import layout as at
from rtsep.realtime.segment import Segment
from rtsep.stems import STEMS

TRACKS: tuple[str, ...] = ("mix", *STEMS, "input")
"""Files of a recording, each stereo."""

_BEHIND_S = 0.25
_NEAREST = 2 * at.MAX_BLOCK


class RingReader:
    """Reads what is played, block by block.

    Attributes:
        lost: frames that were overwritten before they could be read; they are silent in the recording.
    """

    def __init__(self, segment: Segment, first: int) -> None:
        """Begin at output frame `first`, or at the oldest that is still there."""
        self._segment = segment
        self._at = max(first, int(segment.header[at.OUT_POS]) - at.PLAYED + _NEAREST)
        self.lost = 0

    def take(self, *, all_of_it: bool = False) -> Audio:
        """Read what is old enough that late stems had their chance, or at the end all of it.

        Returns:
            `[tracks, CHANNELS, frames]` float32, in the order of `TRACKS`; frames may be 0.
        """
        header = self._segment.header
        now = int(header[at.OUT_POS])
        behind = 0 if all_of_it else min(round(_BEHIND_S * int(header[at.RATE])), at.PLAYED // 4)
        last = max(self._at, now - behind)
        oldest = now - at.PLAYED + _NEAREST
        silent = max(0, min(oldest, last) - self._at)
        tracks = np.zeros((len(TRACKS), at.CHANNELS, last - self._at), np.float32)
        if last > self._at + silent:
            self._read(self._at + silent, last, tracks[:, :, silent:])
        self.lost += silent
        self._at = last
        return tracks

    def _read(self, first: int, last: int, tracks: Audio) -> None:
        segment, header = self._segment, self._segment.header
        latency, capacity = int(header[at.LATENCY]), int(header[at.CAPACITY])
        heard = np.arange(first, last) & (at.PLAYED - 1)
        tracks[0] = segment.played[: at.CHANNELS, heard]
        place = np.arange(first - latency, last - latency)
        source = segment.source[:, place & (capacity - 1)]
        source[:, place < 0] = 0.0
        tracks[-1] = source
        present = self._published(place)
        stems = segment.stems[:, place & (capacity - 1)].reshape(at.SLOTS, at.CHANNELS, -1)
        mask = int(header[at.STEM_MASK])
        for slot in range(at.SLOTS):
            share = float(mask >> slot & 1) / mask.bit_count()
            tracks[1 + slot] = np.where(present, stems[slot], np.float32(share) * source)

    def _published(self, place: np.ndarray) -> np.ndarray:
        """Whether the stems of each frame are there."""
        header = self._segment.header
        hop = (place + int(header[at.MODEL_LATENCY])) // int(header[at.HOP])
        expected = (int(header[at.EPOCH]) << 40) + hop + 1
        published: np.ndarray = self._segment.tags[hop & (at.TAGS - 1)] == expected
        return published | (place < 0)
