"""MIDI with real peers: JACK ports on a real server, virtual ports of rtmidi, floods, and what is sent back to controllers."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from rtsep.config import MidiBinding, MidiTable, OscTable, Rig, load_rig, map_path
from rtsep.control import commands as ask
from rtsep.control.client import ControlClient
from rtsep.control.hands import Hands
from rtsep.control.midi_feedback import Feedback, Message
from rtsep.control.midi_map import install
from rtsep.control.osc_codec import encode
from rtsep.control.params import ParamStore
from rtsep.engine.session import Engine
from rtsep.io.jack_client import JackBackend
from rtsep.io.midi_out import MidiSender
from rtsep.realtime.midi import receive
from rtsep.realtime.segment import Context, Segment
from rtsep.stems import STEMS
from tests.control.test_midi_messages import bind

VOCALS, PAN = "stem.vocals.gain_db", "stem.vocals.pan"
MAPS = ("nanokontrol2", "midimix", "launchcontrolxl", "xtouchmini", "mackie")


def eventually(wanted: Callable[[], object], seconds: float = 20.0) -> None:
    until = time.monotonic() + seconds
    while not wanted():
        assert time.monotonic() < until
        time.sleep(0.005)


class Surface:
    """A controller without a cable: what is sent to it is kept."""

    def __init__(self, name: str, *bindings: MidiBinding, groups: Mapping[str, str] | None = None) -> None:
        rig_text = f'[midi]\nmaps = ["{name}"]\n'
        self.segment = Segment.create(rate=48_000, hop=256, model_latency=0, latency=0, stems=STEMS)
        self.context = Context(self.segment)
        self.params = ParamStore(self.segment.params)
        self.sent: list[Message] = []
        self.table = rig_from(rig_text).midi
        wanted = bindings or self.table.bind
        install(self.context, wanted)
        display = self.table.display == "mackie" and not bindings
        self.feedback = Feedback(self.context, self.params, wanted, self.sent.append, display=display, groups=groups)

    def look(self) -> list[Message]:
        self.sent.clear()
        self.feedback.look()
        return list(self.sent)


def rig_from(text: str) -> Rig:
    with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
        file.write(text)
        file.flush()
        return load_rig(Path(file.name))


@pytest.mark.parametrize("name", MAPS)
def test_a_ready_map_moves_every_stem_and_the_master(name: str) -> None:
    table: MidiTable = Surface(name).table
    moved = {binding.to for binding in table.bind}
    assert {f"stem.{stem}.{knob}" for stem in STEMS for knob in ("gain_db", "mute", "solo")} <= moved
    assert {"master.gain_db", "master.karaoke"} <= moved
    assert table.ports == table.out != ()
    assert map_path(name).read_text().startswith("# ")
    addresses = [(b.when.type, b.when.channel, b.when.number, b.layer) for b in table.bind]
    assert len(set(addresses)) == len(addresses), "one control, one meaning"


@pytest.mark.parametrize("name", MAPS)
def test_a_light_follows_a_mute_that_somebody_else_pressed(name: str) -> None:
    surface = Surface(name)
    surface.look()
    assert surface.look() == [], "nothing has changed"
    surface.params.set("stem.drums.mute", 1)
    (on,) = surface.look()
    surface.params.set("stem.drums.mute", 0)
    (off,) = surface.look()
    assert on[:2] == off[:2]
    assert (on[2] > 0, off[2]) == (True, 0)


def test_motor_faders_go_where_the_page_puts_them_and_do_not_answer_themselves() -> None:
    surface = Surface("mackie")
    surface.look()
    surface.params.set("stem.vocals.gain_db", 0.0)
    surface.params.set("stem.drums.gain_db", -120.0)
    sent = surface.look()
    assert (0xE1, 0, 0) in sent
    receive(surface.context.words, 0xE0, 0x12, 0x34)  # a hand on fader 1
    assert not [message for message in surface.look() if message[0] == 0xE0]
    for _ in range(3):
        for message in surface.look():
            if message[0] < 0xF0:
                receive(surface.context.words, *message)  # a fader that reports its own motion
    assert surface.look() == []


def test_a_motor_fader_returns_to_where_a_hand_had_put_it() -> None:
    surface = Surface("mackie")
    receive(surface.context.words, 0xE0, 0x12, 0x34)  # a hand on fader 1, before the first look
    assert not [message for message in surface.look() if message[0] == 0xE0]
    there = surface.params.raw(VOCALS)
    surface.params.set(VOCALS, 6.0)  # a snapshot; this surface does not report what its motors do
    assert (0xE0, 0x7F, 0x7F) in surface.look()
    surface.params.set_raw(VOCALS, there)  # and back
    assert (0xE0, 0x12, 0x34) in surface.look()
    receive(surface.context.words, 0xE0, 0x00, 0x10)
    surface.params.set_raw(VOCALS, there)  # a hand and the page between two looks
    assert (0xE0, 0x12, 0x34) in surface.look()
    receive(surface.context.words, 0xE0, 0x00, 0x20)
    surface.look()
    surface.feedback.forget()  # plugged in anew, its motors at rest
    assert (0xE0, 0x00, 0x20) in surface.look()


def test_a_fader_that_waits_to_take_over_is_not_chased_by_its_own_motor() -> None:
    surface = Surface("mackie", bind(PAN, "bend", 0, channel=1, takeover="pickup"))
    surface.look()
    surface.params.set(PAN, 0.9)
    assert len(surface.look()) == 1
    for value in (10, 12, 14):
        receive(surface.context.words, 0xE0, 0, value)
        assert surface.look() == []
    assert surface.params.get(PAN) == pytest.approx(0.9)


def test_scribble_strips_show_names_and_values() -> None:
    surface = Surface("mackie", groups={"a": "Rhythm", "b": ""})
    texts = {message[6]: bytes(message[7:-1]).decode() for message in surface.look() if message[0] == 0xF0}
    assert [texts[7 * strip].strip() for strip in range(4)] == list(STEMS)
    assert [texts[7 * strip].strip() for strip in range(4, 8)] == ["karaok", "blend", "Rhythm", "grp B"]
    assert texts[56].strip() == "0.0"
    surface.params.set("stem.vocals.gain_db", -12.5)
    strips = [message for message in surface.look() if message[0] == 0xF0]
    assert [bytes(message[7:-1]).decode().strip() for message in strips] == ["-12.5"]


def test_a_controller_that_comes_back_is_told_everything() -> None:
    surface = Surface("nanokontrol2")
    first = surface.look()
    surface.feedback.forget()
    assert len(surface.look()) == len(first) > 10


@pytest.fixture(scope="module")
def jack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if not shutil.which("jackd"):
        pytest.skip("needs the Debian package jackd2")
    name = f"rtsep-midi-{os.getpid()}"
    log = (tmp_path_factory.mktemp("jack") / "log").open("w")
    command = ["jackd", "--no-realtime", "-n", name, "-d", "dummy", "-r", "48000", "-p", "256"]
    server = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JACK_DEFAULT_SERVER", name)
        patch.setenv("JACK_NO_START_SERVER", "1")
        patch.setenv("JACK_NO_AUDIO_RESERVATION", "1")
        patch.setenv("RTSEP_HOME", str(tmp_path_factory.mktemp("home")))
        from rtsep.io.jack_client import server_is_running

        eventually(server_is_running)
        yield name
    server.terminate()
    server.wait(20)
    log.close()


class Gig:
    """An engine on a real JACK server with hands."""

    def __init__(self, rig: Rig) -> None:
        self.told: list[str] = []
        self.backend = JackBackend("rtsep-gig")
        self.engine = Engine(self.backend.open(), model="passthrough", on_event=self.told.append)
        self.params = ParamStore(self.engine.segment.params)
        self.hands = Hands(self.engine, rig, tell=self.told.append)
        self.backend.start(self.engine)
        self.hands.start()

    def stop(self) -> None:
        self.hands.stop()
        self.backend.stop()
        self.engine.stop()


@pytest.fixture
def virtual(jack: str) -> Iterator[Any]:
    """A controller of another program: a virtual output of rtmidi."""
    import rtmidi

    out = rtmidi.MidiOut(rtmidi.API_UNIX_JACK, name="controller")
    out.open_virtual_port("out")
    yield out
    out.delete()


def flood(out: Any, gig: Gig, messages: int) -> None:
    """Send controller messages as fast as the wire takes them without losing any; the last one has the value 100."""
    for sent in range(messages):
        if sent % 250 == 0:  # rtmidi drops what does not fit into its ring, and says nothing
            eventually(lambda sent=sent: gig.engine.status().midi_events >= sent)
        out.send_message([0xB0, 7, 100 if sent == messages - 1 else sent % 100])


@pytest.mark.jack
@pytest.mark.parametrize("way", ["JACK's audio thread", "a virtual port of rtmidi"])
def test_ten_thousand_messages_arrive_and_the_last_one_counts(virtual: Any, way: str) -> None:
    import jack as jack_client

    ports = ("controller",) if "rtmidi" in way else ()
    gig = Gig(Rig(midi=MidiTable(ports=ports, bind=(bind(VOCALS, number=7),))))
    wire = jack_client.Client("wire", no_start_server=True)
    try:
        if not ports:
            source = next(port for port in wire.get_ports(is_midi=True, is_output=True) if "controller" in port.name)
            wire.connect(source, "rtsep-gig:midi_in")
        flood(virtual, gig, 10_000)
        eventually(lambda: gig.engine.status().midi_events == 10_000)
        assert abs(gig.params.get(VOCALS)) < 1e-4
    finally:
        wire.close()
        gig.stop()


@pytest.mark.jack
def test_a_port_is_found_by_a_part_of_its_name_and_again_after_it_was_unplugged(jack: str) -> None:
    import rtmidi

    gig = Gig(Rig(midi=MidiTable(ports=("contr*out",), bind=(bind(VOCALS, number=7),))))
    try:
        for value, wanted in ((100, 0.0), (0, -120.0)):
            out = rtmidi.MidiOut(rtmidi.API_UNIX_JACK, name="controller")
            out.open_virtual_port("out")
            gig.params.set(VOCALS, -30.0)

            def heard(wanted: float = wanted, out: Any = out, value: int = value) -> bool:
                out.send_message([0xB0, 7, value])
                return abs(gig.params.get(VOCALS) - wanted) < 1e-3

            eventually(heard)
            out.delete()
            eventually(lambda: any("has gone" in text for text in gig.told))
    finally:
        gig.stop()


class Lamps:
    """A controller of another program that only listens."""

    def __init__(self) -> None:
        import rtmidi

        self.heard: list[list[int]] = []
        self._port = rtmidi.MidiIn(rtmidi.API_UNIX_JACK, name="controller")
        self._port.set_callback(lambda event, _data=None: self.heard.append(event[0]))
        self._port.open_virtual_port("in")

    def unplug(self) -> None:
        self._port.delete()


@pytest.mark.jack
def test_lights_follow_osc_and_commands(jack: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        door = free.getsockname()
    lamps = Lamps()
    midi = MidiTable(out=("controller",), bind=(bind("stem.vocals.mute", "note", 5),))
    gig = Gig(Rig(midi=midi, osc=OscTable(port=door[1])))
    try:
        eventually(lambda: lamps.heard == [[0x90, 5, 0]])
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as desk:
            desk.sendto(encode("/rtsep/stem/vocals/mute", 1.0), door)
        eventually(lambda: [0x90, 5, 127] in lamps.heard)
        with ControlClient() as commands:
            commands.ask(ask.Set("stem.vocals.mute", 0.0))
        eventually(lambda: lamps.heard == [[0x90, 5, 0], [0x90, 5, 127], [0x90, 5, 0]])
    finally:
        gig.stop()
        lamps.unplug()


@pytest.mark.jack
def test_a_port_for_lights_is_opened_again_after_it_was_unplugged(jack: str) -> None:
    opened: list[str] = []
    sender = MidiSender(("controller",), on_open=lambda: opened.append("told everything"))
    try:
        for plugged in (1, 2):
            lamps = Lamps()
            eventually(lambda: sender.scan() or sender.names)
            sender.send((0x90, 5, plugged))
            eventually(lambda heard=lamps.heard, plugged=plugged: heard == [[0x90, 5, plugged]])
            assert len(opened) == plugged
            lamps.unplug()
            eventually(lambda: sender.scan() or not sender.names)
            sender.send((0x90, 5, 9))
    finally:
        sender.stop()


@pytest.mark.jack
def test_midi_monitor_prints_and_learn_writes_what_a_port_sends(virtual: Any, tmp_path: Path) -> None:
    rig = tmp_path / "rig.toml"
    program = [sys.executable, "-m", "rtsep.cli", "midi"]
    wishes = (["monitor", "controller", "--json", "--seconds", "60"], ["learn", PAN, "--rig", str(rig), "--port", "controller"])
    monitor, learn = (
        subprocess.Popen([*program, *wish], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for wish in wishes
    )
    for told in (monitor, learn):
        assert told.stderr
        assert told.stderr.readline()  # it listens
    for value in range(30, 70):
        virtual.send_message([0xB3, 17, value])
        time.sleep(0.005)
    said, _ = learn.communicate(timeout=60)
    assert f"{PAN} = knob or fader: cc 17, channel 4" in said
    assert load_rig(rig).midi.bind[0].to == PAN
    assert monitor.stdout
    assert json.loads(monitor.stdout.readline())["bytes"] == [0xB3, 17, 30]
    monitor.terminate()
    monitor.wait(20)
    for stream in (monitor.stdout, monitor.stderr):
        stream.close()
