"""A machine that is too busy, runs for years, or is fed rubbish by MIDI and rig files."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import jack
import numpy as np
import pytest
import rtmidi
from hypothesis import given
from hypothesis import strategies as st

import rtsep
from rtsep.config import MidiBinding, MidiMessage, load_rig
from rtsep.control.midi_map import install
from rtsep.engine.session import Engine
from rtsep.errors import ConfigError
from rtsep.io.jack_client import JackBackend, quiet_stderr
from rtsep.realtime import layout as at
from rtsep.units import gain_to_db
from tests.faults.restarting_server import RestartingServer
from tests.faults.test_process_faults import Playing, eventually
from tests.faults.virtual_stage import Stage, counting


@pytest.mark.parametrize("frames", [2**31 - 5000, 2**32 - 5000, 2**40])
def test_an_engine_that_has_run_for_months_is_as_exact_as_a_fresh_one(frames: int) -> None:
    stage = Stage()
    stage.header[at.IN_W] = stage.header[at.OUT_POS] = frames
    stage.play(1.0)
    heard = stage.heard
    n = heard.shape[1] - stage.latency
    assert np.array_equal(heard[:2, stage.latency :], counting(frames, n))
    assert not stage.dry()[-stage.block :].any()


def test_with_every_core_taken_by_others_audio_goes_on_and_is_never_silent() -> None:
    hogs = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(4)]
    one = Playing()
    try:
        assert eventually(lambda: one.header[at.HOPS] > 20)
        one.engine.segment.take_meters()
        for _ in range(20):
            cycles = int(one.header[at.CYCLES])
            assert eventually(lambda cycles=cycles: int(one.header[at.CYCLES]) > cycles + 4)
            assert one.engine.segment.take_meters()[: at.CHANNELS].min() > 0.5
        assert one.engine.status().state in ("separated", "dry")
        assert one.supervisor.restarts == 0
    finally:
        for hog in hogs:
            hog.kill()
            hog.wait()
        one.stop()


@pytest.fixture
def jack_engine(monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    server = RestartingServer()
    monkeypatch.setenv("JACK_DEFAULT_SERVER", server.name)
    monkeypatch.setenv("JACK_NO_START_SERVER", "1")
    server.start()
    backend = JackBackend("engine")
    engine = Engine(backend.open(), model="passthrough")
    install(engine.context, (MidiBinding(when=MidiMessage(type="cc", number=7, channel=1), to="stem.vocals.gain_db"),))
    backend.start(engine)
    yield engine
    backend.stop()
    engine.stop()
    server.end()


@pytest.mark.jack
def test_after_a_flood_of_ten_thousand_messages_a_second_the_last_one_holds(jack_engine: Engine) -> None:
    header, params = jack_engine.segment.header, jack_engine.segment.params
    with quiet_stderr():
        sender = rtmidi.MidiOut(rtmidi.API_UNIX_JACK, name="flood")
        sender.open_virtual_port("out")
    wire = ["jack_connect", "flood:out", "engine:midi_in"]
    assert eventually(lambda: subprocess.run(wire, capture_output=True).returncode == 0)
    try:
        began, sent = time.monotonic(), 0
        while sent < 10_000:
            for _ in range(10):
                sender.send_message([0xB0, 7, sent % 128])
                sent += 1
            time.sleep(max(0.0, began + sent / 10_000 - time.monotonic()))
        sender.send_message([0xB0, 7, 100])
        assert eventually(lambda: abs(gain_to_db(float(params[at.GAIN]))) < 1e-3 and header[at.MIDI_EVENTS] > 5_000)
        assert header[at.MIDI_EVENTS] <= sent + 1
    finally:
        sender.close_port()
        sender.delete()


RUBBISH = (b"\xb0", b"\xb0\x07", b"\x07\x7f", b"\xf8", b"\xf0" + bytes(9000) + b"\xf7", b"\xff\xff\xff", b"\xb0\x07\x7f\x7f")
"""Cut off, without a status, a clock, a long sysex, three times reset, one byte too many."""


@pytest.mark.jack
def test_rubbish_by_midi_moves_nothing_and_what_follows_is_heard(jack_engine: Engine) -> None:
    header, params = jack_engine.segment.header, jack_engine.segment.params
    before, waiting = float(params[at.GAIN]), list(RUBBISH)
    client = jack.Client("rubbish", no_start_server=True)
    port = client.midi_outports.register("out")

    @client.set_process_callback
    def process(_frames: int) -> None:
        port.clear_buffer()
        if waiting:
            port.write_midi_event(0, waiting[0])
            del waiting[0]

    with client:
        client.connect("rubbish:out", "engine:midi_in")
        waiting += RUBBISH  # the first ones may have gone before the wire was there
        assert eventually(lambda: not waiting)
        cycles = int(header[at.CYCLES])
        assert eventually(lambda: int(header[at.CYCLES]) > cycles + 4)
        assert float(params[at.GAIN]) == before
        waiting.append(b"\xb0\x07\x40")
        assert eventually(lambda: float(params[at.GAIN]) != before)


def test_nothing_that_plays_looks_at_the_clock_on_the_wall() -> None:
    rooms = [Path(rtsep.__file__).parent / room for room in ("realtime", "engine", "models", "dsp", "fx", "control", "io")]
    sources = [path for room in rooms for path in room.rglob("*.py")]
    assert len(sources) > 100
    wall = re.compile(r"time\.(time|time_ns|localtime|gmtime)\(|datetime\.(now|today|utcnow)\(|CLOCK_REALTIME")
    looking = {path.name for path in sources if wall.search(path.read_text())}
    assert looking <= {"bridge_service.py", "recorder.py"}  # age of a file; name of a folder


@given(st.binary(max_size=400))
def test_any_bytes_as_a_rig_are_accepted_or_refused_with_a_sentence(
    tmp_path_factory: pytest.TempPathFactory, text: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzzed.toml"
    path.write_bytes(text)
    try:
        load_rig(path)
    except ConfigError as error:
        assert str(path) in str(error)


VALUES = st.one_of(st.integers(), st.floats(), st.booleans(), st.text("abc", max_size=4))
NAMES = st.sampled_from(["engine", "audio", "stems", "midi", "model", "backend", "gain_db", "nothing"])


@given(st.dictionaries(NAMES, st.dictionaries(NAMES, VALUES, max_size=3), max_size=3))
def test_a_rig_with_wrong_keys_or_values_is_refused_whole_and_names_the_file(
    tmp_path_factory: pytest.TempPathFactory, tables: dict[str, dict[str, object]]
) -> None:
    path: Path = tmp_path_factory.getbasetemp() / "wrong.toml"
    rows = [f"[{name}]\n" + "".join(f"{key} = {_toml(value)}\n" for key, value in keys.items()) for name, keys in tables.items()]
    path.write_text("".join(rows))
    try:
        load_rig(path)
    except ConfigError as error:
        assert str(path) in str(error)


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else str(value)
