"""The plug-in in JUCE's VST3 host, which is pedalboard's: exact at every block size, with the latency it reports."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pedalboard
import pytest
from numpy.typing import NDArray

from rtsep.models.passthrough import SHARES
from tests.plugin.conftest import Bridge

Audio = NDArray[np.float32]
RATE = 44100


def through(plugin: pedalboard.VST3Plugin, music: Audio, block: int) -> Audio:
    """Process in blocks from a fresh start; pedalboard itself takes the reported latency off the beginning."""
    plugin.reset()
    parts = [
        plugin.process(music[:, start : start + block], RATE, buffer_size=block, reset=False)
        for start in range(0, music.shape[1], block)
    ]
    return np.concatenate(parts, axis=1)


def late(out: Audio, music: Audio, latency: int) -> Audio:
    """What `out` must be: pedalboard takes off the latency that it knew before the first block, which is of the last reset."""
    taken = music.shape[1] - out.shape[1]
    silence = np.zeros((2, latency - taken), np.float32)
    return np.concatenate([silence, music[:, : music.shape[1] - latency]], axis=1)


def test_stems_of_the_vst3_add_up_bit_by_bit_at_every_block_size(plugins: Path, bridge: Bridge, music: Audio) -> None:
    plugin = pedalboard.load_plugin(str(plugins / "rtsep-stereo.vst3"))
    plugin.offline = True
    for block in (512, 16, 64, 100, 1024, 2048):
        out = through(plugin, music, block)
        np.testing.assert_array_equal(out, late(out, music, plugin.reported_latency_samples))
    assert plugin.late_hops == 0


def test_a_vst3_is_told_of_an_export_by_its_host(plugins: Path, bridge: Bridge, music: Audio) -> None:
    """JUCE's host says so in the mode of its process calls, as pedalboard has it do; the model loads meanwhile."""
    plugin = pedalboard.load_plugin(str(plugins / "rtsep-stereo.vst3"))
    plugin.vocals_mute = True
    out = through(plugin, music, 512)
    np.testing.assert_array_equal(out, late(out, music, plugin.reported_latency_samples) / 2)


def test_every_output_bus_of_the_vst3_has_its_stem(plugins: Path, bridge: Bridge, tmp_path: Path) -> None:
    """Pedalboard has the first bus only, so here is a host that has all; what goes in counts frames from 1."""
    probe, frames = tmp_path / "probe", 16_384
    source = Path(__file__).with_name("vst3_probe.cpp")
    subprocess.run(["g++", "-std=gnu++17", "-I", "/usr/share/dpf/distrho/src", source, "-o", probe, "-ldl"], check=True)
    plugin = plugins / "rtsep-stems.vst3/Contents/x86_64-linux/rtsep-stems.so"
    done = subprocess.run([probe, plugin, str(frames), "512"], capture_output=True, text=True, check=True)
    rows = [tuple(map(float, line.split())) for line in done.stdout.splitlines()]
    latency = rows[0][0]
    shares = (share for share in (1.0, *SHARES.values()) for _ in range(2))
    assert rows == [(latency, latency, share, share * (frames - latency)) for share in shares]


@pytest.mark.parametrize("name", ["rtsep-stereo.vst3", "rtsep-stems.vst3"])
def test_both_plug_ins_show_the_same_parameters(plugins: Path, place: Path, name: str) -> None:
    plugin = pedalboard.load_plugin(str(plugins / name))
    stems = {f"{stem}_{what}" for stem in ("vocals", "drums", "bass", "other") for what in ("db", "mute", "solo")}
    moved = stems | {"master_db", "wet", "tier", "offline", "bypass"}
    assert moved | {"engine", "late_hops"} <= set(plugin.parameters)
    assert {name for name, parameter in plugin.parameters.items() if parameter.is_automatable} == moved


def test_a_fader_of_the_vst3_moves_its_stem(plugins: Path, bridge: Bridge, music: Audio) -> None:
    plugin = pedalboard.load_plugin(str(plugins / "rtsep-stereo.vst3"))
    plugin.offline = True
    through(plugin, music, 512)
    plugin.vocals_mute = True
    out = through(plugin, music, 512)
    np.testing.assert_array_equal(out, late(out, music, plugin.reported_latency_samples) / 2)
