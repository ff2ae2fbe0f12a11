"""Real processes that die, hang or are stopped: audio goes on, and what can come back comes back.

Limits of time are far above what is promised: they only end a test that would wait for ever.
"""

from __future__ import annotations

import gc
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from rtsep.clock import VirtualClock
from rtsep.config import Rig
from rtsep.control import commands as ask
from rtsep.control.console import Console
from rtsep.engine.session import Engine, StreamFormat
from rtsep.engine.supervisor import WorkerState
from rtsep.io.null import NullBackend
from rtsep.realtime import layout as at
from rtsep.realtime.block import process
from rtsep.stems import STEMS
from tests.faults.virtual_stage import counting

LIMIT_S = 60.0
FAULTY_WORKER = (sys.executable, str(Path(__file__).with_name("faulty_worker.py")))


def eventually(true: Callable[[], bool], limit_s: float = LIMIT_S) -> bool:
    until = time.monotonic() + limit_s
    while time.monotonic() < until:
        if true():
            return True
        time.sleep(0.02)
    return False


class Playing:
    """An engine in real time on a device of its own."""

    def __init__(self, **more: object) -> None:
        self.events: list[str] = []
        self.backend = NullBackend(44_100, 512, loop=counting(1, 512 * 40))
        self.engine = Engine(self.backend.open(), model="passthrough", on_event=self.events.append, **more)  # type: ignore[arg-type]
        self.header = self.engine.segment.header
        self.supervisor = self.engine.supervisor
        self.backend.start(self.engine)
        self.engine.start()

    def separated(self) -> bool:
        return self.engine.status().state == "separated" and self.header[at.SEPARATED] == 1

    def audio_goes_on(self) -> bool:
        before = int(self.header[at.CYCLES])
        return eventually(lambda: int(self.header[at.CYCLES]) > before + 20)

    def stop(self) -> None:
        self.backend.stop()
        self.engine.stop()


@pytest.fixture
def playing() -> Iterator[Playing]:
    one = Playing()
    assert eventually(one.separated)
    yield one
    one.stop()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP, signal.SIGSEGV])
def test_a_model_process_that_is_killed_or_frozen_is_replaced_while_audio_goes_on(playing: Playing, how: signal.Signals) -> None:
    pid = playing.supervisor.pid
    assert pid is not None
    os.kill(pid, how)
    assert eventually(lambda: playing.supervisor.state is not WorkerState.RUNNING)
    assert playing.audio_goes_on()
    assert eventually(playing.separated)
    assert playing.supervisor.pid != pid
    assert playing.supervisor.restarts == 1
    assert "dry mix goes on" in playing.events[0]


