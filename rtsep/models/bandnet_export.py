"""From trained weights to a package: float16 safetensors for torch, and the graph of one frame for ONNX Runtime.

Both hold the same numbers: weights are rounded to float16 first, the graph stores them as float16 and casts them, which ONNX
Runtime does once when it loads the file. Rounding costs less than 0.01 dB and halves the package.
"""

from __future__ import annotations

import logging
import warnings
from pathlib import Path
from typing import Any

import msgspec
import torch

from rtsep.errors import WeightsError
from rtsep.models import bandnet_package as package
from rtsep.models.bandnet import BandNet
from rtsep.models.weights import sha256

LARGE = 512
"""Initialisers of at least so many elements are stored as float16."""


def round_weights(net: BandNet) -> BandNet:
    """Round the weights to float16 in place, kept as float32; return the network in evaluation mode on the CPU."""
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.copy_(parameter.half().float())
    return net.eval().cpu()


def write_weights(net: BandNet, path: Path) -> None:
    """Write float16 weights."""
    from safetensors.torch import save_file

    save_file({name: tensor.half().contiguous() for name, tensor in net.state_dict().items()}, path)
    path.chmod(0o644)  # it is written for its owner only, but a package is for everybody


def write_graph(net: BandNet, path: Path) -> None:
    """Write the graph of one frame: `spectrum, state -> masks, new_state`."""
    import onnx

    config = net.config
    spectrum = torch.zeros(1, 1, config.channels, config.bins, 2)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own imports are not ours to mend
        program = torch.onnx.export(
            net, (spectrum, net.init_state()), dynamo=True, verbose=False,
            input_names=["spectrum", "state"], output_names=["masks", "new_state"],
        )  # fmt: skip
    if program is None:
        raise WeightsError("torch.onnx made no program of this network; is another exporter configured?")
    model = program.model_proto
    _store_as_float16(model)
    forget_origin(model)
    onnx.checker.check_model(model)
    onnx.save(model, path)


def forget_origin(model: Any) -> None:
    """Drop what the exporter notes of this machine: stack traces and paths, node by node."""
    del model.metadata_props[:]
    del model.graph.metadata_props[:]
    for part in (*model.graph.node, *model.graph.value_info, *model.graph.input, *model.graph.output, *model.graph.initializer):
        del part.metadata_props[:]
        part.doc_string = ""


def _store_as_float16(model: Any) -> None:
    """Replace large float32 initialisers by float16 ones with a cast behind them."""
    import onnx
    from onnx import numpy_helper

    casts = []
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype != "float32" or values.size < LARGE:
            continue
        name = tensor.name
        tensor.CopyFrom(numpy_helper.from_array(values.astype("float16"), f"{name}.half"))
        casts.append(onnx.helper.make_node("Cast", [f"{name}.half"], [name], to=onnx.TensorProto.FLOAT, name=f"{name}.cast"))
    for position, node in enumerate(casts):
        model.graph.node.insert(position, node)


def write_package(net: BandNet, where: Path, facts: dict[str, Any], card: str) -> package.PackageFacts:
    """Write a whole package.

    Args:
        net: trained; its weights are rounded in place.
        where: folder to write to; made if need be.
        facts: `name`, `licence`, and what else `PackageFacts` takes beside sizes and hashes.
        card: text of the model card.
    """
    where.mkdir(parents=True, exist_ok=True)
    round_weights(net)
    write_weights(net, where / package.WEIGHTS)
    write_graph(net, where / package.GRAPH)
    complete = package.PackageFacts(
        model=net.config,
        weights_sha256=sha256(where / package.WEIGHTS),
        graph_sha256=sha256(where / package.GRAPH),
        **facts,
    )
    (where / package.CARD).write_text(card)
    (where / package.FACTS).write_bytes(msgspec.json.format(msgspec.json.encode(complete)) + b"\n")
    return complete
