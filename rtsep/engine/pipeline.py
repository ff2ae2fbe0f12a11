"""A song through a separator: blocks of any size in, blocks of stems out, aligned with the song and exactly as long.

This is the live engine without its clock: the same separator takes the same hops in the same order, so a file sounds as
live does. Pure: no threads, no devices, no files; memory does not grow with the song (except for tiers that need all of it).

The separator's output runs `latency` frames behind its input, so the first `latency` frames are dropped and silence is fed
at the end until every frame has come out. Worked example: hop 1024, latency 1024, a song of 2500 frames. Three hops hold the
song (the third padded by 572 zeros) and give 3 * 1024 - 1024 = 2048 aligned frames; a fourth hop of silence gives the other 452.

A mono song is fed to both channels and comes back as their mean; stems that add up in each channel then add up in the mean.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeGuard, cast

import numpy as np

from rtsep.models.separator import Audio, Separator, WholeFileSeparator


def separate(blocks: Iterable[Audio], separator: Separator | WholeFileSeparator) -> Iterator[Audio]:
    """Separate a song while it is being read.

    Args:
        blocks: the song, each `[channels, n]` float32 at the separator's rate, full scale ±1, `n >= 0`, one or two channels.
        separator: starts from silence.

    Yields:
        `[stems, channels, m]` float32 in the order of `spec.stems`; together as many frames as went in. Each array is the
        caller's to keep.

    Raises:
        ValueError: a block has more channels than the separator, or another number than the first block.
    """
    if _is_streaming(separator):
        yield from _stream(blocks, separator)
    else:
        yield from _whole(blocks, cast(WholeFileSeparator, separator))


def separate_array(mix: Audio, separator: Separator | WholeFileSeparator) -> Audio:
    """Separate `[channels, frames]` that is in memory into `[stems, channels, frames]`; see `separate`."""
    parts = list(separate([mix], separator))
    if not parts:
        return np.zeros((len(separator.spec.stems), *mix.shape), np.float32)
    return np.concatenate(parts, axis=2)


def _is_streaming(separator: Separator | WholeFileSeparator) -> TypeGuard[Separator]:
    return hasattr(separator, "step")


def _stream(blocks: Iterable[Audio], separator: Separator) -> Iterator[Audio]:
    spec = separator.spec
    state = separator.init_state()
    hop = np.zeros((spec.channels, spec.hop), np.float32)
    filled = 0  # frames of the hop that is being filled
    taken = 0  # frames of the song so far
    given = -spec.latency  # frames handed out so far; negative while the latency passes
    mono = False
    for block, mono in _as_model_channels(blocks, spec.channels):
        used = 0
        taken += block.shape[1]
        while used < block.shape[1]:
            count = min(spec.hop - filled, block.shape[1] - used)
            hop[:, filled : filled + count] = block[:, used : used + count]
            filled += count
            used += count
            if filled == spec.hop:
                yield from _aligned(separator.step(hop, state), given, taken, mono)
                given += spec.hop
                filled = 0
    while given < taken:
        hop[:, filled:] = 0.0
        yield from _aligned(separator.step(hop, state), given, taken, mono)
        given += spec.hop
        filled = 0


def _aligned(stems: Audio, start: int, end: int, mono: bool) -> Iterator[Audio]:
    """Yield a copy of the frames of one step that lie inside the song; `start` is the song frame of the step's first."""
    inside = stems[:, :, max(0, -start) : max(0, end - start)]
    if inside.shape[2]:
        yield _as_song_channels(inside, mono)


def _whole(blocks: Iterable[Audio], separator: WholeFileSeparator) -> Iterator[Audio]:
    parts = list(_as_model_channels(blocks, separator.spec.channels))
    if parts and (mix := np.concatenate([block for block, _ in parts], axis=1)).shape[1]:
        mono = parts[0][1]
        yield _as_song_channels(separator.separate(mix), mono)


def _as_model_channels(blocks: Iterable[Audio], channels: int) -> Iterator[tuple[Audio, bool]]:
    """Yield each block with the model's channels, and whether a mono song was spread to get there."""
    first = None
    for block in blocks:
        first = block.shape[0] if first is None else first
        if block.shape[0] != first:
            raise ValueError(f"the song began with {first} channels and went on with {block.shape[0]}")
        if first not in (1, channels):
            raise ValueError(f"a song of {first} channels cannot go through a model of {channels}")
        mono = first < channels
        yield (np.repeat(block, channels, axis=0) if mono else block), mono


def _as_song_channels(stems: Audio, mono: bool) -> Audio:
    return stems.mean(axis=1, keepdims=True, dtype=np.float32) if mono else stems.copy()
