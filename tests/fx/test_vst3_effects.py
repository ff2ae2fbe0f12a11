"""Debian's zam-plugins as effects on stems: loaded in a process of their own first, aligned, exact, and in a real engine."""

from __future__ import annotations

import base64
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from rtsep.config import FxTable
from rtsep.control.params import ParamStore
from rtsep.engine.session import Engine, StreamFormat
from rtsep.errors import UsageError
from rtsep.fx import vst3
from rtsep.fx.alignment import Alignment
from rtsep.fx.plan import FxPlan
from rtsep.fx.prepare import prepare
from rtsep.fx.separator import SeparatorWithEffects
from rtsep.io.null import render
from rtsep.realtime import layout as at
from tests.fx.rack import RATE, Rack, noise

ZAM = Path("/usr/lib/vst3")
pytestmark = pytest.mark.skipif(not (ZAM / "ZaMaximX2.vst3").exists(), reason="needs the Debian package zam-plugins")

LIMITER = {"use": "ZaMaximX2", "set": {"output_ceiling_db": 0.0, "threshold_db": 0.0}}
"""Looks 480 frames ahead; at rest it is a pure delay."""


@pytest.mark.parametrize(("tier", "hop"), [("3ms", 128), ("12ms", 512), ("46ms", 1024)])
def test_stems_stay_aligned_behind_a_plug_in_that_looks_ahead(tier: str, hop: int) -> None:
    rack = Rack(tier, vocals=[LIMITER])
    base = rack.inner.spec.latency
    assert rack.separator.spec.latency == base + 480
    mix = noise()
    for _ in range(2):  # also in a second stream of the same instance
        out = rack.play(mix)
        late = base + 480
        np.testing.assert_array_equal(out["drums"][:, late:], mix[:, : mix.shape[1] - late] / 4)
        np.testing.assert_allclose(out["vocals"][:, late:], mix[:, : mix.shape[1] - late] / 2, atol=1e-4)
        rack.state = rack.separator.init_state()


def moved(rack: Rack, plan: FxPlan, told: list[str]) -> Rack:
    """The rack with effects that were planned for another tier."""
    rack.separator = SeparatorWithEffects(rack.inner, plan, words=rack.words, header=rack.header, epoch=6, report=told.append)
    rack.state = rack.separator.init_state()
    return rack


@pytest.mark.parametrize(("before", "after"), [("12ms", "3ms"), ("3ms", "46ms")])
def test_a_plug_in_goes_on_at_another_tier_as_late_as_before(before: str, after: str) -> None:
    told: list[str] = []
    loud = {**LIMITER, "set": {**LIMITER["set"], "threshold_db": -30.0}}
    mix = noise(level=0.3)
    late = 480
    rest = moved(Rack(after, vocals=[LIMITER]), Rack(before, vocals=[LIMITER]).plan, told)
    delay = rest.inner.spec.latency + late
    out = rest.play(mix)
    np.testing.assert_array_equal(out["drums"][:, delay:], mix[:, :-delay] / 4)
    quiet = noise()
    rest.state = rest.separator.init_state()
    np.testing.assert_allclose(rest.play(quiet)["vocals"][:, delay:], quiet[:, :-delay] / 2, atol=1e-4)
    louder = moved(Rack(after, vocals=[loud]), Rack(before, vocals=[loud]).plan, told).play(mix)
    assert np.abs(louder["vocals"]).mean() > 1.5 * np.abs(out["vocals"]).mean()  # it works
    assert told == []


def test_a_plug_in_that_is_later_at_another_tier_is_bypassed_and_its_stem_stays_aligned() -> None:
    told: list[str] = []
    plan = Rack("12ms", vocals=[LIMITER]).plan
    [chain] = plan.chains.values()
    early = msgspec.structs.replace(chain[0], alignment=Alignment(offset=100))
    rack = moved(Rack("3ms", vocals=[LIMITER]), msgspec.structs.replace(plan, chains={"vocals": (early,)}), told)
    mix = noise()
    np.testing.assert_array_equal(rack.play(mix)["vocals"][:, 100:], mix[:, :-100] / 2)
    assert len(told) == 1 and "480 frames late at this tier and was planned for 100" in told[0] and "bypassed" in told[0]


def test_a_bypassed_plug_in_is_as_late_as_before_and_exact() -> None:
    rack = Rack(vocals=[{**LIMITER, "bypass": True}])
    mix = noise()
    np.testing.assert_array_equal(rack.play(mix)["vocals"][:, 480:], mix[:, :-480] / 2)


