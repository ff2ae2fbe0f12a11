"""BandNet keeps the separator's contract on both runtimes, and both runtimes agree.

Weights are random but large, so that masks differ from bin to bin: a law that only holds for flat masks would show.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rtsep.errors import ConfigError, WeightsError
from rtsep.models import bandnet_package as package
from rtsep.models.bandnet import BandNet
from rtsep.models.bandnet_config import BandNetConfig
from rtsep.models.bandnet_stream import BandNetStream, latency_terms, onnx_frame_net
from rtsep.models.bandnet_torch import BandNetTorch, load_net
from rtsep.models.separator import Audio, Separator, SeparatorSpec
from rtsep.stems import STEMS
from rtsep.training.separation import separate_song
from rtsep.training.stft import LowDelayStft

CONFIG = BandNetConfig(
    window=256, hop=64, synthesis=128, bands=((8, 4), (6, 14)), width=12, hidden=16, blocks=2, exchange_groups=3, patterns=5
)
SPEC = SeparatorSpec(
    name="small", tier="test", rate=44100, hop=64, stems=STEMS, latency_terms=latency_terms(CONFIG), licence="none"
)


@pytest.fixture(scope="module")
def net() -> BandNet:
    torch.manual_seed(4)
    made = BandNet(CONFIG)
    with torch.no_grad():
        for weight in made.decoders:
            weight.mul_(6.0)
        for weight in (*made.pattern_encoders, made.pattern_head.weight):  # these begin at zero
            weight.copy_(torch.randn_like(weight))
        for parameter in made.parameters():
            parameter.copy_(parameter.half().float())
    return made.eval()


@pytest.fixture(scope="module")
def folder(net: BandNet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("onnxscript")
    from rtsep.models.bandnet_export import write_package

    where = tmp_path_factory.mktemp("package")
    write_package(net, where, {"name": "small", "licence": "none"}, "# small\n")
    return where


@pytest.fixture(params=["onnx", "torch"])
def separator(request: pytest.FixtureRequest, folder: Path) -> Separator:
    if request.param == "onnx":
        return BandNetStream(onnx_frame_net(folder / package.GRAPH), CONFIG, SPEC)
    return BandNetTorch(load_net(folder / package.WEIGHTS, CONFIG), SPEC, "cpu")


def music(hops: int, seed: int = 0) -> Audio:
    return np.random.default_rng(seed).uniform(-0.5, 0.5, (2, hops * CONFIG.hop)).astype(np.float32)


def stream(separator: Separator, mix: Audio) -> Audio:
    state = separator.init_state()
    hop = separator.spec.hop
    return np.concatenate([separator.step(mix[:, i : i + hop], state).copy() for i in range(0, mix.shape[1], hop)], -1)


def test_hop_by_hop_equals_the_whole_song(separator: Separator, net: BandNet) -> None:
    mix = music(60)
    offline = separate_song(net, LowDelayStft(CONFIG.window, CONFIG.hop, CONFIG.synthesis), mix)
    late = separator.spec.latency
    # Measured: 4e-7. Kernels for one and for many frames round differently.
    assert np.abs(stream(separator, mix)[..., late:] - offline[..., :-late]).max() < 1e-5


@settings(max_examples=10)
@given(cuts=st.lists(st.integers(1, 39), max_size=5, unique=True))
def test_any_cut_into_calls_gives_the_same_masks(net: BandNet, cuts: list[int]) -> None:
    spectrum = torch.randn(2, 40, 2, CONFIG.bins, 2, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        whole, _ = net(spectrum, net.init_state(2))
        pieces, state, edges = [], net.init_state(2), [0, *sorted(cuts), 40]
        for start, stop in itertools.pairwise(edges):
            masks, state = net(spectrum[:, start:stop], state)
            pieces.append(masks)
    assert float((torch.cat(pieces, 1) - whole).abs().max()) < 1e-5


def test_stems_add_up_to_the_delayed_input_in_every_bin(separator: Separator) -> None:
    mix = music(40)
    mix[:, 1::2] = -mix[:, ::2]  # half of its energy at the Nyquist bin, which no mask covers
    late = separator.spec.latency
    assert np.abs(stream(separator, mix).sum(0)[:, late:] - mix[:, :-late]).max() < 1e-5


def test_stems_differ(separator: Separator) -> None:
    stems = stream(separator, music(40))
    assert all(np.abs(stems[i] - stems[j]).max() > 0.05 for i in range(4) for j in range(i))


def test_silence_in_is_silence_out(separator: Separator) -> None:
    assert not stream(separator, np.zeros((2, CONFIG.hop * 20), np.float32)).any()


def test_silence_after_music_is_silence_once_the_windows_have_passed(separator: Separator) -> None:
    mix = np.concatenate([music(20), np.zeros((2, CONFIG.hop * 20), np.float32)], 1)
    assert not stream(separator, mix)[..., 20 * CONFIG.hop + CONFIG.window :].any()


def test_the_future_never_changes_the_past(separator: Separator) -> None:
    mix = music(30)
    poisoned = mix.copy()
    poisoned[:, 20 * CONFIG.hop :] = np.nan
    clean, dirty = stream(separator, mix), stream(separator, poisoned)
    assert np.array_equal(clean[..., : 20 * CONFIG.hop], dirty[..., : 20 * CONFIG.hop])


def test_broken_input_passes_and_is_forgotten(separator: Separator) -> None:
    mix = music(40)
    mix[:, 10 * CONFIG.hop] = np.nan
    stems = stream(separator, mix)
    assert np.isnan(stems[..., 10 * CONFIG.hop : 13 * CONFIG.hop]).any()
    assert np.isfinite(stems[..., 10 * CONFIG.hop + CONFIG.window + CONFIG.hop :]).all()


def test_state_is_the_only_memory(separator: Separator) -> None:
    mix, other = music(16), music(16, seed=9)
    alone = stream(separator, mix)
    states = [separator.init_state(), separator.init_state()]
    woven = []
    for start in range(0, mix.shape[1], CONFIG.hop):
        separator.step(other[:, start : start + CONFIG.hop], states[1])
        woven.append(separator.step(mix[:, start : start + CONFIG.hop], states[0]).copy())
    assert np.array_equal(np.concatenate(woven, -1), alone)


def test_ten_minutes_of_virtual_stream_do_not_drift(net: BandNet) -> None:
    # Ten minutes at 86 hops a second are 52 000 frames; the state stays within 1 and forgets all but the last seconds.
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        state = net.init_state()
        for _ in range(52):
            _, state = net(torch.randn(1, 1000, 2, CONFIG.bins, 2, generator=generator), state)
        assert float(state.abs().max()) <= 1.0
        ending = torch.randn(1, 400, 2, CONFIG.bins, 2, generator=generator)
        late, _ = net(ending, state)
        fresh, _ = net(ending, net.init_state())
    assert float((late[:, 300:] - fresh[:, 300:]).abs().max()) < 1e-3


def test_onnx_and_torch_agree(folder: Path) -> None:
    mix = music(60, seed=5)
    by_onnx = stream(BandNetStream(onnx_frame_net(folder / package.GRAPH), CONFIG, SPEC), mix)
    by_torch = stream(BandNetTorch(load_net(folder / package.WEIGHTS, CONFIG), SPEC, "cpu"), mix)
    # Measured: 1e-5. The filter divides by determinants, which differ in the last digits.
    assert np.abs(by_onnx - by_torch).max() < 5e-5


def test_the_delay_is_the_declared_latency(separator: Separator) -> None:
    mix = np.zeros((2, CONFIG.hop * 10), np.float32)
    mix[:, 100] = 1.0
    assert int(np.argmax(np.abs(stream(separator, mix).sum(0)[0]))) == 100 + separator.spec.latency


@pytest.mark.parametrize("spoil", [lambda path: path.write_bytes(path.read_bytes()[:-9]), lambda path: path.unlink()])
def test_damaged_weights_are_refused(folder: Path, tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    copy = tmp_path / package.GRAPH
    copy.write_bytes((folder / package.GRAPH).read_bytes())
    spoil(copy)
    with pytest.raises(WeightsError, match=r"step\.onnx"):
        package.verified(tmp_path, package.GRAPH, package.read_facts(folder).graph_sha256)


def test_sizes_that_cannot_be_are_refused() -> None:
    with pytest.raises(ConfigError, match="129"):
        BandNetConfig(window=256, hop=64, synthesis=128, bands=((10, 16),))
    with pytest.raises(ConfigError, match="twice the hop"):
        BandNetConfig(window=256, hop=64, synthesis=192, bands=((8, 4),))
