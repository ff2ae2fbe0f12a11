"""A VST3 plug-in that crashes, hangs, is slow, changes its latency and remembers things: in a rack, and in a real engine."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest

from rtsep.config import FxTable, Rig, load_rig
from rtsep.control import commands as ask
from rtsep.control.console import Console
from rtsep.control.params import ParamStore
from rtsep.control.stage import resume_faders
from rtsep.engine.session import Engine
from rtsep.fx import vst3
from rtsep.fx.mailbox import PluginStates
from rtsep.fx.prepare import prepare
from rtsep.io.null import NullBackend
from rtsep.models.separator import Audio
from rtsep.realtime import layout as at
from tests.fx.rack import RATE, Rack, noise

CRASH, NOT_A_NUMBER, SLOW, LATER, HANG, CRASH_IN_A_THREAD = range(1, 7)
LATENCY = 64
LIMIT_S = 60.0
KNOBS = {"trouble": 0.0, "level": 1.0, "learn": 0.0}


def entry(plugin: Path, **more: object) -> dict[str, object]:
    return {"use": str(plugin), "set": KNOBS, **more}


def remember(rack: Rack, level: float) -> None:
    """Have the plug-in learn a volume, as others learn noise."""
    rack.set("fx.vocals.Trouble.level", level)
    rack.set("fx.vocals.Trouble.learn", 1.0)
    rack.play(noise(2048))
    rack.set("fx.vocals.Trouble.learn", 0.0)
    rack.play(noise(2048))


def factor(rack: Rack, mix: Audio) -> Audio:
    """What the vocals were multiplied with, frame by frame."""
    rack.play(np.zeros((2, 2048), np.float32))
    vocals = rack.play(mix)["vocals"]
    return vocals[0, LATENCY:] / (mix[0, :-LATENCY] / 2)


def states_of(rack: Rack) -> PluginStates:
    return PluginStates(rack.plan.state_names(), Path(rack.plan.mailbox), rack.header)


def asked(rack: Rack) -> dict[str, str]:
    """States as a control thread gets them while music plays."""
    states, answers = states_of(rack), []
    asking = threading.Thread(target=lambda: answers.append(states.ask(LIMIT_S)))
    asking.start()
    while asking.is_alive():
        rack.play(noise(1024))
    return answers[0]


@pytest.fixture
def rack(trouble: Path) -> Rack:
    return Rack(vocals=[entry(trouble)])


@pytest.mark.parametrize(("what", "why"), [(NOT_A_NUMBER, "not a number"), (SLOW, "longer than the music lasts")])
def test_trouble_is_taken_out_and_its_stem_goes_on_as_late_as_before(rack: Rack, what: int, why: str) -> None:
    mix = noise()
    remember(rack, 0.5)
    rack.header[at.FREEWHEEL] = 0
    rack.set("fx.vocals.Trouble.trouble", what)
    rack.play(mix)
    assert len(rack.reports) == 1 and why in rack.reports[0] and "bypassed" in rack.reports[0]
    assert rack.separator.spec.latency == rack.inner.spec.latency + LATENCY
    rack.play(np.zeros((2, 2048), np.float32))
    out = rack.play(mix)
    np.testing.assert_array_equal(out["vocals"][:, LATENCY:], mix[:, :-LATENCY] / 2)
    np.testing.assert_array_equal(out["drums"][:, LATENCY:], mix[:, :-LATENCY] / 4)


def test_while_the_host_waits_a_slow_plug_in_is_not_too_slow(rack: Rack) -> None:
    rack.set("fx.vocals.Trouble.trouble", SLOW)
    rack.play(noise(8192))
    assert rack.reports == []


def test_a_plug_in_that_changes_its_latency_is_heard_dry_until_it_is_as_late_as_before(rack: Rack) -> None:
    mix = noise()
    remember(rack, 0.5)
    np.testing.assert_allclose(factor(rack, mix), 0.5, rtol=1e-4)
    rack.set("fx.vocals.Trouble.trouble", LATER)
    np.testing.assert_allclose(factor(rack, mix), 1.0)
    assert len(rack.reports) == 1 and "is now 256 frames late, not 64" in rack.reports[0]
    rack.set("fx.vocals.Trouble.trouble", 0.0)
    np.testing.assert_allclose(factor(rack, mix), 0.5, rtol=1e-4)
    assert "heard again" in rack.reports[1]


def test_a_knob_that_the_rig_sets_stands_where_the_rig_says(trouble: Path) -> None:
    rack = Rack(vocals=[{"use": str(trouble), "set": {"level": 0.25}}])
    assert rack.knobs["fx.vocals.Trouble.level"].default == pytest.approx(0.25)


def test_a_state_comes_back_with_nothing_but_dry_sound_meanwhile_and_the_other_stems_untouched(rack: Rack) -> None:
    mix = noise()
    remember(rack, 0.5)
    kept = asked(rack)
    assert list(kept) == ["fx.vocals.Trouble.state"]
    remember(rack, 0.25)
    np.testing.assert_allclose(factor(rack, mix), 0.25, rtol=1e-4)
    states_of(rack).load(kept)
    rack.play(np.zeros((2, 512), np.float32))
    out = rack.play(mix)
    heard = out["vocals"][0, LATENCY:] / (mix[0, :-LATENCY] / 2)
    assert (heard > 0.24).all() and (heard < 1.01).all(), "between what was, dry, and what will be: no gap"
    assert np.abs(np.diff(heard)).max() < 0.01, "no jump"
    np.testing.assert_allclose(heard[-8192:], 0.5, rtol=1e-4)
    np.testing.assert_array_equal(out["drums"][:, LATENCY:], mix[:, :-LATENCY] / 4)


def test_a_bypassed_plug_in_takes_its_state_too(rack: Rack) -> None:
    remember(rack, 0.5)
    kept = asked(rack)
    remember(rack, 0.25)
    rack.set("fx.vocals.Trouble.bypass", 1.0)
    rack.play(noise(2048))
    states_of(rack).load(kept)
    rack.play(noise(2048))
    rack.set("fx.vocals.Trouble.bypass", 0.0)
    rack.play(noise(2048))
    np.testing.assert_allclose(factor(rack, noise()), 0.5, rtol=1e-4)


def test_a_rig_names_a_preset_beside_itself(trouble: Path, tmp_path: Path) -> None:
    unit = vst3.load(trouble)
    unit.level, unit.learn = 0.5, 1.0
    unit.process(np.zeros((2, 512), np.float32), RATE)
    unit.learn = 0.0
    unit.process(np.zeros((2, 512), np.float32), RATE)
    (tmp_path / "half.vstpreset").write_bytes(unit.preset_data)
    rig = tmp_path / "rig.toml"
    rig.write_text(f'[fx]\nvocals = [{{ use = "{trouble}", preset = "half.vstpreset" }}]\n')
    (effect,) = load_rig(rig).fx.vocals
    rack = Rack(vocals=[msgspec.to_builtins(effect)])
    np.testing.assert_allclose(factor(rack, noise()), 0.5, rtol=1e-4)


def test_a_preset_of_something_else_is_refused(trouble: Path, tmp_path: Path) -> None:
    (tmp_path / "song.vstpreset").write_bytes(b"RIFF")
    with pytest.raises(vst3.PluginError, match=r"song\.vstpreset is no preset of this plug-in"):
        Rack(vocals=[entry(trouble, preset=str(tmp_path / "song.vstpreset"))])


class Stage:
    """A plug-in on the vocals of a real engine that plays noise in real time."""

    def __init__(self, plugin: Path, folder: Path) -> None:
        table = msgspec.convert({"vocals": [entry(plugin)]}, FxTable)
        effects = prepare(table, model="passthrough", tier="12ms", rate=RATE)
        self.told: list[str] = []
        self.backend = NullBackend(RATE, 256, loop=noise(RATE))
        self.engine = Engine(
            self.backend.open(),
            model="passthrough",
            tier="12ms",
            realtime=False,
            on_event=self.told.append,
            worker=effects.worker,
            extra_latency=effects.extra_latency,
        )
        self.store = ParamStore(self.engine.segment.params)
        effects.set_knobs(self.store)
        self.states = effects.states(self.engine.segment)
        self.console = Console(self.engine, Rig(), state=folder, plugins=self.states, tell=self.told.append)
        self.backend.start(self.engine)
        self.engine.start()
        self.until(lambda: self.engine.status().state == "separated")

    def until(self, true: Callable[[], bool]) -> None:
        end = time.monotonic() + LIMIT_S
        while not true():
            assert time.monotonic() < end, f"it did not happen; told: {self.told}"
            time.sleep(0.01)

    def volume(self) -> float:
        """By what the vocals are multiplied in the frames that were heard last, to two places; 0 if they are not aligned.

        The dry mix, heard while a hop is late, makes 0.5 of it.
        """
        segment = self.engine.segment
        end = int(segment.header[at.OUT_POS]) - 256
        frames = np.arange(end - 1024, end)
        heard = segment.played[2, frames & (at.PLAYED - 1)]
        came = segment.source[0, (frames - int(segment.header[at.LATENCY])) & (segment.capacity - 1)] / 2
        ratio = float(heard @ came / (came @ came))
        return round(ratio, 2) if np.allclose(heard, ratio * came, atol=1e-4) else 0.0

    def learn(self, level: float) -> None:
        self.store.set("fx.vocals.Trouble.level", level)
        self.store.set("fx.vocals.Trouble.learn", 1.0)
        self.until(lambda: self.volume() == level)
        self.store.set("fx.vocals.Trouble.learn", 0.0)

    def do(self, command: ask.Command) -> None:
        answer = self.console.execute(command)
        assert answer.ok, answer.error

    def close(self) -> None:
        self.backend.stop()
        self.engine.stop()


@pytest.fixture
def stage(trouble: Path, tmp_path: Path) -> Iterator[Stage]:
    made = Stage(trouble, tmp_path)
    yield made
    made.close()


@pytest.mark.parametrize("what", [CRASH, HANG, CRASH_IN_A_THREAD])
def test_a_plug_in_that_ends_the_process_is_bypassed_in_the_next_and_the_show_goes_on(stage: Stage, what: int) -> None:
    stage.learn(0.8)
    stage.store.set("fx.vocals.Trouble.trouble", what)
    stage.until(lambda: any("Trouble" in text and "bypassed" in text for text in stage.told))
    stage.until(lambda: stage.engine.status().state == "separated" and stage.volume() == 1.0)
    assert 1 <= stage.engine.status().restarts <= 2


def test_a_snapshot_brings_back_what_only_the_plug_in_knows_also_after_a_crash_of_the_model(stage: Stage) -> None:
    stage.learn(0.8)
    stage.do(ask.SnapshotStore("verse"))
    stage.learn(0.3)
    stage.do(ask.SnapshotStore("chorus"))
    stage.do(ask.SnapshotRecall("verse"))
    stage.until(lambda: stage.volume() == 0.8)
    os.kill(stage.engine.supervisor.pid or 0, signal.SIGKILL)
    stage.until(lambda: stage.engine.status().restarts == 1 and stage.engine.status().state == "separated")
    stage.until(lambda: stage.volume() == 0.8)
    stage.do(ask.SnapshotRecall("chorus"))
    stage.until(lambda: stage.volume() == 0.3)


def test_the_last_state_of_a_plug_in_is_resumed(trouble: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RTSEP_HOME", str(tmp_path))
    first = Stage(trouble, tmp_path / "state")
    first.learn(0.8)
    first.console.stop()
    first.close()
    second = Stage(trouble, tmp_path / "state")
    resume_faders(second.store, second.told.append, second.states)
    second.until(lambda: second.volume() == 0.8)
    second.close()
