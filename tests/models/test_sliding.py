"""The sliding window against what the same net does to a whole file."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtsep.models.separator import Audio, State
from rtsep.models.sliding import Slide
from tests.models.contract import check_impulse, check_unity, run
from tests.models.toy_net import LoudnessNet, MovingAverageNet, moving_average, toy_separator


class FickleNet(MovingAverageNet):
    """Halves every second estimate."""

    def init_state(self) -> State:
        return {"odd": False}

    def estimate(self, window: Audio, state: State) -> Audio:
        state["odd"] = not state["odd"]
        return super().estimate(window, state) * np.float32(0.5 if state["odd"] else 1.0)


@st.composite
def slides(draw: st.DrawFn) -> Slide:
    hop = draw(st.integers(1, 40))
    return Slide(hop=hop, fade=draw(st.integers(0, hop)), context=draw(st.integers(3, 60)), lookahead=draw(st.integers(3, 30)))


@given(slides())
def test_a_net_that_sees_enough_gives_what_it_gives_to_the_whole_file(slide: Slide) -> None:
    mix = np.random.default_rng(0).uniform(-1, 1, (2, slide.hop * 12)).astype(np.float32)
    separator = toy_separator(slide, radius=3, net=MovingAverageNet)
    latency = separator.spec.latency
    assert latency == slide.fade + slide.lookahead
    silence = np.zeros((2, -(-latency // slide.hop) * slide.hop), np.float32)
    streamed = run(separator, np.concatenate([mix, silence], axis=1))[0][:, latency : latency + mix.shape[1]]
    padded = np.pad(mix, ((0, 0), (3, 3)))
    assert np.abs(streamed - 0.5 * moving_average(padded, 3)[:, 3:-3]).max() < 1e-6


@given(slides())
def test_stems_add_up_after_the_declared_latency_for_any_lengths(slide: Slide) -> None:
    separator = toy_separator(slide, net=LoudnessNet)
    check_unity(separator)
    check_impulse(separator, 7)


def test_a_fade_hides_the_seam_between_estimates_that_disagree() -> None:
    def largest_jump(fade: int) -> float:
        separator = toy_separator(Slide(context=64, hop=64, lookahead=3, fade=fade), net=FickleNet)
        vocals = run(separator, np.ones((2, 64 * 8), np.float32))[0]
        return float(np.abs(np.diff(vocals[0, 64 * 4 :])).max())

    assert largest_jump(0) == pytest.approx(0.25)  # from 1/2 to 1/4 between two frames
    assert largest_jump(48) < 0.25 * np.pi / 2 / 48 * 1.01  # the steepest step of a sin² over 48 frames


def test_a_fade_longer_than_the_hop_is_refused() -> None:
    with pytest.raises(ValueError, match="at most one hop"):
        toy_separator(Slide(context=0, hop=8, fade=9))
