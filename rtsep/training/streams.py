"""Endless training streams: stretches of mixed music, cut into consecutive chunks through which the recurrent state is carried.

A chunk is never zero-padded and its spectra see the true past. Networks trained on short padded chunks learn to count frames
since the start and fail within seconds of a live stream.

Every stretch is drawn from `(seed, lane, number)` alone. Resuming at chunk n of lane l therefore needs no stored audio and no
stored generator: the same numbers give the same sound.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from rtsep.stems import STEMS
from rtsep.training import augment
from rtsep.training.corpus import ACCOMPANIMENT, Corpus, Pcm, Song
from rtsep.training.mastering import duck, glue
from rtsep.training.rooms import filter_stem
from rtsep.training.teacher import Teacher
from rtsep.units import db_to_gain

REFERENCE_RMS = 0.12
"""Level of a mix before the random level change: about -18 dBFS, as mixed popular music has it."""

VOCALS, DRUMS, BASS, OTHER = range(4)

LAYERED = {VOCALS: 0.2, DRUMS: 0.1, OTHER: 0.4}
"""How often a stem of a random mix has a second clip behind the first: harmonies, percussion, one more instrument."""

SPEED_SPAN = {"vocals": 1.3, "other": 2.5}
"""Speeds of loose clips reach so many times `speed_semitones`. What is `other` must not be recognised by a few instruments:
whatever a network has never heard belongs there, so other clips are changed until they are hardly known again."""

BACKWARDS = 0.15
"""Share of other clips that are played backwards."""

DOUBLED, DUCKED, GLUED = 0.12, 0.15, 0.4
"""Shares of produced mixes in which a guitar plays along with the bass, bass and other make room for the kick, and all goes
through one compressor."""


class StreamConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How stretches are drawn. Probabilities of the three kinds add up to one."""

    stretch_chunks: int = 4
    chunk_frames: int = 256
    coherent: float = 0.35
    random: float = 0.5
    accompaniment: float = 0.15
    stem_gain_db: float = 7.0
    song_gain_db: float = 5.0
    drop_stem: float = 0.1
    speed_semitones: float = 3.0
    tempo: float = 0.0
    """Share of the cuts whose tempo changes by itself; it costs as much time as all other changes together."""
    level_db: tuple[float, float] = (-20.0, 6.0)
    produced: float = 0.0
    """Share of loose clips that are treated as on a record; of songs' stems half as many."""
    overdub: float = 0.0
    """Share of cuts of songs without vocals over which some loose clip sings."""
    carry: float = 0.0
    """Share of stretches that meet a network which remembers what the lane gave before, as a live stream does for hours."""


@dataclass(frozen=True)
class Stretch:
    """Twelve seconds or so of music with known parts.

    stems: `[4, 2, frames]` float32 in the order of `STEMS`; their sum is the mix.
    groups: `[4, 4]`; row g selects the stems whose sum is the g-th known target.
    weights: `[4]`; 0 where there is no g-th target.
    power: mean square of the mix.

    With a teacher there is a fifth part, which the mix does not hold, and a fifth target: what the teacher takes for vocals.
    """

    stems: NDArray[np.float32]
    groups: NDArray[np.float32]
    weights: NDArray[np.float32]
    power: float

    @property
    def mix(self) -> NDArray[np.float32]:
        """What is heard, `[2, frames]`."""
        mix: NDArray[np.float32] = self.stems[: len(STEMS)].sum(0)
        return mix


