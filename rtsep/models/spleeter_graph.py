"""Spleeter's U-Net written down as an ONNX graph whose weights stay in one safetensors file.

A graph fixes the segment length, the number of newest frames and whether the second net takes part, so every
tier has its own; each is some kilobytes, because ONNX lets a tensor live in another file at an offset, and a
safetensors file is a header followed by exactly such little-endian tensors. Writing the nodes by hand instead of
tracing the torch module takes milliseconds where the exporter takes half a minute, and gives the torch module
something independent to be tested against.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import onnx
from onnx import TensorProto, helper

from rtsep.models.spleeter_shape import BINS, DOWN, EPSILON, LEAK, UP, frames_needed

OPSET = 17
IR_VERSION = 10
INPUT, OUTPUT = "magnitudes", "mask"


class _Graph:
    """Nodes and tensors as they are added; each node has one output, which bears the node's name."""

    def __init__(self, weights: Path) -> None:
        self.nodes: list[Any] = []
        self.tensors: list[Any] = []
        self._file = weights.name
        with weights.open("rb") as stream:
            size = int.from_bytes(stream.read(8), "little")
            self._header = json.loads(stream.read(size))
        self._data = 8 + size

    def add(self, kind: str, inputs: list[str], name: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(kind, inputs, [name], name=name, **attributes))
        return name

    def constant(self, name: str, values: Sequence[float], kind: int = TensorProto.FLOAT) -> str:
        self.tensors.append(helper.make_tensor(name, kind, [len(values)], values))
        return name

    def weight(self, name: str, shape: tuple[int, ...] | None = None) -> str:
        """Refer to a tensor of the safetensors file; `shape` may add axes of length one."""
        entry = self._header[name]
        begin, end = entry["data_offsets"]
        tensor = TensorProto(
            name=name, data_type=TensorProto.FLOAT, dims=shape or entry["shape"], data_location=TensorProto.EXTERNAL
        )
        for key, value in (("location", self._file), ("offset", self._data + begin), ("length", end - begin)):
            tensor.external_data.add(key=key, value=str(value))
        self.tensors.append(tensor)
        return name

    def affine(self, x: str, name: str, channels: int) -> str:
        shape = (1, channels, 1, 1)
        scaled = self.add("Mul", [x, self.weight(f"{name}.scale", shape)], f"{name}.scaled")
        return self.add("Add", [scaled, self.weight(f"{name}.shift", shape)], f"{name}.shifted")

    def newest(self, x: str, count: int, name: str) -> str:
        """Keep the last `count` frames."""
        return self.slice(x, name, starts=[-count], ends=[2**31], axes=[2])

    def slice(self, x: str, name: str, **bounds: list[int]) -> str:
        """Keep a part; `bounds` are those of ONNX, in its order."""
        constants = [self.constant(f"{name}.{key}", values, TensorProto.INT64) for key, values in bounds.items()]
        return self.add("Slice", [x, *constants], name)

    def upsampled(self, x: str, bins: int, channels: int, name: str, *, frames: int | None, newest: int | None) -> str:
        """Transposed convolution, stride 2, of `x` with so many `frames` and `bins`; then ReLU.

        Along each axis every second output sees the input through weights 3 and 1, the others through 4, 2 and 0. So these
        are four plain convolutions whose outputs alternate, of which only those for the `newest` frames (or one more) are
        computed: ONNX Runtime's own transposed convolution computes all of them and throws most away.
        """
        pairs = None if newest is None else (newest + 1) // 2
        from_start = frames is None or pairs is None or pairs == frames
        if pairs is not None and not from_start:
            x = self.newest(x, pairs + 1, f"{name}.within")
        weight = self.add("Transpose", [self.weight(f"{name}.weight")], f"{name}.turned", perm=[1, 0, 2, 3])
        bias, phases = self.weight(f"{name}.bias"), []
        for down, along in ((0, 0), (0, 1), (1, 0), (1, 1)):
            phase = f"{name}.{down}{along}"
            bounds = {"starts": [3 + down, 3 + along], "ends": [-6, -6], "axes": [2, 3], "steps": [-2, -2]}
            kernel = self.slice(weight, f"{phase}.weight", **bounds)
            pads = [int(from_start), 1, down, along]
            y = self.add("Conv", [x, kernel, bias], phase, kernel_shape=[2 + down, 2 + along], pads=pads)
            phases.append(self.add("Relu", [y], f"{phase}.active"))
        # Not DepthToSpace, which takes three times as long as moving one axis after the other.
        joined = self.reshape(self.add("Concat", phases, f"{name}.phases", axis=1), [2, 2, -1], f"{name}.apart")
        rows = self.reshape(self.add("Transpose", [joined], f"{name}.along", perm=[0, 2, 1]), [2, -1, 2 * bins], f"{name}.rows")
        return self.reshape(self.add("Transpose", [rows], f"{name}.down", perm=[1, 0, 2]), [1, channels, -1, 2 * bins], name)

    def reshape(self, x: str, shape: list[int], name: str) -> str:
        return self.add("Reshape", [x, self.constant(f"{name}.shape", shape, TensorProto.INT64)], name)