@pytest.mark.parametrize(
    ("fault", "said"), [("raise:20", "ValueError: planned"), ("memory:20", "MemoryError"), ("hang:20", "no sign of life")]
)
def test_a_model_that_raises_hangs_or_has_no_memory_is_restarted_and_its_words_are_passed_on(
    fault: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RTSEP_FAULT", fault)
    one = Playing(worker=FAULTY_WORKER)
    try:
        assert eventually(lambda: bool(one.events))
        assert said in one.events[0]
        assert one.audio_goes_on()
        assert eventually(one.separated)
    finally:
        one.stop()


def test_while_the_model_hangs_every_control_answers_and_is_heard(playing: Playing, tmp_path: Path) -> None:
    console = Console(playing.engine, Rig(), state=tmp_path, tell=playing.events.append)
    pid = playing.supervisor.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    assert eventually(lambda: playing.header[at.SEPARATED] == 0)
    for stem in STEMS:
        assert console.execute(ask.Set(f"stem.{stem}.mute", 1.0)).ok
    assert console.execute(ask.Status()).ok

    def silent() -> bool:
        playing.engine.segment.take_meters()
        return playing.audio_goes_on() and not playing.engine.segment.take_meters()[: at.CHANNELS].any()

    assert eventually(silent)
    assert console.execute(ask.Set("stem.drums.mute", 0.0)).ok
    assert eventually(lambda: not silent())


def test_a_model_that_cannot_load_is_given_up_with_its_sentence_and_another_can_take_its_place(playing: Playing) -> None:
    segment, engine = playing.engine.segment, playing.engine
    honest = int(segment.header[at.HOP])
    engine.supervisor.swap(engine.supervisor._request, lambda: segment.header.__setitem__(at.HOP, honest + 1))
    assert eventually(lambda: playing.supervisor.state is WorkerState.FAILED)
    assert "please report" in playing.events[-1]
    assert playing.audio_goes_on()
    engine.change(tier="46ms")
    assert eventually(playing.separated)


def test_changing_the_tier_while_playing_keeps_the_latency_and_comes_back_separated(playing: Playing) -> None:
    playing.engine.change(tier="46ms")
    assert eventually(playing.separated)
    longer = playing.engine.latency.frames
    assert playing.header[at.HOP] == playing.engine.spec.hop == 1024
    playing.engine.change(tier="3ms")
    assert eventually(playing.separated)
    assert playing.header[at.HOP] == 128
    assert playing.engine.latency.frames == playing.header[at.LATENCY] == longer
    assert playing.supervisor.restarts == 0


def test_changes_faster_than_a_model_loads_end_at_the_last_one_and_leave_nothing_behind(playing: Playing) -> None:
    playing.engine.change(tier="12ms")
    assert eventually(playing.separated)
    before = belongings()
    for tier in ["46ms", "3ms", "12ms"] * 10:
        playing.engine.change(tier=tier)
    assert eventually(playing.separated)
    assert playing.engine.spec.tier == "12ms"
    assert playing.header[at.HOP] == playing.engine.spec.hop
    assert playing.header[at.LATENCY] == playing.engine.latency.frames
    assert playing.supervisor.restarts == 0
    assert eventually(lambda: belongings() == before)


def test_while_the_tier_changes_every_sample_is_heard_once_and_in_its_place() -> None:
    engine = Engine(StreamFormat(44_100, 512), model="passthrough", tier="46ms")
    header, heard, sent = engine.segment.header, [], 0

    def play_until(separated_with: str) -> None:
        nonlocal sent
        until = time.monotonic() + LIMIT_S
        while engine.status().state != "separated" or not header[at.SEPARATED] or engine.spec.tier != separated_with:
            assert time.monotonic() < until
            outs = np.empty((at.OUTPUTS, 512), np.float32)
            process(engine.context.words, counting(sent, 512), outs, 512)
            heard.append(outs[:2])
            sent += 512
            time.sleep(0.005)  # the device's pace, or less: the model shall come along

    engine.start()
    try:
        play_until(separated_with="46ms")
        for tier in ("3ms", "12ms", "46ms"):
            dry = int(header[at.DRY_FRAMES])
            engine.change(tier=tier)
            play_until(separated_with=tier)
            assert header[at.DRY_FRAMES] > dry, "it was a change"
    finally:
        engine.stop()
    latency = engine.latency.frames
    mix = np.concatenate(heard, axis=1)
    assert np.abs(mix[:, latency:] - counting(0, sent)[:, : sent - latency]).max() < 1e-6


def test_after_changes_between_models_memory_is_what_it_was(playing: Playing) -> None:
    def descendants(pid: int) -> list[int]:
        children = " ".join(path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/children")).split()
        return [one for child in children for one in (int(child), *descendants(int(child)))]

    def memory_mb(model: str, tier: str) -> dict[tuple[str, str], float]:
        """Of this process and of all that it has started, once the change is over."""
        playing.engine.change(model=model, tier=tier)
        assert eventually(lambda: playing.separated() and playing.audio_goes_on())
        gc.collect()
        tables = {
            whose: "\n".join(Path(f"/proc/{pid}/smaps_rollup").read_text() for pid in pids)
            for whose, pids in (("control", [os.getpid()]), ("models", descendants(os.getpid())))
        }
        return {
            (whose, kind): sum(map(int, re.findall(rf"^{kind}: +(\d+) kB", table, re.MULTILINE))) / 1024
            for whose, table in tables.items()
            for kind in ("Rss", "Pss_Anon")  # not Pss itself: who else has the same libraries open changes that
        }

    before = memory_mb("passthrough", "12ms")
    for _ in range(3):
        other = memory_mb("bandnet", "")
        again = memory_mb("passthrough", "12ms")
    assert other["models", "Pss_Anon"] > 1.05 * before["models", "Pss_Anon"], "a model that stayed behind would be seen"
    for what, mb in before.items():
        assert again[what] == pytest.approx(mb, rel=0.05), what


def test_the_null_device_keeps_the_pace_of_the_clock_that_it_is_given() -> None:
    clock, done = VirtualClock(), threading.Event()
    backend = NullBackend(44_100, 512, clock)
    engine = Engine(backend.open(), model="passthrough")
    counted: list[int] = []
    seconds = 100

    def count() -> None:
        counted.append(int(engine.segment.header[at.OUT_POS]))
        done.set()

    clock.at(seconds * 1_000_000_000, count)
    backend.start(engine)
    assert done.wait(LIMIT_S)
    backend.stop()
    engine.stop()
    assert 0 <= counted[0] - seconds * 44_100 < 2 * 512


def belongings() -> tuple[int, int, int]:
    """Open files, threads and mapped segments of this process."""
    gc.collect()  # a segment is unmapped with the last array over it
    ours = Path("/proc/self")
    segments = ours.joinpath("maps").read_text().count("memfd:rtsep")
    return len(list(ours.joinpath("fd").iterdir())), len(list(ours.joinpath("task").iterdir())), segments


def test_a_thousand_starts_and_stops_leave_no_file_thread_or_memory_behind() -> None:
    def cycle() -> None:
        backend = NullBackend(44_100, 512)
        engine = Engine(backend.open(), model="passthrough")
        backend.start(engine)
        backend.stop()
        engine.stop()

    for _ in range(5):
        cycle()
    before = belongings()
    for _ in range(1000):
        cycle()
    assert belongings() == before


def test_starts_and_stops_with_a_model_process_leave_nothing_behind() -> None:
    def cycle() -> None:
        one = Playing()
        assert one.engine.supervisor.wait_until_running(LIMIT_S)
        pid = one.supervisor.pid
        one.stop()
        assert not Path(f"/proc/{pid}").exists()

    cycle()
    before = belongings()
    for _ in range(3):
        cycle()
    assert eventually(lambda: belongings() == before)
