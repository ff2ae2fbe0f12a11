"""BandNet hop by hop in numpy and ONNX Runtime: no torch, one core, a fraction of a millisecond.

The masks divide the spectrum of the low-delay STFT, with the help of where in the stereo field each stem stands
(`rtsep.dsp.wiener`); what lies above them goes to `other`. As masks add up to one in every bin, the stems add up to the delayed
input, and silence gives silence.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtsep.dsp.stft import Spectra, StreamingStft
from rtsep.dsp.wiener import divider
from rtsep.dsp.windows import low_delay_pair
from rtsep.models.bandnet_config import BandNetConfig
from rtsep.models.runtime import open_session
from rtsep.models.separator import Audio, LatencyTerm, SeparatorSpec, State

FrameNet = Callable[[NDArray[np.float32], NDArray[np.float32]], tuple[NDArray[np.float32], NDArray[np.float32]]]
"""Spectrum `[1, 1, channels, bins, 2]` and state to masks `[1, 1, stems, channels, masked_bins]` and the next state."""


def latency_terms(config: BandNetConfig) -> tuple[LatencyTerm, ...]:
    """What makes up the latency: only the overlap of the synthesis windows."""
    return (LatencyTerm("synthesis window", config.latency),)


def onnx_frame_net(path: Path) -> FrameNet:
    """Open the graph of one frame."""
    session: Any = open_session(path)

    def run(spectrum: NDArray[np.float32], state: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        masks, new_state = session.run(["masks", "new_state"], {"spectrum": spectrum, "state": state})
        return masks, new_state

    return run


def masks_of_frame(
    net: FrameNet, spectrum: Spectra, hidden: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Masks `[stems, channels, masked_bins]` of one transform `[channels, bins]`, and the next state.

    Broken input passes with the mix and is gone with its window; the memory of the net would keep it for ever, so the net
    hears silence instead.
    """
    planes = np.ascontiguousarray(spectrum).view(np.float32)
    if not np.isfinite(planes).all():
        planes = np.zeros_like(planes)
    masks, hidden = net(planes.reshape(1, 1, len(spectrum), -1, 2), hidden)
    return masks[0, 0], hidden


class BandNetStream:
    """A `Separator`."""

    def __init__(self, net: FrameNet, config: BandNetConfig, spec: SeparatorSpec) -> None:
        self.spec = spec
        self._net, self._config = net, config
        self._stft = StreamingStft(low_delay_pair(config.window, config.hop, config.synthesis))
        self._divider = divider(len(config.stems), config.channels, self._stft.bins, config.hop, config.rate)
        self._remainder = config.stems.index("other")

    def init_state(self) -> State:
        """Return the memory of a stream that has heard only silence."""
        config = self._config
        memory = self._stft.init_state((config.channels,), (len(config.stems), config.channels))
        return (
            memory
            | self._divider.init_state()
            | {"hidden": np.zeros((config.blocks, config.band_count, config.hidden), np.float32)}
        )

    def step(self, mix: Audio, state: State) -> Audio:
        """Separate one hop, see `Separator.step`."""
        spectrum = self._stft.analyse(mix, state)[:, 0]  # [channels, bins]
        masks, state["hidden"] = masks_of_frame(self._net, spectrum, state["hidden"])
        stems = self._divider.split(to_all_bins(masks, self._stft.bins, self._remainder), spectrum, state)
        return self._stft.synthesise(stems[:, :, None], state)


def to_all_bins(masks: NDArray[np.float32], bins: int, remainder: int) -> NDArray[np.float32]:
    """Extend masks `[stems, channels, covered]` to `[stems, channels, bins]`: above them all is of stem `remainder`."""
    covered = masks.shape[-1]
    extended = np.zeros((*masks.shape[:-1], bins), np.float32)
    extended[..., :covered] = masks
    extended[remainder, :, covered:] = 1.0
    return extended
