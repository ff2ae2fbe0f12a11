"""The contract that every separation model fulfils, and nothing else.

A separator consumes a hop of the mix and returns a hop of every stem. Its laws, which `tests/models/contract.py` checks on each
implementation:

* *State is the only memory.* `step(mix, state)` reads and updates `state` and nothing else that matters to the result.
* *Streaming equals whole-file.* However the input is cut into calls, the concatenated output is the same; it is the input's
  separation delayed by exactly `spec.latency` frames.
* *Causality.* Input frame t never changes output frames before t (a NaN put at t proves it).
* *Unity.* The stems add up to the input delayed by `spec.latency`, within float rounding.

Arrays are numpy float32. A model that computes elsewhere (ONNX Runtime, CUDA) converts inside: this keeps torch, which takes a
second and 200 MB to import, out of the real-time worker when ONNX Runtime does the work.

Worked example: synthesis window Ns = 2048, hop H = 1024. A step's first output frame is final when the window that ends with this
step has been added, so output frame i of step k belongs to input frame k*H + i - (Ns - H): `latency` = 1024. A player hears an
input frame at the earliest Ns = latency + hop frames after it was played: `algorithmic_latency` = 2048 = 46.4 ms at 44.1 kHz.
"""

from __future__ import annotations

from typing import Any, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

Audio = NDArray[np.float32]
"""`[channels, frames]` float32, full scale ±1 (stems: `[stems, channels, frames]`)."""

State = dict[str, Any]
"""Named arrays; a new dict from `init_state()` is a reset."""


class LatencyTerm(msgspec.Struct, frozen=True):
    """One named part of a delay, in frames at the rate of whoever reports it."""

    name: str
    frames: int


class SeparatorSpec(msgspec.Struct, frozen=True, kw_only=True):
    """What a separator is and promises. Frames count at `rate` Hz."""

    name: str
    tier: str
    rate: int
    hop: int
    stems: tuple[str, ...]
    latency_terms: tuple[LatencyTerm, ...]
    licence: str
    weights_sha256: str = ""
    channels: int = 2

    @property
    def latency(self) -> int:
        """Offset in frames of the concatenated output against the input."""
        return sum(term.frames for term in self.latency_terms)

    @property
    def algorithmic_latency(self) -> int:
        """Frames from hearing an input frame to its earliest output: `latency` plus the hop that must fill first."""
        return self.latency + self.hop


class Separator(Protocol):
    """A model that separates while the music plays."""

    @property
    def spec(self) -> SeparatorSpec:
        """Constant description."""
        ...

    def init_state(self) -> State:
        """Return the state of a stream that has heard only silence."""
        ...

    def step(self, mix: Audio, state: State) -> Audio:
        """Separate one hop.

        Args:
            mix: `[channels, hop]` float32, full scale ±1.
            state: from `init_state`, updated in place.

        Returns:
            `[stems, channels, hop]` float32, delayed by `spec.latency`; the caller may keep it until the next call.
        """
        ...


class WholeFileSeparator(Protocol):
    """A model (or the tier of one) that needs the whole file: best quality, no latency to speak of."""

    @property
    def spec(self) -> SeparatorSpec:
        """Constant description; `hop` is the frame count it works in, `latency_terms` is empty."""
        ...

    def separate(self, mix: Audio) -> Audio:
        """Separate `[channels, frames]` into `[stems, channels, frames]`, aligned with the input."""
        ...
