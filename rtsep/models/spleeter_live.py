"""What tuning changed in Spleeter's vocals net: the live net, which does without the future.

The published nets learned from whole songs; at the newest transform of a stream half of what they look for is missing.
The live net began as the vocals net and was shown what both published nets make of the same music when they hear what comes
after (`tools/tune_spleeter`, results in `tools/training/README.md`). Only the difference is in the package; it is added when the
published weights are converted.

A difference is small and of even size, so four bits are enough: `LEVELS` steps to either side, with a step for each output
channel. They are stored as int8, which any packer brings to less than four bits again.
"""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rtsep import paths
from rtsep.errors import WeightsError
from rtsep.models import weights

PUBLISHED, LIVE = "vocals", "live"
DIFFERENCE = paths.DATA / "models" / "spleeter-live" / "difference.safetensors"
LEVELS = 7

Tensors = dict[str, NDArray[np.float32]]


def encode(published: Tensors, tuned: Tensors) -> dict[str, NDArray[np.generic]]:
    """Return what `decode` needs to make `tuned` of `published`, nearly.

    Args:
        published: tensors of the vocals net, `vocals.…`.
        tuned: tensors of the live net under the same shapes, `live.…`.

    Returns:
        For each tensor `NAME.steps`, int8 -LEVELS … LEVELS, and `NAME.step`, float32, per output channel.
    """
    packed: dict[str, NDArray[np.generic]] = {}
    for name, tensor in tuned.items():
        difference = tensor - published[_published(name)]
        step = np.abs(difference).max(axis=_within_channel(name, difference.ndim), keepdims=True) / LEVELS
        packed[f"{name}.steps"] = np.rint(difference / np.where(step > 0, step, 1)).astype(np.int8)
        packed[f"{name}.step"] = step.astype(np.float32)
    return packed


def decode(published: Tensors, file: Path = DIFFERENCE) -> Tensors:
    """Return the tensors of the live net, `live.…`.

    Args:
        published: tensors of the vocals net, `vocals.…`.
        file: of `encode`.

    Raises:
        WeightsError: the file is damaged or does not fit.
    """
    from safetensors.numpy import load_file

    try:
        packed = load_file(file)
    except Exception as error:  # a missing file, or whatever the bytes lead the reader to
        raise WeightsError(f"{file} is missing or damaged ({error}). Install rtsep anew.") from error
    live: Tensors = {}
    for name, tensor in published.items():
        if name.startswith(f"{PUBLISHED}."):
            ours = LIVE + name.removeprefix(PUBLISHED)
            steps, step = packed.get(f"{ours}.steps"), packed.get(f"{ours}.step")
            if steps is None or step is None or steps.shape != tensor.shape:
                raise WeightsError(f"{file} does not fit Spleeter: {ours} is missing or has another shape. Install rtsep anew.")
            live[ours] = tensor + steps.astype(np.float32) * step
    return live


def _published(name: str) -> str:
    return PUBLISHED + name.removeprefix(LIVE)


def _within_channel(name: str, axes: int) -> tuple[int, ...]:
    """Axes of a tensor within one output channel: a transposed convolution has its outputs second, a bias nothing but outputs."""
    outputs = 1 if ".up." in name and axes > 1 else 0
    return tuple(axis for axis in range(axes) if axis != outputs)


@functools.cache
def fingerprint() -> str:
    """Return the sha256 of the difference; empty if there is none, which `decode` complains about."""
    return weights.sha256(DIFFERENCE) if DIFFERENCE.is_file() else ""