def test_a_mono_plug_in_works_on_each_side() -> None:
    mix = noise(level=0.5)
    out = Rack(vocals=[{"use": "ZamComp", "set": {"threshold_db": -40.0, "ratio": 10.0}}]).play(mix)["vocals"]
    assert (np.abs(out[:, 20000:]).mean(axis=1) < np.abs(mix[:, 20000:]).mean() / 4).all()
    mono = Rack(vocals=[{"use": "ZamComp", "set": {"threshold_db": -40.0, "ratio": 10.0}}]).play(mix[::-1].copy())["vocals"]
    np.testing.assert_array_equal(mono, out[::-1])


def test_a_knob_of_a_plug_in_that_the_rig_sets_moves_live() -> None:
    rack = Rack(vocals=[{**LIMITER, "name": "max"}])
    assert {"fx.vocals.max.wet", "fx.vocals.max.bypass", "fx.vocals.max.threshold_db"} <= rack.knobs.keys()
    mix = noise(level=0.3)
    before = np.abs(rack.play(mix)["vocals"]).mean()
    rack.set("fx.vocals.max.threshold_db", -30.0)
    assert np.abs(rack.play(mix)["vocals"][:, 10000:]).mean() > before * 1.5  # a maximizer makes louder what it limits


def test_the_state_of_a_plug_in_is_kept_in_the_rig() -> None:
    unit = vst3.load(ZAM / "ZamComp.vst3")
    unit.threshold_db = -40.0
    unit.ratio = 10.0
    unit.process(np.zeros((1, 512), np.float32), RATE)  # only then does it take them over into its state
    kept = base64.b64encode(unit.raw_state).decode()
    mix = noise(level=0.5)
    by_state = Rack(vocals=[{"use": "ZamComp", "state": kept}]).play(mix)["vocals"]
    by_knobs = Rack(vocals=[{"use": "ZamComp", "set": {"threshold_db": -40.0, "ratio": 10.0}}]).play(mix)["vocals"]
    np.testing.assert_allclose(by_state, by_knobs, atol=1e-5)


def test_a_plug_in_is_found_by_path_and_by_name_and_a_typo_is_answered() -> None:
    assert vst3.find("ZamComp") == vst3.find(str(ZAM / "ZamComp.vst3")) == ZAM / "ZamComp.vst3"
    with pytest.raises(UsageError, match='Did you mean "ZamComp"'):
        vst3.find("ZamCmp")


def test_a_file_that_is_no_plug_in_is_reported(tmp_path: Path) -> None:
    bundle = tmp_path / "broken.vst3"
    inside = bundle / "Contents" / "x86_64-linux"
    inside.mkdir(parents=True)
    (inside / "broken.so").write_bytes(b"\x7fELF nonsense")
    with pytest.raises(vst3.PluginError, match=r"broken\.vst3"):
        vst3.probe(bundle)


def test_a_plug_in_that_crashes_while_it_is_loaded_is_reported_and_nobody_else_dies(tmp_path: Path) -> None:
    if shutil.which("g++") is None:
        pytest.skip("compiling a plug-in that crashes needs g++")
    inside = tmp_path / "crash.vst3" / "Contents" / "x86_64-linux"
    inside.mkdir(parents=True)
    source = tmp_path / "crash.cpp"
    source.write_text(
        '#include <cstdlib>\nextern "C" bool ModuleEntry(void *) { abort(); }\nextern "C" void *GetPluginFactory() { abort(); }\n'
    )
    subprocess.run(["g++", "-shared", "-fPIC", source, "-o", inside / "crash.so"], check=True)
    with pytest.raises(vst3.PluginError, match="crash"):
        vst3.probe(tmp_path / "crash.vst3")


def test_an_engine_with_effects_reports_their_latency_and_is_exact() -> None:
    table = msgspec.convert({"vocals": [LIMITER], "drums": [{"use": "gain", "set": {"gain_db": -6.0}}]}, FxTable)
    effects = prepare(table, model="passthrough", tier="12ms", rate=RATE)
    engine = Engine(
        StreamFormat(RATE, 256),
        model="passthrough",
        tier="12ms",
        freewheel=True,
        worker=effects.worker,
        extra_latency=effects.extra_latency,
    )
    store = ParamStore(engine.segment.params)
    effects.set_knobs(store)
    engine.start()
    assert engine.supervisor.wait_until_running(30), engine.supervisor.reason
    assert "effects" in "\n".join(engine.latency.lines())
    mix = noise()
    out = np.concatenate(list(render(engine, mix)), axis=1)
    late = engine.latency.frames
    np.testing.assert_array_equal(out[6:8, late : late + mix.shape[1]], mix / 8)
    np.testing.assert_allclose(out[2:4, late : late + mix.shape[1]], mix / 2, atol=1e-4)
    np.testing.assert_allclose(out[4:6, late : late + mix.shape[1]], mix / 4 * 10 ** (-6 / 20), rtol=1e-4)
    store.set("fx.drums.gain.gain_db", 0.0)
    assert int(engine.segment.header[at.FX_BANNED]) == 0
    engine.stop()


