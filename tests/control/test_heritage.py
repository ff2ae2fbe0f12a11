"""An engine that takes over knows what the one before had learned; the first one knows what it was told."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from rtsep.config import EngineTable, MidiTable, Rig
from rtsep.control import commands as ask
from rtsep.control.console import Console
from rtsep.control.heritage import Heritage
from rtsep.control.learn import ENOUGH
from rtsep.engine.guardian import Life
from rtsep.engine.session import Engine, StreamFormat
from rtsep.realtime.midi import receive
from tests.control.test_midi_messages import bind

RIG = Rig(engine=EngineTable(model="passthrough", tier="3ms"), midi=MidiTable(bind=(bind("stem.vocals.mute", "note", 60),)))


@pytest.fixture
def memory() -> Iterator[int]:
    descriptor = os.memfd_create("life")
    yield descriptor
    os.close(descriptor)


@pytest.mark.parametrize("number", [None, 0])
def test_the_first_engine_begins_with_its_rig(memory: int, number: int | None) -> None:
    heritage = Heritage(None if number is None else Life(number, memory))
    assert heritage.rig(RIG) == RIG
    assert not heritage.takes_over
    assert heritage.records(True)
    assert not heritage.records(False)


def test_what_was_learned_is_known_to_the_next_engine_and_a_recording_that_ended_stays_ended(memory: int, tmp_path: Path) -> None:
    first = Heritage(Life(0, memory))
    rig = first.rig(RIG)
    engine = Engine(StreamFormat(48_000, 256), model="passthrough", tier="3ms")
    console = Console(engine, rig, state=tmp_path, tell=lambda _text: None)
    console.after_tick = lambda: first.leave(console)
    console.tick()
    console.execute(ask.LearnStart("stem.bass.mute"))
    for _ in range(ENOUGH // 2):
        receive(engine.context.words, 0xB0, 50, 127)
        receive(engine.context.words, 0xB0, 50, 0)
    console.tick()
    engine.stop()

    second = Heritage(Life(1, memory))
    assert second.takes_over
    assert not second.records(True)
    assert second.rig(RIG).engine == RIG.engine, "a model that has not computed is not left to anybody"
    assert second.rig(RIG).midi.bind == console.bindings
    assert [binding.to for binding in console.bindings] == ["stem.vocals.mute", "stem.bass.mute"]
