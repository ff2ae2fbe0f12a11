"""The sizes of Spleeter's U-Net, shared by its torch module, its ONNX graph and the conversion of its weights."""

from __future__ import annotations

SAMPLE_RATE = 44100
FFT = 4096
HOP = 1024
STEP = 64
"""Segments must be a multiple of this: six stages halve both axes."""

BINS = 1024
"""The nets see the lowest 1024 of 2049 bins, up to 11 kHz."""

DOWN = ((2, 16), (16, 32), (32, 64), (64, 128), (128, 256), (256, 512))
"""Input and output channels of the six encoder stages."""

UP = ((512, 256), (512, 128), (256, 64), (128, 32), (64, 16), (32, 1))
"""Input and output channels of the six decoder stages; from the second on, half of the input is a skip."""

LEAK = 0.2
EPSILON = 1e-10


def frames_needed(frames: int, newest: int) -> list[int]:
    """Return how many of the last frames each level must hold to decode the `newest` frames of a segment.

    The last convolution (4 taps, dilation 2) looks three frames back: level 0 needs n = newest + 3. A stage
    of the decoder gives output o from inputs i with o = 2i + k - 1, k = 0 … 4, so its oldest input is
    ceil((o - 3) / 2), and n outputs need floor((n + 3) / 2) inputs. A level has no more than frames / 2^d.

    Worked example: of 64 frames the newest one needs 4 of 64, 3 of 32, 3 of 16, 3 of 8, 3 of 4, 2 of 2, 1 of 1.

    Args:
        frames: length of the segment, a multiple of 64.
        newest: frames to decode.

    Returns:
        One count per level: the output of the decoder first, the bottleneck last.
    """
    counts = [min(frames, newest + 3)]
    for depth in range(1, len(UP) + 1):
        counts.append(min(frames >> depth, (counts[-1] + 3) // 2))
    return counts


def tensor_shapes(net: str) -> dict[str, tuple[int, ...]]:
    """Return name and shape of every tensor of one U-Net, as they are called in the converted file.

    Args:
        net: "vocals" or "accompaniment".
    """
    shapes: dict[str, tuple[int, ...]] = {f"{net}.last.weight": (2, 1, 4, 4), f"{net}.last.bias": (2,)}
    for stage, (inputs, outputs) in enumerate(DOWN):
        shapes[f"{net}.down.{stage}.weight"] = (outputs, inputs, 5, 5)
        shapes[f"{net}.down.{stage}.bias"] = (outputs,)
        if stage < len(DOWN) - 1:  # the published net has a sixth normalisation that nothing reads
            shapes[f"{net}.down_norm.{stage}.scale"] = shapes[f"{net}.down_norm.{stage}.shift"] = (outputs,)
    for stage, (inputs, outputs) in enumerate(UP):
        shapes[f"{net}.up.{stage}.weight"] = (inputs, outputs, 5, 5)
        shapes[f"{net}.up.{stage}.bias"] = (outputs,)
        shapes[f"{net}.up_norm.{stage}.scale"] = shapes[f"{net}.up_norm.{stage}.shift"] = (outputs,)
    return shapes
