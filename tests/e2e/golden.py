"""What rtsep makes of one short piece, kept: a digest where every bit is known, some samples where a network computes.

The piece is made of whole numbers alone, so it is the same on every machine. When a model's weights change on purpose, write the
reference again, listen, and commit both together:

    python -m tests.e2e.golden
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import sys
import tempfile
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from rtsep.cli import main as rtsep
from rtsep.models import registry
from rtsep.stems import STEMS

RATE = 44_100
SECONDS = 10
REFERENCE = Path(__file__).with_suffix(".json")
MODEL, TIER = "bandnet", "23ms"
EVERY = 1_009
"""Frames from one kept sample to the next: a prime, so that no hop or period of the piece is always met at the same place."""


def piece() -> NDArray[np.int16]:
    """A bass note, a chord and hits of noise in 4/4, `[2, frames]`, from integers alone."""
    n = np.arange(SECONDS * RATE, dtype=np.int64)
    beat, within = n // (RATE // 2), n % (RATE // 2)
    bass = n * np.array([55, 55, 73, 82])[beat // 4 % 4] % RATE * 12_000 // RATE - 6_000
    chord = sum((n * pitch % RATE * 2 // RATE * 2 - 1) * 900 for pitch in (220, 277, 330))
    noise = (n * 2_654_435_761 & 0xFFFFFFFF) >> 19
    hits = (noise - 4_096) * np.maximum(0, 4_410 - within) // 4_410
    return np.stack([bass + chord + hits, bass - chord // 2 + hits]).astype(np.int16)


def separated(model: str, tier: str, samples: str) -> dict[str, NDArray[np.float64]]:
    """Stems of the piece as `rtsep separate` writes them, `[2, frames]`."""
    with tempfile.TemporaryDirectory() as folder:
        song = Path(folder, "piece.wav")
        soundfile.write(song, piece().T, RATE, subtype="PCM_16")
        words = ["separate", str(song), "-m", model, "-t", tier, samples, "-o", folder, "--filename", "{stem}"]
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            if code := rtsep(words):
                raise RuntimeError(f"rtsep separate ended with {code}")
        return {stem: soundfile.read(Path(folder, f"{stem}.wav"), always_2d=True)[0].T for stem in STEMS}


def digest(stems: dict[str, NDArray[np.float64]]) -> str:
    """SHA-256 of stems of 16 bits, one after the other."""
    whole = hashlib.sha256()
    for stem in STEMS:
        whole.update(np.round(stems[stem].T * 32_768).astype("<i2").tobytes())
    return whole.hexdigest()


def some_samples(stems: dict[str, NDArray[np.float64]]) -> dict[str, list[float]]:
    """Samples of the last two seconds, left and right in turn."""
    places = np.arange((SECONDS - 2) * RATE, SECONDS * RATE, EVERY)
    return {stem: [float(stems[stem][k % 2, place]) for k, place in enumerate(places)] for stem in STEMS}


def write_reference() -> None:
    """Write what this version makes of the piece."""
    found = {
        "passthrough_int16_sha256": digest(separated("passthrough", "46ms", "--int16")),
        "model": f"{MODEL} {TIER}",
        "weights_sha256": registry.load(MODEL, TIER).spec.weights_sha256,
        "samples": {
            stem: [round(value, 6) for value in values]
            for stem, values in some_samples(separated(MODEL, TIER, "--float32")).items()
        },
    }
    REFERENCE.write_text(json.dumps(found) + "\n")


if __name__ == "__main__":
    sys.exit(write_reference())
