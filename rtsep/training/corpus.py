"""What can be trained on: songs with aligned stems and loose single-class clips, decoded once to a memory-mapped cache.

Four layouts are understood, see `rtsep.training.layouts`. Whatever the layout, a corpus ends as
* songs: aligned stems whose plain sum is the mix. A stem that is absent is silent, unless the song says that another
  stem's file holds it as well (`merged`), in which case only the sum of both is known;
* loose clips per class, to be mixed freely; class `accompaniment` is everything but vocals in one.

Audio is cached as int16 at the model's rate, `[frames, channels]`, and memory-mapped: processes share the pages, a start takes
seconds, and quantisation noise at -98 dB is far below that of the lossy originals.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from rtsep.errors import AudioFileError

ACCOMPANIMENT = "accompaniment"
"""Class of clips that hold drums, bass and other together."""

Pcm = NDArray[np.int16]
"""`[frames, channels]`, one or two channels."""


@dataclass(frozen=True)
class Source:
    """Where the audio of a clip comes from: a file, and which of its streams if it holds several."""

    path: Path
    stream: int = 0

    def identity(self) -> str:
        """Name of the decoded audio: changes when the file does."""
        status = self.path.stat()
        text = f"{self.path.resolve()}:{status.st_size}:{status.st_mtime_ns}:{self.stream}"
        return hashlib.sha256(text.encode()).hexdigest()[:24]


@dataclass(frozen=True)
class SongFiles:
    """One song as found on disk."""

    name: str
    split: str
    stems: dict[str, Source]
    merged: tuple[str, ...] = ()


@dataclass(frozen=True)
class ClipFile:
    """One single-class file as found on disk."""

    stem: str
    split: str
    source: Source


@dataclass
class Listing:
    """The files of one or several data sets."""

    songs: list[SongFiles] = field(default_factory=list)
    clips: list[ClipFile] = field(default_factory=list)
    sources: set[str] = field(default_factory=set)
    """Attributions with licences, one line each, for the model card."""

    def favour(self, text: str, times: int) -> None:
        """List training songs and clips with `text` in their name or path `times` times; validation stays as it is."""
        songs = [song for song in self.songs if song.split == "train" and text in song.name]
        clips = [clip for clip in self.clips if clip.split == "train" and text in str(clip.source.path)]
        self.songs += songs * (times - 1)
        self.clips += clips * (times - 1)

    def fingerprint(self) -> str:
        """Hash over every name and size: the same corpus on another machine has the same fingerprint."""
        rows = [
            f"{song.name}/{stem}:{source.path.name}:{source.path.stat().st_size}:{song.split}"
            for song in self.songs
            for stem, source in song.stems.items()
        ]
        rows += [f"{clip.stem}:{clip.source.path.name}:{clip.source.path.stat().st_size}:{clip.split}" for clip in self.clips]
        return hashlib.sha256("\n".join(sorted(rows)).encode()).hexdigest()


@dataclass(frozen=True)
class Song:
    """Aligned stems, ready to read."""

    name: str
    stems: dict[str, Pcm]
    merged: tuple[str, ...]

    @property
    def frames(self) -> int:
        """Length common to all stems."""
        return min(len(pcm) for pcm in self.stems.values())


@dataclass
class Corpus:
    """What the streams draw from."""

    songs: list[Song] = field(default_factory=list)
    clips: dict[str, list[Pcm]] = field(default_factory=dict)

    def hours(self) -> float:
        """Duration of the songs plus that of the loose clips, at 44.1 kHz."""
        frames = sum(song.frames for song in self.songs) + sum(len(pcm) for pool in self.clips.values() for pcm in pool)
        return frames / 44100 / 3600


Decoder = Callable[[Source], tuple[NDArray[np.float32], int]]


def decode_file(source: Source) -> tuple[NDArray[np.float32], int]:
    """Read `[frames, channels]` float32 and the rate; `.stem.mp4` through stempeg (extra `eval`), the rest through soundfile."""
    if source.path.suffix == ".mp4":
        import stempeg

        audio, rate = stempeg.read_stems(str(source.path), stem_id=source.stream)
        return audio.astype(np.float32), int(rate)
    try:
        audio, rate = soundfile.read(source.path, dtype="float32", always_2d=True)
    except soundfile.LibsndfileError as error:
        raise AudioFileError(f"{source.path} cannot be decoded: {error}.") from error
    return audio[:, :2], rate


def load_pcm(source: Source, cache: Path, rate: int) -> Pcm:
    """Memory-map a clip, decoding and resampling it first if the cache does not have it."""
    path = cache / f"{source.identity()}-{rate}.npy"
    if not path.exists():
        audio, found = decode_file(source)
        if found != rate:
            audio = soxr.resample(audio, found, rate)
        pcm = np.round(np.clip(audio, -1.0, 1.0) * 32767.0).astype(np.int16)
        partial = path.with_suffix(f".{np.random.default_rng().integers(1 << 62):x}.partial.npy")
        np.save(partial, pcm)
        partial.rename(path)
    mapped: Pcm = np.load(path, mmap_mode="r")
    return mapped


def load_corpus(listing: Listing, split: str, cache: Path, rate: int, note: Callable[[str], None] = lambda _: None) -> Corpus:
    """Open every clip of a split.

    Args:
        listing: from `rtsep.training.layouts`.
        split: `train` or `valid`.
        cache: folder for decoded audio.
        rate: sample rate of the model in Hz.
        note: told the name of each song or clip as it is opened.

    Returns:
        Songs, and pools per class. Stems of songs also join the pool of their class, unless they are merged ones.
    """
    cache.mkdir(parents=True, exist_ok=True)
    corpus = Corpus()
    for files in _of_split(listing.songs, split):
        note(files.name)
        song = Song(files.name, {stem: load_pcm(source, cache, rate) for stem, source in files.stems.items()}, files.merged)
        corpus.songs.append(song)
        for stem, pcm in song.stems.items():
            if stem not in song.merged:
                corpus.clips.setdefault(stem, []).append(pcm)
    for clip in listing.clips:
        if clip.split == split:
            note(clip.source.path.name)
            corpus.clips.setdefault(clip.stem, []).append(load_pcm(clip.source, cache, rate))
    return corpus


def _of_split(songs: Iterable[SongFiles], split: str) -> list[SongFiles]:
    return [song for song in songs if song.split == split]
