"""OSC: strict with what comes in, spoken with python-osc as a client that others wrote, and fuzzed."""

from __future__ import annotations

import struct
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import example, given
from pythonosc.osc_bundle_builder import IMMEDIATELY, OscBundleBuilder
from pythonosc.osc_message import OscMessage
from pythonosc.osc_message_builder import OscMessageBuilder
from pythonosc.udp_client import UDPClient

from rtsep.config import OscTable, Rig
from rtsep.control.console import Console
from rtsep.control.hands import Hands
from rtsep.control.osc import OscServer
from rtsep.control.osc_codec import MAX_DATAGRAM, Message, OscError, decode, encode
from rtsep.control.params import PARAMS
from rtsep.engine.session import Engine, StreamFormat
from rtsep.errors import DeviceError
from rtsep.realtime import layout as at
from rtsep.stems import STEMS

ARGUMENTS = st.lists(
    st.one_of(
        st.integers(-(2**30), 2**30),
        st.booleans(),
        st.floats(width=32),
        st.text(st.characters(min_codepoint=32, max_codepoint=126)),
    ),
    max_size=6,
)


def builder(address: str, *arguments: object) -> OscMessageBuilder:
    made = OscMessageBuilder(address)
    for argument in arguments:
        made.add_arg(argument)  # type: ignore[arg-type]
    return made


def repeated(message: Message) -> str:
    """Text that is equal for equal messages, also with NaN."""
    return repr(message)


@given(ARGUMENTS)
def test_what_python_osc_writes_is_read(arguments: list[object]) -> None:
    written = builder("/rtsep/stem/vocals/gain_db", *arguments).build().dgram
    assert repeated(decode(written)[0]) == repeated(Message("/rtsep/stem/vocals/gain_db", tuple(arguments)))  # type: ignore[arg-type]


@given(ARGUMENTS)
def test_what_is_written_is_read_by_python_osc(arguments: list[object]) -> None:
    message = OscMessage(encode("/rtsep/x", *arguments))  # type: ignore[arg-type]
    assert message.address == "/rtsep/x"
    assert repr(message.params) == repr(arguments)


def test_bundles_come_apart_in_order() -> None:
    inner = OscBundleBuilder(IMMEDIATELY)
    inner.add_content(builder("/b", 2).build())  # type: ignore[arg-type]
    outer = OscBundleBuilder(IMMEDIATELY)
    outer.add_content(builder("/a", 1).build())  # type: ignore[arg-type]
    outer.add_content(inner.build())
    assert [message.address for message in decode(outer.build().dgram)] == ["/a", "/b"]


BUNDLE = b"#bundle\0" + bytes(8)


@given(st.binary(max_size=400))
@example(BUNDLE + struct.pack(">i", -4))
@example(BUNDLE + struct.pack(">i", 0) * 30)
@example(BUNDLE + struct.pack(">i", 2**31 - 4))
@example(b"/a\0\0,s\0\0abc")
@example(b"/a\0\0,f\0\0")
@example(b"/\xff\0\0,\0\0\0")
def test_garbage_is_an_osc_error_and_nothing_else(datagram: bytes) -> None:
    try:
        decode(datagram)
    except OscError:
        return


def test_bundles_within_bundles_end_somewhere() -> None:
    datagram = b"/a\0\0,\0\0\0"
    for _ in range(100):
        datagram = BUNDLE + struct.pack(">i", len(datagram)) + datagram
    with pytest.raises(OscError, match="deeper"):
        decode(datagram)


def test_a_datagram_costs_microseconds_and_keeps_no_memory() -> None:
    rng = np.random.default_rng(5)
    good = encode("/rtsep/stem/vocals/gain_db", 1.0) + encode("/x", "text", 3)
    datagrams = []
    for _ in range(3000):
        mutated = bytearray(BUNDLE + good * 3)
        for place in rng.integers(0, len(mutated), 4):
            mutated[place] = rng.integers(0, 256)
        datagrams.append(bytes(mutated))
    worst = BUNDLE + (struct.pack(">i", 8) + b"/a\0\0,\0\0\0") * 600
    datagrams.append(worst[: MAX_DATAGRAM // 4 * 4])

    def run() -> None:
        for datagram in datagrams:
            try:
                decode(datagram)
            except OscError:
                continue

    run()
    tracemalloc.start()
    run()
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    began = time.process_time()
    run()
    assert (time.process_time() - began) / len(datagrams) < 200e-6  # measured 6 us
    assert kept < 10_000


METERS = ("", "/rms", "/true_peak", "/loudness", "/integrated", "/clip")


class Hall:
    """An engine that stands still, its console, and OSC on a free port."""

    def __init__(self, folder: Path) -> None:
        self.told: list[str] = []
        self.engine = Engine(StreamFormat(48_000, 256), model="passthrough")
        self.console = Console(self.engine, Rig(), state=folder, tell=self.told.append)
        self.server = OscServer(self.console, listen="127.0.0.1", port=0, tell=self.told.append)
        self.server.start()
        self.client = UDPClient("127.0.0.1", self.server.port)

    def send(self, address: str, *arguments: object) -> None:
        self.client.send(builder(address, *arguments).build())

    def hear(self, count: int) -> dict[str, float | str]:
        said = {}
        until = time.monotonic() + 10
        while len(said) < count and time.monotonic() < until:
            message = OscMessage(self.client.receive(1) or encode("/nothing", 0.0))
            said[message.address] = message.params[0]
        said.pop("/nothing", None)
        return said

    def stands(self, name: str, value: float) -> None:
        until = time.monotonic() + 10
        while abs(self.console.params.get(name) - value) > 1e-4:
            assert time.monotonic() < until
            time.sleep(0.01)


@pytest.fixture
def hall(tmp_path: Path) -> Iterator[Hall]:
    made = Hall(tmp_path)
    yield made
    made.client._sock.close()
    made.server.stop()
    made.engine.stop()


def test_an_address_moves_its_parameter_and_answers_when_asked(hall: Hall) -> None:
    hall.send("/rtsep/stem/vocals/gain_db", -6.5)
    hall.send("/rtsep/stem/drums/mute", True)
    hall.stands("stem.vocals.gain_db", -6.5)
    hall.stands("stem.drums.mute", 1.0)
    hall.send("/rtsep/stem/vocals/gain_db")
    assert hall.hear(1)["/rtsep/stem/vocals/gain_db"] == pytest.approx(-6.5, abs=1e-4)
    hall.send("/rtsep/state")
    assert len(hall.hear(len(PARAMS))) == len(PARAMS)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "loud"])
