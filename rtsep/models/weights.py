"""Converted weights in the user's cache: made once, complete or absent, and checked each time they are read.

A folder per model holds the converted files and `manifest.json`, which records the sha256 of each. Every file is
written under a temporary name and renamed when it is complete, the manifest last, so a folder without a manifest
is a folder without weights. A lock file keeps two processes from converting at once.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import msgspec

from rtsep import paths
from rtsep.errors import WeightsError

MANIFEST = "manifest.json"
PARTIAL = ".part"

Progress = Callable[[str], None]
"""Told one line for each thing that takes a while."""


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a folder of converted weights must contain.

    Attributes:
        fingerprint: of the sources and the conversion; another one means that rtsep has moved on.
        files: sha256 of each file by name.
    """

    fingerprint: str
    files: dict[str, str]


def folder(model: str) -> Path:
    """Folder of a model's converted weights; it need not exist."""
    return paths.cache() / "models" / model


def sha256(path: Path) -> str:
    """Return the sha256 of a file, in hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def read_manifest(target: Path, fingerprint: str, model: str) -> Manifest | None:
    """Return the manifest of a folder, or None if nothing was converted there or another version was.

    Raises:
        WeightsError: there is a manifest, but it is damaged.
    """
    path = target / MANIFEST
    try:
        manifest = msgspec.json.decode(path.read_bytes(), type=Manifest)
    except FileNotFoundError:
        return None
    except msgspec.DecodeError as error:
        raise WeightsError(f"{path} is damaged ({error}). {remedy(model)}") from None
    return manifest if manifest.fingerprint == fingerprint else None


def verify(target: Path, manifest: Manifest, names: list[str], model: str) -> None:
    """Check that files are what was converted.

    Args:
        target: their folder.
        manifest: from `read_manifest`.
        names: the files to check.
        model: to say in an error what to pull.

    Raises:
        WeightsError: a file is missing or its sha256 differs.
    """
    for name in names:
        path = target / name
        if not path.is_file():
            raise WeightsError(f"{path} is missing. {remedy(model)}")
        actual, expected = sha256(path), manifest.files[name]
        if actual != expected:
            raise WeightsError(f"{path} was altered or truncated: its sha256 is {actual}, expected {expected}. {remedy(model)}")


def remedy(model: str) -> str:
    """The sentence that ends every complaint about weights."""
    return f"Make it anew with: rtsep models pull {model} --force"


@contextlib.contextmanager
def locked(target: Path) -> Iterator[None]:
    """Hold a folder for writing, alone, cleared of what a killed process left there. Made if need be."""
    target.mkdir(parents=True, exist_ok=True)
    with (target / "lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        for stale in target.glob(f"*{PARTIAL}"):
            stale.unlink()
        yield


@contextlib.contextmanager
def partial(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; it takes the place of `path` on success and vanishes on failure."""
    temporary = path.with_name(path.name + PARTIAL)
    try:
        yield temporary
        temporary.replace(path)
    except OSError as error:
        raise WeightsError(
            f"Could not write {path}: {error.strerror}. Free some space there, or set RTSEP_HOME to a folder with some."
        ) from error
    finally:
        temporary.unlink(missing_ok=True)


def write_manifest(target: Path, names: list[str], fingerprint: str) -> Manifest:
    """Record the sha256 of the named files of a folder; from now on they count as weights."""
    manifest = Manifest(fingerprint, {name: sha256(target / name) for name in names})
    with partial(target / MANIFEST) as path:
        path.write_bytes(msgspec.json.format(msgspec.json.encode(manifest)))
    return manifest


def check_shapes(
    what: str, found: Mapping[str, tuple[int, ...]], wanted: Mapping[str, tuple[int, ...]], advice: str = ""
) -> None:
    """Check the tensors of a weights file.

    Args:
        what: the file, as the error shall call it.
        found: shapes by name; more than is wanted is fine.
        wanted: shapes by name.
        advice: a sentence for the end of the error.

    Raises:
        WeightsError: a tensor is missing or has another shape.
    """
    for name, shape in wanted.items():
        if name not in found:
            raise WeightsError(f"{what} has no tensor {name}. {advice}".rstrip())
        if tuple(found[name]) != tuple(shape):
            raise WeightsError(
                f"{what} holds {name} of the wrong shape: {list(found[name])}, expected {list(shape)}. {advice}".rstrip()
            )