def grouped(*groups: tuple[int, ...]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Build `Stretch.groups` and `Stretch.weights` for the given sets of stems."""
    matrix, weights = np.zeros((4, 4), np.float32), np.zeros(4, np.float32)
    for row, members in enumerate(groups):
        matrix[row, list(members)] = 1.0
        weights[row] = 1.0
    return matrix, weights


EACH_STEM = grouped((VOCALS,), (DRUMS,), (BASS,), (OTHER,))
BASS_WITH_OTHER = grouped((VOCALS,), (DRUMS,), (BASS, OTHER))
VOCALS_OR_NOT = grouped((VOCALS,), (DRUMS, BASS, OTHER))


class StretchMaker:
    """Draws stretches from a corpus."""

    def __init__(self, corpus: Corpus, config: StreamConfig, rate: int, frames: int, teacher: Teacher | None = None) -> None:
        self.corpus, self.config, self.rate, self.frames, self.teacher = corpus, config, rate, frames, teacher
        kinds = {
            self._coherent: config.coherent if corpus.songs else 0.0,
            self._random: config.random if all(corpus.clips.get(stem) for stem in STEMS) else 0.0,
            self._accompaniment: config.accompaniment if corpus.clips.get(ACCOMPANIMENT) else 0.0,
        }
        self._kinds = tuple(kinds)
        total = sum(kinds.values())
        if total <= 0.0:
            raise ValueError("the corpus has neither songs nor a clip of every class")
        self._chances = np.array(list(kinds.values())) / total

    def draw(self, seed: tuple[int, ...]) -> Stretch:
        """Return the stretch that belongs to `seed`."""
        rng = np.random.default_rng(seed)
        stems, (groups, weights) = self._kinds[rng.choice(len(self._kinds), p=self._chances)](rng)
        if rng.random() < self.config.produced:
            self._arrange(stems, rng)
        for stem in range(4):
            if rng.random() < self.config.drop_stem:
                stems[stem] = 0.0
        level = np.sqrt(np.mean(stems.sum(0) ** 2)) + 1e-5
        lowest_db, highest_db = self.config.level_db
        gain = REFERENCE_RMS / max(level, 0.02) * db_to_gain(rng.triangular(lowest_db, 0.0, highest_db))
        stems *= np.float32(gain)
        if self.teacher is not None:
            stems, groups, weights = self._taught(self.teacher, seed, stems, groups, weights)
        return Stretch(stems, groups, weights, float((gain * level) ** 2))

    def _arrange(self, stems: NDArray[np.float32], rng: np.random.Generator) -> None:
        """Treat the stems of a mix together, in place, as arrangers and mastering do."""
        if rng.random() < DOUBLED and stems[BASS].any():
            guitar = augment.place(augment.double(stems[BASS], rng, self.rate), rng)
            level, wanted = (np.sqrt(np.mean(x * x)) for x in (guitar, stems[BASS]))
            stems[OTHER] += guitar * np.float32(wanted * db_to_gain(rng.uniform(-6.0, 6.0)) / (level + 1e-6))
        if rng.random() < DUCKED and stems[DRUMS].any():
            stems[BASS : OTHER + 1] *= duck(stems[DRUMS], rng, self.rate)
        if rng.random() < GLUED:
            stems *= glue(stems.sum(0), rng, self.rate)

    def _taught(
        self,
        teacher: Teacher,
        seed: tuple[int, ...],
        stems: NDArray[np.float32],
        groups: NDArray[np.float32],
        weights: NDArray[np.float32],
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
        """Add the teacher's vocals as a fifth part and target, where there are vocals and it is its turn."""
        part = np.zeros_like(stems[:1])
        # Of its own generator: the music is the same with and without a teacher.
        heard = np.random.default_rng((*seed, 2)).random() < teacher.share and stems[VOCALS].any()
        if heard:
            part[0] = teacher.vocals(stems.sum(0), stems[VOCALS])
        groups, weights = np.pad(groups, (0, 1)), np.append(weights, np.float32(teacher.weight * heard))
        groups[-1, -1] = 1.0
        return np.concatenate((stems, part)), groups, weights

    def _cut(self, pcm: Pcm, start: int, ratio: float, tempo: float) -> NDArray[np.float32]:
        """Read `[2, frames]` from `start`, at another speed and tempo; a shorter clip is repeated."""
        wanted = int(np.ceil(self.frames * ratio * tempo)) + 64
        part = np.asarray(pcm[start : start + wanted], np.float32) / 32768.0
        if len(part) < wanted:
            part = np.concatenate([part, np.asarray(pcm[: wanted - len(part)], np.float32) / 32768.0])
        part = augment.change_tempo(augment.change_speed(part, ratio, self.rate), tempo, self.rate)
        if len(part) < self.frames:
            part = np.concatenate([part] * -(-self.frames // len(part)))
        part = part[: self.frames].T
        return np.repeat(part, 2, 0) if len(part) == 1 else part

    def _loose(self, rng: np.random.Generator, stem: str) -> NDArray[np.float32]:
        """One clip of a class: cut, changed, and brought to a common level."""
        pool = self.corpus.clips[stem]
        pcm = pool[rng.integers(len(pool))]
        semitones = self.config.speed_semitones * SPEED_SPAN.get(stem, 1.0)
        ratio, tempo = augment.speed_ratio(rng, semitones), augment.tempo_ratio(rng, self.config.tempo)
        x = self._cut(pcm, int(rng.integers(max(1, len(pcm) - int(self.frames * ratio * tempo)))), ratio, tempo)
        if stem == "other" and rng.random() < BACKWARDS:
            x = x[:, ::-1]
        x = augment.produce(x, rng, self.rate, stem, self.config.produced)
        x = augment.saturate(x, rng, 0.3 if stem == "other" else 0.1)
        x = filter_stem(x, rng, self.rate, equaliser=0.7, room=0.6 if stem == "vocals" else 0.2)
        x = augment.place(x, rng)
        level = float(np.sqrt(np.mean(x * x)))
        gain_db = rng.uniform(-self.config.stem_gain_db, self.config.stem_gain_db)
        # Below 0.003 (-50 dBFS) the cut is a pause of that stem; raising it would raise its noise.
        return x * np.float32(db_to_gain(gain_db) * 0.07 / max(level, 0.003))

    def _random(self, rng: np.random.Generator) -> tuple[NDArray[np.float32], tuple[NDArray[np.float32], NDArray[np.float32]]]:
        stems = np.stack([self._loose(rng, stem) for stem in STEMS])
        for stem, share in LAYERED.items():
            if rng.random() < share:
                stems[stem] += np.float32(rng.uniform(0.2, 0.7)) * self._loose(rng, STEMS[stem])
        return stems, EACH_STEM

    def _coherent(self, rng: np.random.Generator) -> tuple[NDArray[np.float32], tuple[NDArray[np.float32], NDArray[np.float32]]]:
        song: Song = self.corpus.songs[rng.integers(len(self.corpus.songs))]
        ratio, tempo = augment.speed_ratio(rng, self.config.speed_semitones), augment.tempo_ratio(rng, self.config.tempo)
        start = int(rng.integers(max(1, song.frames - int(self.frames * ratio * tempo))))
        stems = np.zeros((4, 2, self.frames), np.float32)
        for index, stem in enumerate(STEMS):
            if stem in song.stems:
                x = self._cut(song.stems[stem][: song.frames], start, ratio, tempo)
                x = augment.produce(x, rng, self.rate, stem, 0.5 * self.config.produced)
                x = filter_stem(x, rng, self.rate, equaliser=0.5, room=0.15)
                gain_db = rng.uniform(-self.config.song_gain_db, self.config.song_gain_db)
                stems[index] = augment.place(x, rng) * np.float32(db_to_gain(gain_db))
        if "vocals" not in song.stems and rng.random() < self.config.overdub:
            stems[VOCALS] = self._loose(rng, "vocals")
        return stems, BASS_WITH_OTHER if song.merged else EACH_STEM

    def _accompaniment(
        self, rng: np.random.Generator
    ) -> tuple[NDArray[np.float32], tuple[NDArray[np.float32], NDArray[np.float32]]]:
        stems = np.zeros((4, 2, self.frames), np.float32)
        stems[VOCALS] = self._loose(rng, "vocals")
        stems[OTHER] = self._loose(rng, ACCOMPANIMENT) * np.float32(1.5)
        return stems, VOCALS_OR_NOT


class Lane:
    """One endless stream: stretch after stretch, chunk after chunk."""

    def __init__(self, maker: StretchMaker, hop: int, history: int, seed: int, lane: int, position: int = 0) -> None:
        """Start at chunk `position` (0 for a new lane). `history` samples of true past precede every chunk's new ones."""
        self.maker, self.seed, self.lane, self.position = maker, seed, lane, position
        self.history, self.samples = history, maker.config.chunk_frames * hop
        self._number = -1
        self._stretch: Stretch | None = None

    def next(self) -> tuple[NDArray[np.float32], Stretch, bool]:
        """Return the next chunk `[4, 2, history + samples]`, its stretch, and whether the network is to forget before it."""
        number, part = divmod(self.position, self.maker.config.stretch_chunks)
        if self._stretch is None or number != self._number:
            self._stretch, self._number = self.maker.draw((self.seed, self.lane, number)), number
        self.position += 1
        stop = (part + 1) * self.samples
        start = stop - self.samples - self.history
        stems = self._stretch.stems[:, :, max(0, start) : stop]
        if start < 0:  # the stream begins here: silence is its true past
            stems = np.concatenate([np.zeros((*stems.shape[:2], -start), np.float32), stems], -1)
        fresh = part == 0 and np.random.default_rng((self.seed, self.lane, number, 1)).random() >= self.maker.config.carry
        return stems, self._stretch, fresh
