"""The streaming transform against torch, against the input, and against itself in other pieces."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rtsep.dsp.stft import StreamingStft, spectra
from rtsep.dsp.windows import hann_pair, low_delay_pair

PAIRS = {
    "low delay": low_delay_pair(512, 64, 128),
    "barely overlapping": low_delay_pair(512, 64, 80),
    "hann": hann_pair(512, 128),
}


def noise(frames: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-1, 1, (2, frames)).astype(np.float32)


def test_spectra_equal_those_of_torch() -> None:
    signal = noise(2048)
    window = PAIRS["hann"].analysis
    theirs = torch.stft(torch.from_numpy(signal), 512, 128, window=torch.from_numpy(window), center=False, return_complex=True)
    assert np.abs(spectra(signal, window, 128) - theirs.numpy().swapaxes(1, 2)).max() < 1e-4  # measured 2e-5 of 30


@pytest.mark.parametrize("name", PAIRS)
def test_unchanged_spectra_return_the_input_after_the_declared_latency(name: str) -> None:
    pair = PAIRS[name]
    stft = StreamingStft(pair)
    state = stft.init_state((2,), (2,))
    mix = noise(40 * pair.hop)
    out = stft.synthesise(stft.analyse(mix, state), state)
    assert np.abs(out[:, pair.latency :] - mix[:, : -pair.latency]).max() < 2e-6  # measured 7e-7
    assert np.abs(out[:, : pair.latency]).max() < 2e-6


@settings(deadline=None)
@given(st.lists(st.integers(1, 5), min_size=1, max_size=12), st.sampled_from(sorted(PAIRS)))
def test_any_grouping_of_hops_equals_the_whole_signal(groups: list[int], name: str) -> None:
    pair = PAIRS[name]
    stft = StreamingStft(pair)
    mix = noise(sum(groups) * pair.hop)
    mask = np.random.default_rng(1).uniform(0, 1, (3, 1, 1, stft.bins)).astype(np.float32)

    def separate(block: np.ndarray, state: dict) -> np.ndarray:
        return stft.synthesise(stft.analyse(block, state) * mask, state)

    whole = separate(mix, stft.init_state((2,), (3, 2)))
    state, start, parts = stft.init_state((2,), (3, 2)), 0, []
    for hops in groups:
        parts.append(separate(mix[:, start : start + hops * pair.hop], state))
        start += hops * pair.hop
    streamed = np.concatenate(parts, axis=-1)
    assert streamed.dtype == np.float32
    assert np.abs(streamed - whole).max() < 1e-6  # sums of four pieces may be added in another order
