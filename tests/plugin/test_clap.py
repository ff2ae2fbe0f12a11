"""The plug-in in a CLAP host: exact stems, constant latency, and a DAW that plays on whatever the engine does."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from rtsep.io.bridge import instances, take_place
from tests.plugin.clap_host import ClapPlugin
from tests.plugin.conftest import Bridge

Audio = NDArray[np.float32]
RATE = 44100
SHARES = (1 / 2, 1 / 4, 1 / 8, 1 / 8)


@pytest.fixture
def plugin(plugins: Path, place: Path) -> Iterator[ClapPlugin]:
    made = ClapPlugin(plugins / "rtsep-stems.clap")
    yield made
    made.destroy()
    assert instances(place) == []


def play(plugin: ClapPlugin, music: Audio, block: int = 512, **changes: float) -> Audio:
    """Push music through in blocks as an export does: as fast as it goes, and waiting for the model."""
    changes.setdefault("Offline", 1)
    parts = []
    for start in range(0, music.shape[1], block):
        parts.append(plugin.process(music[:, start : start + block], **changes))
        changes = {}
    return np.concatenate(parts, axis=1)


def shifted(music: Audio, latency: int) -> Audio:
    """The music as it comes out after the latency."""
    return np.concatenate([np.zeros((2, latency), np.float32), music[:, : music.shape[1] - latency]], axis=1)


def assert_exact(out: Audio, music: Audio, latency: int) -> None:
    expected = shifted(music, latency)
    np.testing.assert_array_equal(out[:2], expected)
    for slot, share in enumerate(SHARES):
        np.testing.assert_array_equal(out[2 + 2 * slot : 4 + 2 * slot], expected * np.float32(share))


def test_the_plug_in_has_a_stereo_bus_for_the_mix_and_for_each_stem(plugin: ClapPlugin) -> None:
    assert [channels for _, channels in plugin.outputs] == [2] * 5
    assert [name for name, _ in plugin.outputs[1:]] == ["Vocals", "Drums", "Bass", "Other"]


def test_mix_and_stems_are_exact_at_every_block_size(plugin: ClapPlugin, bridge: Bridge, music: Audio) -> None:
    for block in (16, 100, 512, 2048):
        plugin.activate(RATE, block)
        assert_exact(play(plugin, music, block), music, plugin.latency)
        assert plugin["Late hops"] == 0
        plugin.deactivate()


def test_blocks_of_changing_size_give_the_same(plugin: ClapPlugin, bridge: Bridge, music: Audio) -> None:
    plugin.activate(RATE, 1024)
    rng = np.random.default_rng(2)
    cuts = np.cumsum(rng.integers(1, 1024, 500))
    parts = np.split(music, cuts[cuts < music.shape[1]], axis=1)
    out = np.concatenate([plugin.process(part, Offline=1) for part in parts], axis=1)
    assert_exact(out, music, plugin.latency)
    plugin.deactivate()


def test_without_an_engine_the_input_comes_delayed(plugin: ClapPlugin, music: Audio) -> None:
    plugin.activate(RATE, 256)
    assert_sum(play(plugin, music, 256), music, plugin.latency)
    assert plugin["Engine"] == 0
    plugin.deactivate()


def test_an_engine_that_has_answered_is_shown_from_the_first_block_on(plugin: ClapPlugin, bridge: Bridge, music: Audio) -> None:
    plugin.activate(RATE, 256)
    plugin.process(music[:, :256])
    assert plugin["Engine"] >= 1
    assert b"No engine" not in plugin.save()
    plugin.deactivate()


def test_an_export_without_any_switch_has_no_hole(plugin: ClapPlugin, place: Path, music: Audio) -> None:
    """The plug-in notices by itself that the host is faster than time; with 70 ms of latency from the first hop on."""
    bridge = Bridge(place, "--model", "passthrough", "--tier", "46ms")
    plugin.activate(RATE, 256)
    play(plugin, music[:, :RATE])  # the model has loaded
    plugin.deactivate()
    plugin.activate(RATE, 256)
    out = play(plugin, music, 256, Offline=0)
    assert_exact(out, music, plugin.latency)
    plugin.deactivate()
    bridge.stop()


def test_an_export_that_the_host_announces_waits_for_a_model_that_is_loading(
    plugin: ClapPlugin, bridge: Bridge, music: Audio
) -> None:
    plugin.export()
    plugin.activate(RATE, 256)
    assert plugin["Engine"] < 2
    assert_exact(play(plugin, music, 256, Offline=0), music, plugin.latency)
    plugin.deactivate()


def test_a_muted_stem_is_missing_from_the_mix_and_solo_leaves_one(plugin: ClapPlugin, bridge: Bridge, music: Audio) -> None:
    plugin.activate(RATE, 512)
    muted = play(plugin, music, Vocals_mute=1)
    expected = shifted(music, plugin.latency) / 2
    np.testing.assert_array_equal(muted[:2, RATE:], expected[:, RATE:])
    assert not muted[2:4, RATE:].any()
    plugin.deactivate()
    plugin.activate(RATE, 512)
    alone = play(plugin, music, Vocals_mute=0, Bass_solo=1)
    np.testing.assert_array_equal(alone[:2, RATE:], shifted(music, plugin.latency)[:, RATE:] / 8)
    plugin.deactivate()


def test_a_gain_in_decibels_ramps_and_arrives(plugin: ClapPlugin, bridge: Bridge, music: Audio) -> None:
    plugin.activate(RATE, 512)
    play(plugin, music)
    out = play(plugin, music, Drums=-20.0)
    latency = plugin.latency
    np.testing.assert_allclose(out[4:6, RATE:], shifted(music, latency)[:, RATE:] / 4 * 0.1, rtol=1e-6)
    jumps = np.abs(np.diff(out[4, : latency + 64] / np.where(out[2, : latency + 64] == 0, 1, out[2, : latency + 64]) * 2))
    assert jumps.max() < 0.05
    plugin.deactivate()


def test_bypass_keeps_the_latency_and_ignores_the_faders(plugin: ClapPlugin, bridge: Bridge, music: Audio) -> None:
    plugin.activate(RATE, 512)
    before = plugin.latency
    out = play(plugin, music, Bypass=1, Vocals_mute=1, Master=-60)
    assert plugin.latency == before
    np.testing.assert_array_equal(out[:2], shifted(music, before))
    plugin.deactivate()


def test_a_stream_begins_anew_with_silence_and_the_same_result(plugin: ClapPlugin, bridge: Bridge, music: Audio) -> None:
    plugin.activate(RATE, 512)
    first = play(plugin, music[:, :50_001])
    plugin.deactivate()
    plugin.activate(RATE, 512)
    np.testing.assert_array_equal(play(plugin, music[:, :50_001]), first)
    plugin.deactivate()


def test_after_a_reset_by_the_host_nothing_is_heard_of_before(plugin: ClapPlugin, bridge: Bridge, music: Audio) -> None:
    """As hosts do when the transport jumps; the model forgets too, or its first hop would have the past in it."""
    plugin.activate(RATE, 512)
    for length in (30_011, 50_001):  # ends within a hop
        assert_exact(play(plugin, music[:, :length]), music[:, :length], plugin.latency)
        plugin.reset()
    plugin.deactivate()


def test_another_block_size_or_tier_changes_the_latency_and_stays_exact(plugin: ClapPlugin, bridge: Bridge, music: Audio) -> None:
    seen = set()
    for block in (512, 100):
        plugin.activate(RATE, block)
        assert_exact(play(plugin, music, block), music, plugin.latency)
        seen.add(plugin.latency)
        plugin.deactivate()
    plugin.activate(RATE, 512)
    play(plugin, music, 512, Tier=3)
    assert plugin.restarts_asked > 0
    plugin.deactivate()
    plugin.activate(RATE, 512)
    assert_exact(play(plugin, music), music, plugin.latency)
    seen.add(plugin.latency)
    plugin.deactivate()
    assert len(seen) == 3


def test_the_project_may_change_its_rate(plugin: ClapPlugin, bridge: Bridge, music: Audio) -> None:
    for rate in (RATE, 96000):
        plugin.activate(rate, 512)
        out = play(plugin, music)
        np.testing.assert_allclose(out[:2], shifted(music, plugin.latency), atol=1e-4)
        assert not np.allclose(out[2:4], out[:2] / 4, atol=1e-2)  # as it would be without a model
        plugin.deactivate()


def test_a_model_that_there_is_not_is_said_and_the_input_comes_delayed(
    plugin: ClapPlugin, bridge: Bridge, music: Audio, until: Callable[..., None]
) -> None:
    plugin.load(plugin.save().replace(b"model\0\0", b"model\0pasthrough\0"))
    plugin.activate(RATE, 512)
    np.testing.assert_array_equal(play(plugin, music)[:2], shifted(music, plugin.latency))
    assert b'no model "pasthrough". Did you mean "passthrough"?' in plugin.save()
    assert plugin["Engine"] == 3
    plugin.deactivate()


def test_the_state_keeps_parameters_latency_and_model(plugins: Path, plugin: ClapPlugin, bridge: Bridge, music: Audio) -> None:
    plugin.activate(RATE, 512)
    play(plugin, music[:, :4096], Bass=-6.0, Wet=0.25, Tier=3)
    play(plugin, music)
    latency = plugin.latency
    state = plugin.save()
    plugin.deactivate()
    bridge.stop()
    again = ClapPlugin(plugins / "rtsep-stems.clap")
    again.load(state.replace(b"model\0\0", b"model\0passthrough\0"))
    assert (again["Bass"], again["Wet"], again["Tier"]) == (-6.0, 0.25, 3.0)
    again.activate(RATE, 512)
    assert again.latency == latency  # although there is no engine to ask
    assert b"model\0passthrough\0" in again.save()
    again.deactivate()
    again.destroy()


def test_an_engine_that_dies_and_comes_again_leaves_no_gap(
    plugin: ClapPlugin, bridge: Bridge, music: Audio, until: Callable[..., None]
) -> None:
    """The sum of all stems is the delayed input before, during and after; only the separation is missing for a while."""
    plugin.activate(RATE, 512)
    out = play(plugin, music)
    bridge.kill()
    dead = play(plugin, music, Offline=0)
    assert_sum(np.concatenate([out, dead], axis=1), np.concatenate([music, music], axis=1), plugin.latency)
    until(lambda: plugin.process(music[:, :512], Offline=0).any() and plugin["Engine"] == 0)
    assert b"Start one with: rtsep bridge" in plugin.save()
    bridge.start()

    def separated() -> bool:
        return bool(plugin.process(music[:, :512], Offline=0)[2:4].any()) and plugin["Engine"] == 2

    until(separated)
    tail = play(plugin, music)
    np.testing.assert_array_equal(tail[2:4, RATE:], shifted(music, plugin.latency)[:, RATE:] / 2)
    plugin.deactivate()


def assert_sum(out: Audio, music: Audio, latency: int) -> None:
    expected = shifted(music, latency)
    np.testing.assert_array_equal(out[:2], expected)
    total = ((out[8:10] + out[6:8]) + out[4:6]) + out[2:4]
    np.testing.assert_allclose(total, expected, atol=1.2e-7)  # while stems fade to shares of the dry mix; measured 6e-8


def test_two_instances_have_models_and_faders_of_their_own(
    plugins: Path, plugin: ClapPlugin, bridge: Bridge, music: Audio
) -> None:
    other = ClapPlugin(plugins / "rtsep-stereo.clap")
    plugin.activate(RATE, 512)
    other.activate(RATE, 256)
    first, second = [], []
    for start in range(0, music.shape[1], 512):
        first.append(plugin.process(music[:, start : start + 512], Offline=1))
        halves = (-music[:, half : half + 256] for half in (start, start + 256))
        second.extend(other.process(half, Offline=1, Drums_mute=1) for half in halves)
    assert_exact(np.concatenate(first, axis=1), music, plugin.latency)
    np.testing.assert_array_equal(np.concatenate(second, axis=1)[:, RATE:], (-0.75 * shifted(music, other.latency))[:, RATE:])
    other.deactivate()
    other.destroy()
    plugin.deactivate()


def test_effects_of_the_rig_work_in_the_daw_and_their_latency_is_reported(
    plugin: ClapPlugin, place: Path, music: Audio, tmp_path: Path
) -> None:
    rig = tmp_path / "rig.toml"
    rig.write_text('[engine]\nmodel = "passthrough"\n[fx]\ndrums = [{ use = "gain", set = { gain_db = -20.0 } }]\n')
    bridge = Bridge(place, str(rig))
    plugin.activate(RATE, 512)
    out = play(plugin, music)
    expected = shifted(music, plugin.latency)
    np.testing.assert_array_equal(out[2:4], expected / 2)
    np.testing.assert_allclose(out[4:6], expected / 4 * 0.1, rtol=1e-5)
    plugin.deactivate()
    bridge.stop()


def test_not_a_number_enters_as_silence(plugin: ClapPlugin, bridge: Bridge, music: Audio) -> None:
    plugin.activate(RATE, 512)
    spoiled = music.copy()
    spoiled[0, 20_000], spoiled[1, 30_000] = np.nan, np.inf
    clean = music.copy()
    clean[0, 20_000] = clean[1, 30_000] = 0
    assert_exact(play(plugin, spoiled), clean, plugin.latency)
    plugin.deactivate()


def test_a_plug_in_starts_its_engine_and_the_engine_ends_without_plug_ins(
    plugins: Path, place: Path, music: Audio, monkeypatch: pytest.MonkeyPatch, until: Callable[..., None]
) -> None:
    """The command is a stand-in that calls the real one with another model and a shorter time to linger."""
    starter = place.parent / "starter"
    starter.write_text(
        f'#!/bin/sh\nexec "{sys.executable}" -c "import sys, rtsep.io.bridge_service as b; b.IDLE_S = 0.5;'
        ' from rtsep.cli import main; sys.exit(main(sys.argv[1:]))" "$@" --model passthrough\n'
    )
    starter.chmod(0o700)
    monkeypatch.setenv("RTSEP_BRIDGE_COMMAND", str(starter))
    plugin = ClapPlugin(plugins / "rtsep-stems.clap")
    plugin.activate(RATE, 512)
    assert_exact(play(plugin, music), music, plugin.latency)
    plugin.deactivate()
    plugin.destroy()

    def free() -> bool:
        lock = take_place(place)
        if lock is not None:
            os.close(lock)
        return lock is not None

    until(free)
