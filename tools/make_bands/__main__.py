"""Make aligned backing songs (stems drums, bass, other; no vocals) of great variety for training, in the pack layout.

Notes come from MMA's grooves, from composers of our own and from games' MIDI files (`songs.py`), sounds from soundfonts,
sampled and synthesised kits and a synthesiser (`sounds.py`), effects from pedalboard. Every song follows from its number alone;
a song that is in the manifest already is left alone, so a broken run is taken up where it ended. Licences and attributions of
all that a song uses stand in its rows.

Needs the Debian packages that `sources.py` lists, and of PyPI numpy, numba, pedalboard, soundfile, soxr.

usage: python tools/make_bands FOLDER [FIRST LAST]      songs FIRST to LAST (default 0 to 249); about 3 s of one core each
"""

from __future__ import annotations

import csv
import sys
import time
from pathlib import Path

import mixing
import numpy as np
import songs
import soundfile
import sounds
from pcm import NOMINAL, RATE, Stereo, active_rms
from score import Rng, Score
from sources import SOURCES

COLUMNS = (
    "path",
    "class",
    "song_id",
    "stem",
    "source",
    "licence",
    "attribution",
    "origin",
    "seconds",
    "channels",
    "split",
    "notes",
)
ATTEMPTS = 4
SEED = 20261123


def _perform(score: Score, rng: Rng) -> tuple[dict[str, Stereo], dict[str, set[str]]]:
    """Sound a score; returns the stems and, by stem, the sources used."""
    frames = int(score.seconds * RATE)
    stems = {name: np.zeros((2, frames), np.float32) for name in mixing.STEMS}
    used = {name: set(score.sources) for name in mixing.STEMS}
    for part in score.parts:
        if part.role == "drums":
            stem, (audio, sources) = "drums", sounds.drums(part.notes, score.style, score.seconds, rng)
        elif part.role == "bass":
            stem, (audio, sources) = "bass", sounds.bass(part, score.style, score.line, score.seconds, rng)
        else:
            audio, sources = sounds.accompaniment(part, score.style, score.beat, score.seconds, rng)
            # Players of an accompaniment differ by some decibels; a melody stands out.
            gain_db = rng.normal(2.5 if part.role == "lead" else 0.0, 2.5)
            level = active_rms(audio)
            stem, audio = "other", audio * np.float32(NOMINAL / max(level, 1e-3) * 10.0 ** (gain_db / 20.0))
        stems[stem] += audio[:, :frames]
        used[stem] |= sources
    return stems, used


def make(number: int) -> tuple[Score, dict[str, Stereo], dict[str, set[str]]]:
    """Make song `number`; one that shows faults is drawn anew, at most `ATTEMPTS` times.

    Raises:
        RuntimeError: no attempt succeeded.
    """
    complaints = []
    for attempt in range(ATTEMPTS):
        rng = np.random.default_rng((SEED, number, attempt))
        try:
            score = songs.write(number, rng)
        except RuntimeError as error:
            complaints.append(str(error))
            continue
        stems, used = _perform(score, rng)
        stems = mixing.balanced(stems, rng)
        found = mixing.faults(stems)
        if not found:
            return score, stems, used
        complaints.append("; ".join(found))
    raise RuntimeError(f"song {number}: {' | '.join(complaints)}")


def _rows(folder: Path, number: int, score: Score, stems: dict[str, Stereo], used: dict[str, set[str]]) -> list[dict[str, str]]:
    """Write the files of a song and return its manifest rows."""
    name = f"band_{number:03d}_{score.style}"
    (folder / "songs" / name).mkdir(parents=True, exist_ok=True)
    rows = []
    for stem, audio in stems.items():
        path = f"songs/{name}/{stem}.flac"
        mono = bool(np.array_equal(audio[0], audio[1]))
        soundfile.write(folder / path, audio[0] if mono else audio.T, RATE, subtype="PCM_16")
        origins = [SOURCES[key] for key in sorted(used[stem])]
        kinds = [
            f"{part.role} {part.program}" for part in score.parts if (part.role if part.role in mixing.STEMS else "other") == stem
        ]
        rows.append(
            {
                "path": path,
                "class": stem,
                "song_id": name,
                "stem": stem,
                "source": "bands",
                "licence": " + ".join(sorted({origin.licence for origin in origins})),
                "attribution": "; ".join(origin.attribution for origin in origins),
                "origin": "; ".join(
                    sorted(
                        {f"Debian {origin.package}" if origin.package != "synthesised" else origin.package for origin in origins}
                    )
                ),
                "seconds": f"{audio.shape[1] / RATE:.2f}",
                "channels": "1" if mono else "2",
                "split": "train",
                "notes": f"{score.style}, bass line {score.line}, {60 / score.beat:.0f} bpm: {', '.join(kinds)}",
            }
        )
    return rows


def _store(folder: Path, rows: list[dict[str, str]]) -> None:
    """Replace the manifest in one step."""
    partial = folder / "manifest.partial.csv"
    with partial.open("w", newline="") as lines:
        writer = csv.DictWriter(lines, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    partial.rename(folder / "manifest.csv")


def main(folder: Path, first: int, last: int) -> int:
    """Make songs `first` to `last`; return how many failed."""
    folder.mkdir(parents=True, exist_ok=True)
    manifest = folder / "manifest.csv"
    rows: list[dict[str, str]] = []
    if manifest.exists():
        with manifest.open(newline="") as lines:
            rows = list(csv.DictReader(lines))
    done = {row["song_id"].split("_")[1] for row in rows}
    failed = 0
    for number in range(first, last + 1):
        if f"{number:03d}" in done:
            continue
        begun = time.process_time()
        try:
            score, stems, used = make(number)
        except RuntimeError as error:
            print(error, file=sys.stderr, flush=True)
            failed += 1
            continue
        rows += _rows(folder, number, score, stems, used)
        _store(folder, rows)
        print(
            f"{number} {score.style} {score.seconds:.0f} s, {time.process_time() - begun:.1f} s of CPU",
            file=sys.stderr,
            flush=True,
        )
    return failed


if __name__ == "__main__":
    if len(sys.argv) not in (2, 4):
        sys.exit(__doc__)
    bounds = (int(sys.argv[2]), int(sys.argv[3])) if len(sys.argv) == 4 else (0, 249)
    sys.exit(1 if main(Path(sys.argv[1]), *bounds) else 0)
