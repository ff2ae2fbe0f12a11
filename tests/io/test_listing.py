"""What `rtsep devices` finds, with a server and without, and what it says where a system is missing."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from rtsep.cli import main
from rtsep.io.listing import jack_server as find_jack_server
from rtsep.io.listing import survey
from rtsep.io.midi_ports import PortScanner
from tests.io.jack_probe import engine_on_jack
from tests.jack_server import StartServer


@pytest.mark.jack
def test_a_server_is_listed_with_its_rate_period_and_our_named_ports(jack_server: StartServer) -> None:
    jack_server(period=128, rate=44_100)
    with engine_on_jack():
        found = survey()
    assert found.jack is not None
    assert (found.jack.rate, found.jack.block) == (44_100, 128)
    ports = {port.name: port for port in found.jack.ports}
    for name in ("rtsep:in_1", "rtsep:in_2"):
        assert (ports[name].kind, ports[name].direction) == ("audio", "in")
    for name in ("mix_1", "mix_2", "vocals_1", "vocals_2", "drums_1", "bass_2", "other_2"):
        assert (ports[f"rtsep:{name}"].kind, ports[f"rtsep:{name}"].direction) == ("audio", "out")
    assert (ports["rtsep:midi_in"].kind, ports["rtsep:midi_in"].direction) == ("midi", "in")
    assert found.jack_note == ""
    assert any(device.name == "system" for device in found.audio)


@pytest.mark.jack
def test_midi_ports_can_be_closed_while_our_own_client_runs(jack_server: StartServer) -> None:
    # python-rtmidi keeps the GIL while it waits for the server, which waits to hear our client's latencies.
    jack_server(period=128)
    with engine_on_jack():
        for _ in range(5):
            scanner = PortScanner()
            scanner.ports()
            scanner.close()


@pytest.mark.jack
def test_a_midi_port_of_another_program_is_listed(jack_server: StartServer) -> None:
    import rtmidi

    jack_server()
    keyboard = rtmidi.MidiOut(rtmidi.API_UNIX_JACK, name="keyboard")
    keyboard.open_virtual_port("keys")
    try:
        assert any("keys" in port.name for port in survey().midi)
    finally:
        keyboard.delete()


def test_without_a_server_there_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JACK_DEFAULT_SERVER", "nobody-is-here")
    server, note = find_jack_server()
    assert server is None
    assert "jackd -d dummy" in note


def test_the_listing_is_json_on_demand(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JACK_DEFAULT_SERVER", "nobody-is-here")
    assert main(["devices", "--json"]) == 0
    listing = json.loads(capsys.readouterr().out)
    assert set(listing) == {"audio", "audio_note", "jack", "jack_note", "midi", "midi_note"}
    assert listing["jack"] is None


_NO_LIBRARIES = """
import ctypes.util, sys
ctypes.util.find_library = lambda name: None  # what a machine without the libraries answers
from rtsep.cli import main
sys.exit(main(sys.argv[1:]))
"""


def test_missing_libraries_are_sentences_with_the_debian_package_and_no_error() -> None:
    command = [sys.executable, "-c", _NO_LIBRARIES, "devices"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "apt install libportaudio2" in done.stdout
    assert "libjack-jackd2-0" in done.stdout
    assert done.stderr == ""