def _unet(graph: _Graph, net: str, needed: list[int] | None, newest: int | None) -> str:
    """Add one U-Net that keeps the `needed` frames of each level; return the name of its sigmoids."""
    skips: list[str] = []
    x = INPUT
    for stage, (channels, _) in enumerate(DOWN):
        if stage:
            x = graph.affine(x, f"{net}.down_norm.{stage - 1}", channels)
            x = graph.add("LeakyRelu", [x], f"{net}.down.{stage}.active", alpha=LEAK)
        name = f"{net}.down.{stage}"
        x = graph.add(
            "Conv", [x, graph.weight(f"{name}.weight"), graph.weight(f"{name}.bias")], name, strides=[2, 2], pads=[1, 1, 2, 2]
        )
        skips.append(x)
    for stage, (_, channels) in enumerate(UP):
        depth, name = len(UP) - stage, f"{net}.up.{stage}"
        skip = skips[depth - 1]
        if needed is not None:
            x = graph.newest(x, needed[depth], f"{name}.newest")
            skip = graph.newest(skip, needed[depth], f"{name}.skip") if stage else ""
        if stage:
            x = graph.add("Concat", [skip, x], f"{name}.joined", axis=1)
        if channels > 1:
            held, kept = (needed[depth], needed[depth - 1]) if needed is not None else (None, None)
            x = graph.upsampled(x, BINS >> depth, channels, name, frames=held, newest=kept)
        else:  # plain convolutions to a single channel are slow
            parameters = [graph.weight(f"{name}.weight"), graph.weight(f"{name}.bias")]
            x = graph.add("ConvTranspose", [x, *parameters], name, strides=[2, 2], pads=[1, 1, 2, 2])
            x = graph.add("Relu", [x], f"{name}.active")
        x = graph.affine(x, f"{net}.up_norm.{stage}", channels)
    if needed is not None:
        x = graph.newest(x, needed[0], f"{net}.last.newest")
    x = graph.add(
        "Conv",
        [x, graph.weight(f"{net}.last.weight"), graph.weight(f"{net}.last.bias")],
        f"{net}.last",
        dilations=[2, 2],
        pads=[3, 3, 3, 3],
    )
    if newest is not None:
        x = graph.newest(x, newest, f"{net}.logits")
    return graph.add("Sigmoid", [x], f"{net}.sigmoid")


def write_graph(weights: Path, *, live: bool, frames: int | None, newest: int | None) -> bytes:
    """Return a serialised graph: `magnitudes [1, 2, frames, BINS]` in, vocal `mask [1, 2, newest, BINS]` out.

    Args:
        weights: the converted safetensors file; the graph must be stored in the same folder.
        live: ask the live net, instead of both published nets against each other.
        frames: length of the segment, a multiple of 64; None for any such length.
        newest: frames to decode; None for all.
    """
    graph = _Graph(weights)
    needed = frames_needed(frames, newest) if frames and newest else None
    if live:
        graph.add("Identity", [_unet(graph, "live", needed, newest)], OUTPUT)
    else:
        vocals = _unet(graph, "vocals", needed, newest)
        rest = _unet(graph, "accompaniment", needed, newest)
        power = graph.add("Mul", [vocals, vocals], "power")
        total = graph.add("Add", [power, graph.add("Mul", [rest, rest], "rest")], "total")
        half, whole = graph.constant("half", [EPSILON / 2]), graph.constant("whole", [EPSILON])
        graph.add("Div", [graph.add("Add", [power, half], "above"), graph.add("Add", [total, whole], "below")], OUTPUT)
    made = helper.make_graph(
        graph.nodes,
        "spleeter",
        [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, [1, 2, frames or "frames", BINS])],
        [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, [1, 2, newest or "frames", BINS])],
        initializer=graph.tensors,
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    return bytes(onnx.ModelProto.SerializeToString(model))
