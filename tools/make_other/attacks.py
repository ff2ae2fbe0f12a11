"""What strikes in a piece of music: strokes are counted in the band of cymbals and in that of the kick drum.

A stroke is a rise within three hops (35 ms). Drum tracks have 1.5 and more of them per second in the band of cymbals; organs,
pads, strings and pianos under 0.15, picked guitars 1 to 2. Passages are chosen by these counts, before anything is filtered.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Audio = NDArray[np.float32]
"""`[frames, 2]`, full scale ±1, at `RATE`."""

RATE = 44100
HOP = 512
FFT = 1024

STRIKE_DB = 9.0
KICK_DB = 12.0
AUDIBLE_DB = -40.0
"""Against the level of the three seconds around: quieter strokes are no label that training could notice."""
KICK_AUDIBLE_DB = -10.0
SILENCE_DBFS = -50.0

STRIKES_PER_S = 0.2
KICKS_PER_S = {"orchestra": 0.4}
"""By kind of music: the low strings of an orchestra are kept, hence timpani would be too."""
KICKS_ELSE_PER_S = 1.0
"""Of these the body is cut off with the bass; more of them would be a drummer whose sticks were missed."""
MOSTLY_BASS_DB = -2.5
TOO_BUSY_PER_S = 3.0
"""Of passages with more strikes nothing is left that `tones.py` would accept."""
DRUMS_PER_S = 1.0
"""Strikes at least, for a passage with drums."""

CLIP_S = (45.0, 30.0, 20.0)
"""Lengths of a passage; the longest that is clean wins."""
DRUMMED_S = 48.0
CLIPS_PER_TRACK = 4
DRUMMED_PER_TRACK = 3


def decibels(ratio: float) -> float:
    """Return a ratio of energies in dB."""
    return 10.0 * float(np.log10(max(ratio, 1e-12)))


@dataclass(frozen=True)
class Attacks:
    """What strikes, and how loud it is, by hops; `cymbals` and `kicks` are 1 where a stroke begins."""

    cymbals: NDArray[np.float32]
    kicks: NDArray[np.float32]
    power: NDArray[np.float32]
    low: NDArray[np.float32]

    def between(self, start_s: float, stop_s: float) -> Attacks:
        """Cut out a passage."""
        part = slice(int(start_s * RATE / HOP), int(stop_s * RATE / HOP))
        return Attacks(self.cymbals[part], self.kicks[part], self.power[part], self.low[part])

    @property
    def strikes_per_s(self) -> float:
        """Strokes of the cymbals' band."""
        return float(self.cymbals.mean()) * RATE / HOP

    @property
    def kicks_per_s(self) -> float:
        """Strokes of the kick drum's band."""
        return float(self.kicks.mean()) * RATE / HOP

    @property
    def bass_db(self) -> float:
        """Share of the energy below 130 Hz."""
        return decibels(float(self.low.sum()) / max(float(self.power.sum()), 1e-12))

    @property
    def sounding(self) -> float:
        """Share of the time that is louder than `SILENCE_DBFS`."""
        return float((self.power > 10 ** (SILENCE_DBFS / 10)).mean())


def find_attacks(x: Audio, audible_db: float = AUDIBLE_DB) -> Attacks:
    """Find the strokes in the middle channel of `x`; cymbals count from `audible_db` on, against the music around them."""
    middle = x.mean(1)
    window = np.hanning(FFT).astype(np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(middle, FFT)[::HOP]
    spectrum = np.concatenate(
        [np.abs(np.fft.rfft(part * window)) ** 2 for part in np.array_split(frames, len(frames) // 4096 + 1)]
    )
    spectrum *= 2.0 / (FFT * np.sum(window**2))  # so that the sum over bins is the mean square
    hertz = np.fft.rfftfreq(FFT, 1.0 / RATE)
    power = spectrum[:, hertz >= 30].sum(1)
    width = int(3.0 * RATE / HOP)
    around = np.convolve(power, np.ones(width) / width, "same") + 1e-8

    def strokes(lowest_hz: float, highest_hz: float, rise_db: float, audible_db: float) -> NDArray[np.float32]:
        band = spectrum[:, (hertz >= lowest_hz) & (hertz < highest_hz)].sum(1)
        level = 10.0 * np.log10(band / around + 1e-7)
        before = np.minimum.reduce([np.roll(level, lag) for lag in (1, 2, 3)])
        rises = np.flatnonzero((level - before >= rise_db) & (level > audible_db))
        begins = rises[np.diff(rises, prepend=-99) > 5]  # one stroke rises for several hops
        marks = np.zeros(len(level), np.float32)
        marks[begins] = 1.0
        return marks

    return Attacks(
        strokes(6000, 15000, STRIKE_DB, audible_db),
        strokes(40, 130, KICK_DB, KICK_AUDIBLE_DB),
        power.astype(np.float32),
        spectrum[:, hertz < 130].sum(1).astype(np.float32),
    )


def is_clean(attacks: Attacks, kind: str) -> bool:
    """Tell whether a passage holds no drums, and not mostly bass."""
    struck = attacks.strikes_per_s > STRIKES_PER_S or attacks.kicks_per_s > KICKS_PER_S.get(kind, KICKS_ELSE_PER_S)
    return not struck and attacks.sounding > 0.9 and attacks.bass_db < MOSTLY_BASS_DB


def passages(attacks: Attacks, seconds: float, kind: str) -> list[tuple[float, float]]:
    """Choose up to `CLIPS_PER_TRACK` clean passages (start and stop in s) that do not overlap, the longest first."""
    chosen: list[tuple[float, float]] = []
    for length in CLIP_S:
        for start in np.arange(0.0, seconds - length, 2.5):
            stop = start + length
            apart = all(stop <= other[0] or start >= other[1] for other in chosen)
            if len(chosen) < CLIPS_PER_TRACK and apart and is_clean(attacks.between(start, stop), kind):
                chosen.append((float(start), float(stop)))
    return chosen


def drummed(attacks: Attacks, seconds: float, taken: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Choose up to `DRUMMED_PER_TRACK` passages with drums, spread over the track and apart from those that are taken."""
    chosen: list[tuple[float, float]] = []
    length = DRUMMED_S
    for start in np.arange(5.0, seconds - length, max(length, (seconds - length) / DRUMMED_PER_TRACK)):
        part = attacks.between(start, start + length)
        apart = all(start + length <= other[0] or start >= other[1] for other in taken)
        if len(chosen) < DRUMMED_PER_TRACK and apart and part.strikes_per_s >= DRUMS_PER_S and part.sounding > 0.9:
            chosen.append((float(start), float(start) + length))
    return chosen


def calmest(attacks: Attacks, seconds: float, length: float) -> list[float]:
    """Return where (in s) either half of a track is struck least, unless that is too busy to be cleaned."""
    starts = np.arange(0.0, seconds - length, 5.0)
    strikes = np.array([attacks.between(start, start + length).strikes_per_s for start in starts])
    halves = (starts + length <= seconds / 2, starts >= seconds / 2)
    best = [np.flatnonzero(half)[np.argmin(strikes[half])] for half in halves if half.any()]
    return [float(starts[at]) for at in best if strikes[at] < TOO_BUSY_PER_S]
