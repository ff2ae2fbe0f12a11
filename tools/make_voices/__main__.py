"""Make vocals of many singers out of speech: loose clips in the pack layout, for `[[data]] layout = "pack"` of a training recipe.

Few singers may be used freely, many speakers may. Their speech is put on melodies: vowels are stretched to notes, pitch is drawn
anew (`singer`), sound is made by WORLD or by overlap-add (`voices`), and then produced as in a studio (`production`). A fifth is
rapped, an eighth shouted. Speakers are people recorded for Debian packages and the voices of a free synthesiser (`speakers`,
`kokoro`); each clip's licence and names are in the manifest.

Needs Debian's espeak-ng and ffmpeg, npm, and from PyPI `pyworld`, `onnxruntime`, `pedalboard`, `soxr`, `soundfile` and `scipy`
(pyworld 0.3.5 imports `pkg_resources`: setuptools below 81). Packages with speech are fetched into WORK and stay there, as does
the synthesiser's speech. A clip depends on its number alone; those that exist are not made again.

usage: python tools/make_voices FOLDER WORK [CLIPS]
"""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import clip
import kokoro
import numpy as np
import soundfile as sf
import speakers
from production import Stereo
from speech import RATE

COLUMNS = (
    *("path", "class", "song_id", "stem", "source", "licence", "attribution"),
    *("origin", "seconds", "channels", "split", "notes"),
)
CLIPS = 220
REAL_SHARE = 0.5
VORBIS_Q6 = 0.4
"""libsndfile's compression level is one minus Vorbis's quality."""


def write_ogg(path: Path, x: Stereo) -> None:
    """Write `[channels, samples]`; in blocks, as libsndfile's Vorbis encoder overflows its stack on long ones."""
    beside = path.with_suffix(".part")
    with sf.SoundFile(beside, "w", RATE, len(x), format="OGG", subtype="VORBIS", compression_level=VORBIS_Q6) as file:
        for start in range(0, x.shape[1], RATE):
            file.write(x[:, start : start + RATE].T)
    beside.replace(path)


def write_manifest(folder: Path) -> int:
    """Write `manifest.csv` for all clips there, in one step; return their number."""
    rows = [json.loads(path.read_text()) for path in sorted((folder / "rows").glob("*.json"))]
    beside = folder / "manifest.part"
    with beside.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(row for row in rows if (folder / row["path"]).exists())
    beside.replace(folder / "manifest.csv")
    return len(rows)


def casting(real: list[speakers.Speaker], synthetic: list[speakers.Speaker], clips: int) -> list[speakers.Speaker]:
    """Who sings which clip: everybody in turn, real and synthetic speakers mixed by `REAL_SHARE`."""
    rng = np.random.default_rng(3)
    pools = {True: real, False: synthetic}
    waiting: dict[bool, list[speakers.Speaker]] = {True: [], False: []}
    cast = []
    for _ in range(clips):
        kind = bool(rng.random() < REAL_SHARE)
        if not waiting[kind]:
            waiting[kind] = [pools[kind][index] for index in rng.permutation(len(pools[kind]))]
        cast.append(waiting[kind].pop())
    return cast


def main(folder: Path, work: Path, clips: int) -> int:
    """Make clips 0 to `clips` - 1; return 0."""
    for place in (folder / "vocals", folder / "rows"):
        place.mkdir(parents=True, exist_ok=True)
    speakers.fetch(work)
    kokoro.record(work / "kokoro", work / "raw")
    for number, speaker in enumerate(casting(speakers.recorded(work / "debian"), speakers.synthetic(work / "raw"), clips)):
        name = f"voice_{number:03d}"
        if (folder / "rows" / f"{name}.json").exists():
            continue
        made = clip.make(speaker, number)
        if made is None:
            print(f"{name}: {speaker.name} says too little", file=sys.stderr)
            continue
        write_ogg(folder / "vocals" / f"{name}.ogg", made.audio)
        row = {
            "path": f"vocals/{name}.ogg",
            "class": "vocals",
            "song_id": "",
            "stem": "",
            "source": speaker.name,
            "licence": speaker.licence,
            "attribution": f"{speaker.attribution}; modified (sung by rtsep's tools/make_voices)",
            "origin": speaker.origin,
            "seconds": round(made.audio.shape[1] / RATE, 2),
            "channels": len(made.audio),
            "split": "train",
            "notes": made.notes,
        }
        (folder / "rows" / f"{name}.json").write_text(json.dumps(row, ensure_ascii=False))
        if number % 10 == 9:
            write_manifest(folder)
    print(f"{write_manifest(folder)} clips in {folder}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) == 4 else CLIPS))