def test_what_is_no_value_is_answered_with_an_error_and_moves_nothing(hall: Hall, value: object) -> None:
    hall.send("/rtsep/stem/vocals/gain_db", value)
    assert "/rtsep/error" in hall.hear(1)
    assert hall.console.params.get("stem.vocals.gain_db") == 0.0


def test_a_subscriber_hears_of_changes_by_whomever_and_gets_meters(hall: Hall) -> None:
    hall.send("/rtsep/subscribe")
    hall.hear(30)
    hall.console.params.set("stem.bass.pan", 0.5)
    said: dict[str, float | str] = {}
    until = time.monotonic() + 10
    while "/rtsep/stem/bass/pan" not in said and time.monotonic() < until:
        said |= hall.hear(1)
    assert said["/rtsep/stem/bass/pan"] == 0.5
    assert "/rtsep/meter/mix" in said | hall.hear(6)


def test_meters_name_every_level_of_mix_and_stems(hall: Hall) -> None:
    tone = 0.1 * np.sin(2 * np.pi * 750.0 * np.arange(at.PLAYED) / 48_000)
    hall.engine.segment.played[:2] = tone  # as if the audio thread had played it
    hall.engine.segment.meters[at.LIMITER_GAIN] = 0.5
    hall.send("/rtsep/subscribe")
    wanted = {f"/rtsep/meter/{name}{kind}" for name in ("mix", *STEMS) for kind in METERS}
    said: dict[str, float | str] = {}
    until = time.monotonic() + 20
    while not (wanted <= said.keys() and float(said["/rtsep/meter/mix/rms"]) > -23.1) and time.monotonic() < until:
        hall.engine.segment.header[at.OUT_POS] += 4800
        said |= hall.hear(len(wanted))
    assert wanted <= said.keys()
    assert said["/rtsep/meter/mix"] == pytest.approx(-20.0, abs=0.1)
    assert said["/rtsep/meter/mix/rms"] == pytest.approx(-23.0, abs=0.2)
    assert said["/rtsep/meter/mix/true_peak"] == pytest.approx(-20.0, abs=0.1)
    assert said["/rtsep/meter/limiter"] == pytest.approx(-6.02, abs=0.01)
    assert said["/rtsep/meter/drums"] == -120.0


def test_model_and_tier_are_asked_for_and_changed_by_osc(hall: Hall) -> None:
    hall.send("/rtsep/subscribe")
    while "/rtsep/model" not in (said := hall.hear(1)) and said:
        pass
    assert said == {"/rtsep/model": "passthrough"}
    hall.send("/rtsep/model", "passthrough", "46ms")
    until = time.monotonic() + 10
    while hall.engine.spec.tier != "46ms":
        assert time.monotonic() < until
        time.sleep(0.01)
    hall.send("/rtsep/unsubscribe")
    hall.send("/rtsep/model", "cascad")
    while "/rtsep/error" not in (said := hall.hear(1)):
        assert said
    assert 'Did you mean "cascade"' in str(said["/rtsep/error"])
    hall.send("/rtsep/models")
    assert "/rtsep/models" in hall.hear(1)


def test_snapshots_are_stored_and_recalled_by_osc(hall: Hall) -> None:
    hall.send("/rtsep/stem/vocals/gain_db", -3.0)
    hall.send("/rtsep/snapshot/store", "verse")
    hall.send("/rtsep/stem/vocals/gain_db", 0.0)
    hall.send("/rtsep/snapshot/recall", "verse")
    hall.stands("stem.vocals.gain_db", -3.0)
    hall.send("/rtsep/snapshot/recall", "../../etc/passwd")
    assert "There is no snapshot" in str(hall.hear(1)["/rtsep/error"])


def test_the_datagram_that_hangs_others_does_nothing_here(hall: Hall) -> None:
    hall.server.receive(BUNDLE + struct.pack(">i", -4), ("127.0.0.1", 9))
    assert hall.server.malformed == 1
    hall.send("/rtsep/stem/vocals/gain_db", -1.0)
    hall.stands("stem.vocals.gain_db", -1.0)
    assert len([text for text in hall.told if "dropped" in text]) == 1


def test_nobody_listens_unless_a_rig_says_so_and_then_on_this_machine_only(
    hall: Hall, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RTSEP_HOME", str(tmp_path))
    assert Hands(hall.engine, Rig(), tell=hall.told.append).osc is None
    with pytest.raises(DeviceError, match=f"127.0.0.1, port {hall.server.port}"):  # taken, on this machine
        Hands(hall.engine, Rig(osc=OscTable(port=hall.server.port)), tell=hall.told.append)
