"""PortAudio through sounddevice: Core Audio, WASAPI, ASIO, ALSA and JACK devices, with a compiled callback.

The stream is opened with a block size of 0, so that PortAudio adds no buffer of its own (with the period of the server it
would add one more period). Devices are named by a part of their name: indices change whenever something is plugged in.
Latencies that PortAudio reports are unreliable (0 on JACK's input side); they are shown as what the driver says, no more.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec

from rtsep.engine.session import Engine, StreamFormat
from rtsep.errors import DeviceError
from rtsep.io.channel_map import channel_map
from rtsep.io.jack_client import quiet_stderr
from rtsep.io.portaudio_streams import Streams
from rtsep.models.separator import LatencyTerm
from rtsep.realtime import layout as at

Direction = Literal["input", "output"]

_FIRST_GUESS = 512
"""Callback size assumed until the host has shown its own."""

_SETTLE_S = 0.1

_held: tuple[int, float] | None = None
"""The JACK server that PortAudio has a client in."""


class Device(msgspec.Struct, frozen=True):
    """An audio device as PortAudio lists it."""

    index: int
    name: str
    host: str
    inputs: int
    outputs: int
    rate: int

    def channels(self, direction: Direction) -> int:
        """Channels in a direction."""
        return self.inputs if direction == "input" else self.outputs

    def __str__(self) -> str:
        """The device as a line of a listing."""
        return f"[{self.index}] {self.name} ({self.host}, {self.inputs} in, {self.outputs} out, {self.rate} Hz)"


def load_library() -> Any:
    """Import sounddevice.

    Raises:
        DeviceError: PortAudio is not installed.
    """
    try:
        with quiet_stderr():
            import sounddevice
    except OSError as error:
        raise DeviceError("PortAudio is not installed. Install it with: apt install libportaudio2") from error
    return sounddevice


def _jack_server() -> tuple[int, float] | None:
    """What tells one jackd of the default name from the next, if there is one: its socket."""
    user = os.getuid() if hasattr(os, "getuid") else 0
    socket = Path("/dev/shm", f"jack_{os.environ.get('JACK_DEFAULT_SERVER', 'default')}_{user}_0")  # noqa: S108
    return (socket.stat().st_ino, socket.stat().st_mtime) if socket.exists() else None


def _server_has_gone() -> bool:
    """Whether PortAudio's own client sits in a JACK server that is no more; PortAudio hangs or aborts when asked to close it."""
    return _held is not None and _jack_server() != _held


def release() -> None:
    """Let go of every device and server; `devices` takes them up again.

    PortAudio keeps a client in the JACK server from the moment it looks for devices. One whose server has gone is left alone: an
    assertion in pa_jack.c aborts the process when it is closed.
    """
    global _held
    sounddevice = load_library()
    if _server_has_gone():
        sounddevice._initialized = 0  # nor shall it be closed at exit
        return
    with quiet_stderr():
        while sounddevice._initialized:
            sounddevice._terminate()
    _held = None


def devices() -> list[Device]:
    """List the audio devices of this machine, also those of servers that were started after us.

    Raises:
        DeviceError: PortAudio is not installed, or has lost its JACK server.
    """
    global _held
    sounddevice = load_library()
    release()
    if _server_has_gone():
        raise DeviceError(
            "The JACK server that PortAudio was connected to has gone, and PortAudio cannot leave it. Start rtsep again; "
            "--backend jack follows a server that is restarted."
        )
    with quiet_stderr():
        _held = _jack_server()
        sounddevice._initialize()
        hosts = [api["name"] for api in sounddevice.query_hostapis()]
        return [
            Device(
                int(entry["index"]),
                str(entry["name"]),
                hosts[entry["hostapi"]],
                int(entry["max_input_channels"]),
                int(entry["max_output_channels"]),
                round(entry["default_samplerate"]),
            )
            for entry in sounddevice.query_devices()
        ]


