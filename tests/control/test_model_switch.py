"""Another model or tier under way: by command, MIDI and OSC; what is missing is a sentence, and what fails is taken back."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rtsep.cli import main
from rtsep.config import EffectTable, FxTable, MidiTable, Rig
from rtsep.control import commands as ask
from rtsep.control.console import Console
from rtsep.control.local_socket import ControlServer
from rtsep.control.midi_map import check
from rtsep.control.model_switch import ModelSwitch
from rtsep.engine.session import Engine, StreamFormat
from rtsep.errors import ConfigError, ModelError
from rtsep.io.null import NullBackend
from rtsep.models import registry, spleeter_weights, weights
from rtsep.models.spleeter import Settings
from rtsep.realtime import layout as at
from rtsep.realtime.midi import receive
from tests.control.test_midi_messages import bind

SPLEETER = "spleeter-2stems"


def eventually(wanted: Callable[[], object], seconds: float = 60.0) -> None:
    until = time.monotonic() + seconds
    while not wanted():
        assert time.monotonic() < until
        time.sleep(0.02)


class Stage:
    """An engine in real time with a console that ticks whenever somebody looks."""

    def __init__(self, folder: Path) -> None:
        self.told: list[str] = []
        self.backend = NullBackend(44_100, 512)
        self.engine = Engine(self.backend.open(), model="passthrough", on_event=self.told.append)
        rig = Rig(midi=MidiTable(bind=(bind("model.passthrough.46ms", "program", 9),)))
        self.console = Console(self.engine, rig, state=folder, tell=self.told.append)
        self.latencies: list[int] = []
        self.console.models.on_latency = lambda: self.latencies.append(self.engine.latency.frames)
        self.backend.start(self.engine)
        self.engine.start()
        eventually(lambda: self.state() == "separated")

    def state(self) -> str:
        self.console.tick()
        return self.engine.status().state

    def change(self, model: str = "", tier: str = "") -> ask.Answer:
        return self.console.execute(ask.ModelChange(model, tier))

    def plays(self, model: str) -> bool:
        status = self.console.execute(ask.Status()).data
        return self.state() == "separated" and status["model"] == model and not status["loading"]

    def stop(self) -> None:
        self.backend.stop()
        self.engine.stop()


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    monkeypatch.setenv("RTSEP_HOME", str(tmp_path))
    made = Stage(tmp_path)
    yield made
    made.stop()


def test_a_tier_changes_while_audio_goes_on_and_faders_stay(stage: Stage) -> None:
    stage.console.params.set("stem.vocals.gain_db", -6.0)
    cycles = int(stage.engine.segment.header[at.CYCLES])
    answer = stage.change(tier="46ms")
    assert answer.data == "passthrough 46ms"
    assert stage.console.execute(ask.Status()).data["loading"] == "passthrough 46ms"
    eventually(lambda: stage.plays("passthrough 46ms"))
    assert stage.engine.segment.header[at.CYCLES] > cycles
    assert stage.console.params.get("stem.vocals.gain_db") == pytest.approx(-6.0)
    assert stage.latencies == [stage.engine.latency.frames], "the host hears of the latency once"
    assert "passthrough 46ms is running" in stage.told[-1]
    assert stage.change(tier="46ms").data == "passthrough 46ms"
    assert not stage.console.models.loading, "nothing to change"


def test_what_is_missing_is_said_before_the_present_model_goes(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    package = registry.find(SPLEETER)[0].package.partition("==")[0]
    monkeypatch.setitem(sys.modules, package, None)  # as if it were not installed
    for model in (SPLEETER, "cascade"):
        answer = stage.change(model)
        assert "rtsep models pull spleeter-2stems" in answer.error
    choices = {choice["name"]: choice for choice in stage.console.execute(ask.ModelList()).data}
    assert choices[SPLEETER]["missing"]
    assert choices[SPLEETER]["tiers"] == []
    assert [tier["name"] for tier in choices["passthrough"]["tiers"]] == ["3ms", "12ms", "46ms"]
    assert stage.plays("passthrough 12ms")


def test_what_cannot_run_live_is_refused_with_a_sentence(stage: Stage) -> None:
    damaged_weights()  # they are not read for this
    assert 'Did you mean "cascade"' in stage.change("cascad").error
    assert "Tiers: 3ms" in stage.change("", "13ms").error
    assert "whole file" in stage.change(SPLEETER, "offline").error
    assert stage.plays("passthrough 12ms")


def damaged_weights() -> None:
    """Weights that look complete and are not what they were."""
    card, _ = registry.find(SPLEETER)
    names = spleeter_weights.wanted_files([tier.read(Settings).shape for tier in card.tiers])
    folder = weights.folder(SPLEETER)
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_bytes(b"good")
    weights.write_manifest(folder, names, spleeter_weights.fingerprint(card))
    for name in names:
        (folder / name).write_bytes(b"evil")


def test_a_model_that_does_not_start_is_taken_back(stage: Stage) -> None:
    damaged_weights()
    assert stage.change(SPLEETER).ok
    eventually(lambda: stage.state() and stage.console.execute(ask.Status()).data["model_error"])
    error = stage.console.models.error
    assert "altered or truncated" in error
    assert error.endswith("Back to passthrough 12ms.")
    eventually(lambda: stage.plays("passthrough 12ms"))


def test_effects_keep_the_stems_they_are_on(tmp_path: Path) -> None:
    engine = Engine(StreamFormat(44_100, 512), model="passthrough")
    effects = FxTable(drums=(EffectTable(use="gain"),))
    with pytest.raises(ModelError, match="makes no drums"):
        ModelSwitch(engine, effects, tell=print).change(SPLEETER)
    engine.stop()


def test_every_live_tier_of_every_model_fits_whatever_was_started_first() -> None:
    engine = Engine(StreamFormat(96_000, 1024), model="passthrough", tier="3ms")
    for card in registry.catalogue():
        for tier in card.tiers:
            if not tier.whole_file:
                engine.change(model=card.name, tier=tier.name)
    engine.stop()


def test_a_program_change_brings_another_tier(stage: Stage) -> None:
    receive(stage.engine.context.words, 0xC0, 9, 0)
    eventually(lambda: stage.plays("passthrough 46ms"))


@pytest.mark.parametrize(
    ("to", "words"), [("model.cascad", 'Did you mean "cascade"'), (f"model.{SPLEETER}.offline", "cannot run live")]
)
def test_a_binding_to_a_model_that_cannot_be_is_refused(to: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        check([bind(to, "program", 1)])


def test_the_command_line_lists_changes_and_waits(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    door = ControlServer(stage.console, tmp_path / "run" / "control.sock")
    assert door.start()
    done = threading.Event()

    def tick() -> None:
        while not done.wait(0.02):
            stage.console.tick()

    ticking = threading.Thread(target=tick)
    ticking.start()
    try:
        assert main(["ctl", "model", "3ms"]) == 0
        assert "passthrough 3ms, latency" in capsys.readouterr().out
        assert main(["ctl", "model"]) == 0
        listed = capsys.readouterr().out
        assert " * 3ms" in listed
        assert "cascade" in listed
        assert main(["ctl", "model", "cascad"]) != 0
        assert "Did you mean" in capsys.readouterr().err
    finally:
        done.set()
        ticking.join()
        door.stop()
