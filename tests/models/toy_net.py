"""A net with nothing to learn, for the sliding window: a symmetric moving average, which no stream can run as it is."""

from __future__ import annotations

import numpy as np

from rtsep.models.separator import Audio, SeparatorSpec, State
from rtsep.models.sliding import Slide, SlidingSeparator


def moving_average(signal: Audio, radius: int) -> Audio:
    """Mean of each frame and `radius` frames to either side, silence beyond the ends."""
    width = 2 * radius + 1
    return np.stack([np.convolve(channel, np.full(width, 1 / width), "same") for channel in signal]).astype(np.float32)


class MovingAverageNet:
    """Half of the smoothed window; sees what it needs if context and look-ahead are at least `radius`."""

    tapered = False

    def __init__(self, slide: Slide, radius: int) -> None:
        self.slide = slide
        self.radius = radius

    def init_state(self) -> State:
        return {}

    def estimate(self, window: Audio, state: State) -> Audio:
        end = window.shape[1] - self.slide.lookahead
        smooth = moving_average(window, self.radius)[:, end - self.slide.hop - self.slide.fade : end]
        return 0.5 * smooth[None]


class LoudnessNet(MovingAverageNet):
    """Depends on the whole window: neighbouring estimates disagree, and the cross-fade has something to do."""

    def estimate(self, window: Audio, state: State) -> Audio:
        return super().estimate(window, state) * np.float32(1.0 / (1.0 + np.abs(window).mean()))


def toy_separator(slide: Slide, radius: int = 3, net: type[MovingAverageNet] = LoudnessNet) -> SlidingSeparator:
    """Two stems: the net's estimate and the rest."""
    spec = SeparatorSpec(
        name="toy",
        tier="toy",
        rate=44100,
        hop=slide.hop,
        stems=("vocals", "other"),
        latency_terms=slide.latency_terms,
        licence="GPL-3.0-or-later",
    )
    return SlidingSeparator(net(slide, radius), slide, spec)
