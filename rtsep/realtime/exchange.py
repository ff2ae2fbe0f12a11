"""The inference process's side of the rings: read a hop, write its stems, publish it. No allocation."""

from __future__ import annotations

import numpy as np
from numba import njit

from rtsep.realtime import layout as at
from rtsep.realtime.atomics import load_acquire, store_release


@njit(nogil=True, error_model="numpy", cache=True)
def hops_ready(header):  # type: ignore[no-untyped-def]
    """Number of complete hops in the input ring, counted from the start of the stream."""
    return load_acquire(header, at.IN_W) // header[at.HOP]


@njit(nogil=True, error_model="numpy", cache=True)
def read_hop(header, source, hop, out):  # type: ignore[no-untyped-def]
    """Copy input hop number `hop` into `out` `[CHANNELS, H]`."""
    mask = source.shape[1] - 1
    start = hop * header[at.HOP]
    for c in range(out.shape[0]):
        for k in range(out.shape[1]):
            out[c, k] = source[c, (start + k) & mask]


@njit(nogil=True, error_model="numpy", cache=True)
def write_stems(header, stems, hop, block, slots):  # type: ignore[no-untyped-def]
    """Put a hop of stems at the place of the input it belongs to; not yet visible.

    Args:
        header: int64 header words.
        stems: `[SLOTS * CHANNELS, capacity]` float32 ring.
        hop: number of the hop whose step returned `block`.
        block: `[model stems, CHANNELS, H]` float32.
        slots: int64, the slot of each model stem.

    Returns:
        False, with the ring as it was, if there is a NaN or an infinity in `block`.
    """
    total = np.float32(0)
    for s in range(block.shape[0]):
        for c in range(block.shape[1]):
            for k in range(block.shape[2]):
                total += block[s, c, k] * np.float32(0)  # stays 0 unless a value is not finite
    if total != np.float32(0):
        return False
    mask = stems.shape[1] - 1
    start = hop * header[at.HOP] - header[at.MODEL_LATENCY]
    for s in range(block.shape[0]):
        for c in range(block.shape[1]):
            row = slots[s] * at.CHANNELS + c
            for k in range(block.shape[2]):
                stems[row, (start + k) & mask] = block[s, c, k]
    return True


@njit(nogil=True, error_model="numpy", cache=True)
def publish(header, tags, epoch, hop):  # type: ignore[no-untyped-def]
    """Make the stems of `hop` playable."""
    store_release(tags, hop & (at.TAGS - 1), epoch << 40 | hop + 1)


@njit(nogil=True, error_model="numpy", cache=True)
def finish(header, hop):  # type: ignore[no-untyped-def]
    """Say that `hop` is over, published or not: nobody need wait for it any longer."""
    store_release(header, at.NEXT_HOP, hop + 1)


def warm_up(channels: int, hop: int) -> None:
    """Load the compiled code of this module, on memory of its own, so that the first hop does not pay for it (0.2 s)."""
    header = np.zeros(at.HEADER_WORDS, np.int64)
    header[at.HOP] = hop
    ring = np.zeros((at.CHANNELS * at.SLOTS, hop), np.float32)
    hops_ready(header)
    read_hop(header, ring[:channels], 0, np.zeros((channels, hop), np.float32))
    write_stems(header, ring, 0, np.zeros((1, channels, hop), np.float32), np.zeros(1, np.int64))
    publish(header, np.zeros(at.TAGS, np.int64), 1, 0)
    finish(header, 0)