def test_an_engine_that_changes_its_tier_keeps_its_plug_ins() -> None:
    told: list[str] = []
    table = msgspec.convert({"vocals": [{**LIMITER, "set": {**LIMITER["set"], "threshold_db": -30.0}}]}, FxTable)
    effects = prepare(table, model="passthrough", tier="12ms", rate=RATE)
    engine = Engine(
        StreamFormat(RATE, 256),
        model="passthrough",
        tier="12ms",
        freewheel=True,
        worker=effects.worker,
        extra_latency=effects.extra_latency,
        on_event=told.append,
    )
    effects.set_knobs(ParamStore(engine.segment.params))
    engine.start()
    assert engine.supervisor.wait_until_running(30), engine.supervisor.reason
    header = engine.segment.header
    before = int(header[at.EPOCH])
    engine.change(tier="46ms")
    end = time.monotonic() + 30
    while not (header[at.READY] == header[at.EPOCH] > before) and time.monotonic() < end:
        time.sleep(0.05)
    mix = noise(level=0.3)
    out = np.concatenate(list(render(engine, mix)), axis=1)
    late = engine.latency.frames
    np.testing.assert_array_equal(out[4:6, late : late + mix.shape[1]], mix / 4)
    assert np.abs(out[2:4, late:]).mean() > 1.5 * np.abs(mix / 2).mean()
    assert not [text for text in told if "bypassed" in text]
    engine.stop()


def end_while_the_plug_in_runs(ended_by: signal.Signals) -> tuple[list[str], NDArray[np.float32], NDArray[np.float32]]:
    """End a model's process inside its plug-in, a limiter of the vocals; see what the next one makes of it.

    Returns:
        What was told, the mix `[2, frames]`, and the vocals that came of it afterwards, aligned.
    """
    told: list[str] = []
    table = msgspec.convert({"vocals": [{**LIMITER, "set": {**LIMITER["set"], "threshold_db": -30.0}}]}, FxTable)
    effects = prepare(table, model="passthrough", tier="12ms", rate=RATE)
    engine = Engine(
        StreamFormat(RATE, 256),
        model="passthrough",
        freewheel=True,
        worker=effects.worker,
        extra_latency=effects.extra_latency,
        on_event=told.append,
    )
    effects.set_knobs(ParamStore(engine.segment.params))
    engine.start()
    assert engine.supervisor.wait_until_running(30)
    header, pid = engine.segment.header, engine.supervisor.pid or 0
    os.kill(pid, signal.SIGSTOP)
    header[at.FX_RUNNING] = int(header[at.EPOCH]) << 8 | 1  # as the process writes before the plug-in's turn
    os.kill(pid, ended_by)
    os.kill(pid, signal.SIGCONT)
    end = time.monotonic() + 30
    while not (header[at.READY] == header[at.EPOCH] and int(header[at.EPOCH]) > 1) and time.monotonic() < end:
        time.sleep(0.05)
    mix = noise(level=0.3)
    out = np.concatenate(list(render(engine, mix)), axis=1)
    engine.stop()
    late = engine.latency.frames
    return told, mix, out[2:4, late : late + mix.shape[1]]


def test_a_plug_in_that_brings_the_process_down_is_bypassed_in_the_next_one() -> None:
    told, mix, vocals = end_while_the_plug_in_runs(signal.SIGSEGV)
    assert any("ZaMaximX2" in text and "bypassed" in text for text in told), told
    np.testing.assert_array_equal(vocals, mix / 2)


def test_a_plug_in_is_not_blamed_for_a_process_that_was_killed_from_outside() -> None:
    told, mix, vocals = end_while_the_plug_in_runs(signal.SIGKILL)
    assert any("SIGKILL" in text for text in told), told
    assert not [text for text in told if "bypassed" in text]
    assert np.abs(vocals).mean() > 1.5 * np.abs(mix / 2).mean(), "the limiter is heard"
