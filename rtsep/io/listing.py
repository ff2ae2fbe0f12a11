"""What this machine offers to play with: audio devices, a JACK server with its ports, MIDI ports.

Each of the three systems may be absent. That is no error but a sentence with the Debian package (or the command) that brings it,
so that a listing always ends well and tells what to do next.
"""

from __future__ import annotations

import msgspec

from rtsep.errors import DeviceError
from rtsep.io import jack_client, portaudio
from rtsep.io.midi_ports import MidiPort, input_ports
from rtsep.io.portaudio import Device

_NO_SERVER = "No JACK server answers. Start one, for example: jackd -d alsa (without sound card: jackd -d dummy)"
_NO_MIDI_HINT = "It takes an ALSA sequencer (load it with: modprobe snd-seq) or a JACK server."


class JackPort(msgspec.Struct, frozen=True):
    """A port of the JACK graph; `direction` is as its owner sees it."""

    name: str
    kind: str
    direction: str


class JackServer(msgspec.Struct, frozen=True):
    """A server that answers."""

    rate: int
    block: int
    """Frames per period."""
    ports: tuple[JackPort, ...]


class Listing(msgspec.Struct, frozen=True):
    """Everything `rtsep devices` shows; a missing part has a sentence in its `_note` instead."""

    audio: tuple[Device, ...]
    audio_note: str
    jack: JackServer | None
    jack_note: str
    midi: tuple[MidiPort, ...]
    midi_note: str


def audio_devices() -> tuple[tuple[Device, ...], str]:
    """Audio devices that PortAudio sees, and a sentence if there are none."""
    try:
        found = tuple(portaudio.devices())
        portaudio.release()
    except DeviceError as error:
        return (), str(error)
    return found, "" if found else "PortAudio sees no audio device. Without one: rtsep run --backend null, or jackd -d dummy."


def jack_server() -> tuple[JackServer | None, str]:
    """The JACK (or PipeWire) server that answers, and a sentence if none does."""
    try:
        jack = jack_client.load_library()
    except DeviceError as error:
        return None, str(error)
    try:
        with jack_client.quiet_stderr():
            client = jack.Client("rtsep-listing", no_start_server=True)
    except jack.JackOpenError:
        return None, _NO_SERVER
    try:
        ports = [
            JackPort(port.name, "midi" if port.is_midi else "audio", "in" if port.is_input else "out")
            for port in client.get_ports()
        ]
        return JackServer(int(client.samplerate), int(client.blocksize), tuple(ports)), ""
    finally:
        with jack_client.quiet_stderr():
            client.close()


def midi_inputs() -> tuple[tuple[MidiPort, ...], str]:
    """MIDI input ports of every system, and a sentence if there is no system at all."""
    ports, missing = input_ports()
    if missing:
        return (), f"{missing} {_NO_MIDI_HINT}"
    return tuple(ports), "" if ports else "No MIDI port is there. Plug a controller in, or connect one to rtsep:midi_in on JACK."


def survey() -> Listing:
    """Ask all three systems. Takes a moment; leaves nothing open."""
    audio, audio_note = audio_devices()
    server, jack_note = jack_server()
    midi, midi_note = midi_inputs()
    return Listing(audio, audio_note, server, jack_note, midi, midi_note)
