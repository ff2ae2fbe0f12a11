"""What a packaged BandNet consists of, and reading it without torch.

A folder in `rtsep/data/models` holds
* `model.json`: sizes, and the facts of the model card (data, scores, training) as data;
* `weights.safetensors`: float16 weights, for torch;
* `step.onnx`: one frame with the same rounded weights, for ONNX Runtime;
* `README.md`: the model card to read.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from rtsep import paths
from rtsep.errors import WeightsError
from rtsep.models.bandnet_config import BandNetConfig
from rtsep.models.weights import sha256

FACTS, WEIGHTS, GRAPH, CARD = "model.json", "weights.safetensors", "step.onnx", "README.md"


class PackageFacts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Contents of `model.json`.

    Attributes:
        name: of the model.
        model: its sizes.
        licence: of the weights.
        weights_sha256: of `weights.safetensors`.
        graph_sha256: of `step.onnx`.
        training: how the weights came about: updates, core-hours, hours heard, data fingerprint, calibration.
        scores: utterance SDR in dB per validation set and stem.
        sources: attributions of the training material, one line each.
    """

    name: str
    model: BandNetConfig
    licence: str
    weights_sha256: str
    graph_sha256: str
    training: dict[str, Any] = {}
    scores: dict[str, dict[str, float]] = {}
    sources: tuple[str, ...] = ()


def folder(name: str) -> Path:
    """Folder of a packaged model; it need not exist."""
    return paths.DATA / "models" / name


def read_facts(where: Path) -> PackageFacts:
    """Read `model.json` of a folder.

    Raises:
        WeightsError: it is absent or damaged.
    """
    path = where / FACTS
    try:
        return msgspec.json.decode(path.read_bytes(), type=PackageFacts)
    except FileNotFoundError:
        raise WeightsError(f"{path} is missing: this rtsep has no weights in {where}. Install rtsep anew, "
                           "or make them with: rtsep export") from None  # fmt: skip
    except msgspec.DecodeError as error:
        raise WeightsError(f"{path} is damaged ({error}). Install rtsep anew.") from None


def verified(where: Path, name: str, expected: str) -> Path:
    """Return the path of a file whose sha256 is as recorded.

    Raises:
        WeightsError: it is missing or was altered.
    """
    path = where / name
    if not path.is_file():
        raise WeightsError(f"{path} is missing. Install rtsep anew.")
    if (actual := sha256(path)) != expected:
        raise WeightsError(f"{path} was altered or truncated: its sha256 is {actual}, expected {expected}. Install rtsep anew.")
    return path