def find_device(available: list[Device], wanted: str, direction: Direction, default_index: int = -1) -> Device:
    """Choose a device by a part of its name (or by its listing index); the default one for an empty name.

    Raises:
        DeviceError: none fits, or several do; lists the candidates.
    """
    usable = [device for device in available if device.channels(direction) > 0]
    if not usable:
        raise DeviceError(
            f"There is no audio {direction} device. Check with: rtsep devices. "
            "Without hardware: --backend null, or start jackd -d dummy."
        )
    if not wanted:
        return next((device for device in usable if device.index == default_index), usable[0])
    exact = [device for device in usable if wanted in (device.name, str(device.index))]
    fits = exact or [device for device in usable if wanted.lower() in f"{device.name}, {device.host}".lower()]
    if len(fits) == 1:
        return fits[0]
    listed = "\n  ".join(str(device) for device in fits or usable)
    problem = f'No {direction} device matches "{wanted}"'
    if fits:
        problem = f'{len(fits)} {direction} devices match "{wanted}"; give more of the name'
    raise DeviceError(f"{problem}. Candidates:\n  {listed}\nList them with: rtsep devices")


def _clocks_differ(source: Device, sink: Device) -> bool:
    """Whether two devices run on quartzes of their own; all of a JACK server's share one."""
    return source.index != sink.index and not (source.host == sink.host and sink.host.startswith("JACK"))


class PortAudioBackend:
    """A duplex stream that runs an engine; with `listen=False`, output alone."""

    name = "portaudio"

    def __init__(
        self,
        input_name: str = "",
        output_name: str = "",
        *,
        rate: int | None = None,
        listen: bool = True,
        heard: Sequence[int] = (),
        played: Mapping[str, Sequence[int]] | None = None,
        two_clocks: bool | None = None,
    ) -> None:
        """Remember what to open.

        Args:
            input_name: part of a device's name, empty for the default one.
            output_name: the same.
            rate: Hz, None for the output's own.
            listen: whether there is an input at all.
            heard: input channels, see `channel_map`.
            played: output channels, see `channel_map`.
            two_clocks: whether input and output drift apart; None: if they are two devices.
        """
        self._names = input_name, output_name
        self._rate = rate
        self._listen = listen
        self._heard, self._played = heard, played
        self._two_clocks = two_clocks
        self._streams: Streams | None = None

    def open(self) -> StreamFormat:
        """Find the devices and a rate both take.

        Raises:
            DeviceError: PortAudio or a device is missing, or they have no common rate.
        """
        self._sounddevice = load_library()
        available = devices()
        defaults = self._sounddevice.default.device
        self.output = find_device(available, self._names[1], "output", defaults[1])
        self.input = find_device(available, self._names[0], "input", defaults[0]) if self._listen else None
        rate = self._rate or self.output.rate
        try:
            with quiet_stderr():
                self._sounddevice.check_output_settings(self.output.index, samplerate=rate)
                if self.input:
                    self._sounddevice.check_input_settings(self.input.index, samplerate=rate)
        except self._sounddevice.PortAudioError as error:
            pair = " and ".join(str(device) for device in (self.input, self.output) if device)
            raise DeviceError(f"{pair} cannot run at {rate} Hz: {error}. Try another device, see: rtsep devices") from error
        return StreamFormat(rate, _FIRST_GUESS)

    def start(self, engine: Engine) -> None:
        """Open the stream on the engine's context.

        Raises:
            DeviceError: the device is busy or refuses the stream.
            ConfigError: it lacks a channel that the map names.
        """
        source, sink = self.input, self.output
        channels = channel_map(source.inputs if source else 0, sink.outputs, heard=self._heard, played=self._played)
        apart = source is not None and (_clocks_differ(source, sink) if self._two_clocks is None else self._two_clocks)
        try:
            with quiet_stderr():
                self._streams = Streams(
                    self._sounddevice, engine, source.index if source else None, sink.index, channels, two_clocks=apart
                )
        except self._sounddevice.PortAudioError as error:
            raise DeviceError(f"{sink} refuses the stream: {error}. Is another program using it? See: rtsep devices") from error
        time.sleep(_SETTLE_S)
        engine.stream = msgspec.structs.replace(engine.stream, device_terms=self._streams.wait_for_lock())
        engine.set_block(int(engine.segment.header[at.LONGEST_BLOCK]) or _FIRST_GUESS)

    def device_terms(self) -> tuple[LatencyTerm, ...]:
        """What the driver says of its own delay."""
        return self._streams.device_terms() if self._streams else ()

    def stop(self) -> None:
        """Stop and close the streams, and let the device go."""
        if self._streams is not None and not _server_has_gone():
            self._streams.close()
        self._streams = None
        release()
