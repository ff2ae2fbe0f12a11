"""Readers of data sets as they lie on disk; each returns the songs and clips it finds, and decodes nothing.

| layout | folder |
|---|---|
| `pack` | `manifest.csv` with path, class, song_id, stem and split columns, beside the files |
| `stems` | one folder per song with `vocals.*`, `drums.*`, `bass.*`, `other.*` |
| `musdb` | `train/` and `test/` with `NAME.stem.mp4` files or one folder of WAV stems per song (MUSDB18, MUSDB18-HQ) |
| `accompaniment` | `accompaniment.csv` with package, path and seconds, files as `tools/fetch_accompaniment` lays them out |
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

from rtsep.errors import ConfigError, nearest
from rtsep.stems import STEMS
from rtsep.training.corpus import ACCOMPANIMENT, ClipFile, Listing, SongFiles, Source

AUDIO_SUFFIXES = (".wav", ".flac", ".ogg", ".mp3")

MUSDB_STREAMS = {"drums": 1, "bass": 2, "other": 3, "vocals": 4}
"""Streams of a `.stem.mp4` file; stream 0 is the mastered mix, which is not the sum of the stems."""

MUSDB_VALIDATION = (
    "Actions - One Minute Smile",
    "Clara Berry And Wooldog - Waltz For My Victims",
    "Johnny Lokke - Promises & Lies",
    "Patrick Talbot - A Reason To Leave",
    "Triviul - Angelsaint",
    "Alexander Ross - Goodbye Bolero",
    "Fergessen - Nos Palpitants",
    "Leaf - Summerghost",
    "Skelpolu - Human Mistakes",
    "Young Griffo - Pennies",
    "ANiMAL - Rockshow",
    "James May - On The Line",
    "Meaxic - Take A Step",
    "Traffic Experiment - Sirens",
)
"""The training songs that the `musdb` package sets aside for validation, so that scores compare with published ones."""

MERGED_IF_ABSENT = ("bass", "other")
"""In the pack, a song without a bass file may have its bass inside `other`: only their sum is known."""


def read_pack(folder: Path) -> Listing:
    """Read a pack by its manifest."""
    listing = Listing()
    songs: dict[str, tuple[str, dict[str, Source]]] = {}
    with (folder / "manifest.csv").open(newline="") as lines:
        for row in csv.DictReader(lines):
            source = Source(folder / row["path"])
            listing.sources.add(f"{row['attribution']} ({row['licence']}; {row['origin']})")
            if row["song_id"]:
                songs.setdefault(row["song_id"], (row["split"], {}))[1][row["stem"]] = source
            else:
                listing.clips.append(ClipFile(row["class"], row["split"], source))
    for name, (split, stems) in songs.items():
        listing.songs.append(SongFiles(name, split, stems, () if "bass" in stems else MERGED_IF_ABSENT))
    return listing


def read_stems(folder: Path) -> Listing:
    """Read a folder of songs; songs in a sub-folder `valid` are for validation, all others for training."""
    listing = Listing()
    for song in sorted(path for path in folder.rglob("*") if path.is_dir()):
        found = {path.stem: Source(path) for path in sorted(song.iterdir()) if path.suffix in AUDIO_SUFFIXES}
        stems = {stem: found[stem] for stem in STEMS if stem in found}
        if stems:
            split = "valid" if "valid" in song.relative_to(folder).parts[:-1] else "train"
            listing.songs.append(SongFiles(song.relative_to(folder).as_posix(), split, stems))
    return listing


def read_musdb(folder: Path) -> Listing:
    """Read MUSDB18 or MUSDB18-HQ; splits are train, valid (by the musdb package's list) and test."""
    listing = Listing(sources={"MUSDB18, Rafii et al. 2017 (mostly non-commercial licences; the weights inherit that)"})
    for part in ("train", "test"):
        for path in sorted((folder / part).glob("*.stem.mp4")):
            stems = {stem: Source(path, stream) for stem, stream in MUSDB_STREAMS.items()}
            listing.songs.append(SongFiles(name := path.name[: -len(".stem.mp4")], _musdb_split(part, name), stems))
        for song in sorted(path for path in (folder / part).glob("*") if path.is_dir()):
            stems = {stem: Source(song / f"{stem}.wav") for stem in STEMS if (song / f"{stem}.wav").exists()}
            listing.songs.append(SongFiles(song.name, _musdb_split(part, song.name), stems))
    return listing


def _musdb_split(part: str, name: str) -> str:
    return "valid" if part == "train" and name in MUSDB_VALIDATION else part


def read_accompaniment(folder: Path) -> Listing:
    """Read the game music that is there; a listed track that was not fetched is left out."""
    listing = Listing()
    with (folder / "accompaniment.csv").open(newline="") as lines:
        for row in csv.DictReader(lines):
            path = folder / row["path"].lstrip("/")
            if path.exists():
                listing.clips.append(ClipFile(ACCOMPANIMENT, "train", Source(path)))
                listing.sources.add(f"{row['attribution']} ({row['licence']}; Debian {row['package']})")
    return listing


LAYOUTS: dict[str, Callable[[Path], Listing]] = {
    "pack": read_pack,
    "stems": read_stems,
    "musdb": read_musdb,
    "accompaniment": read_accompaniment,
}


def read_layout(layout: str, folder: Path, without: tuple[str, ...] = ()) -> Listing:
    """Read one data set.

    Args:
        layout: a key of `LAYOUTS`.
        folder: where it lies.
        without: leave out files and songs whose path contains one of these texts (e.g. excerpts that validation holds).

    Raises:
        ConfigError: the layout is unknown, or the folder is not one.
    """
    if layout not in LAYOUTS:
        raise ConfigError(f'There is no data layout "{layout}".{nearest(layout, LAYOUTS)} Layouts: {", ".join(LAYOUTS)}.')
    if not folder.is_dir():
        raise ConfigError(f"{folder} is not a folder; the recipe's [[data]] entry needs the place of a {layout} data set.")
    listing = LAYOUTS[layout](folder)
    listing.songs = [song for song in listing.songs if not any(text in song.name for text in without)]
    listing.clips = [clip for clip in listing.clips if not any(text in str(clip.source.path) for text in without)]
    if not listing.songs and not listing.clips:
        raise ConfigError(f'{folder} holds nothing that the layout "{layout}" can read.')
    return listing
