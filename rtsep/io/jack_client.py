"""JACK and PipeWire: a client with named ports for mix, every stem and MIDI, whose callback is compiled code.

Audio and MIDI go through our own ports, so a DAW or a patch bay can route every stem, and the latency from input to outputs
is reported in both directions, which lets hosts compensate. JACK-Client has no call for latency ranges; they are made on the
same `libjack` through ctypes.

Latency ranges must have minimum = maximum, or hosts give up compensating; only ports that are connected count towards them.
"""

from __future__ import annotations

import contextlib
import ctypes
import ctypes.util
import os
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtsep.engine.guardian import Life
from rtsep.engine.session import Engine, StreamFormat
from rtsep.errors import DeviceError
from rtsep.io.jack_wires import Wires
from rtsep.models.separator import LatencyTerm
from rtsep.realtime import layout as at
from rtsep.stems import STEMS

INPUT_PORTS = ("in_1", "in_2")
OUTPUT_PORTS = ("mix_1", "mix_2", *(f"{stem}_{side}" for stem in STEMS for side in (1, 2)))
MIDI_PORT = "midi_in"

CAPTURE, PLAYBACK = at.CAPTURE, at.PLAYBACK

_INSTALL = "Install it with: apt install jackd2 libjack-jackd2-0 (or pipewire-jack)."


class LatencyRange(ctypes.Structure):
    """`jack_latency_range_t`."""

    _fields_ = (("min", ctypes.c_uint32), ("max", ctypes.c_uint32))


_one_at_a_time = threading.RLock()


@contextlib.contextmanager
def quiet_stderr() -> Iterator[None]:
    """Keep what C libraries print while they look for a server away from the user's terminal."""
    with _one_at_a_time:  # two threads in here would restore each other's silence
        saved, sink = os.dup(2), os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(sink, 2)
            yield
        finally:
            os.dup2(saved, 2)
            os.close(saved)
            os.close(sink)


def load_library() -> Any:
    """Import JACK-Client.

    Raises:
        DeviceError: the package or the system's libjack is missing.
    """
    try:
        import jack
    except ImportError as error:
        raise DeviceError(f"The JACK backend needs the Python package JACK-Client, which is for Linux. ({error})") from error
    except OSError as error:
        raise DeviceError(f"JACK's library libjack.so.0 is not installed. {_INSTALL}") from error
    return jack


def server_is_running() -> bool:
    """Whether a JACK server (or PipeWire's) answers."""
    try:
        jack = load_library()
        with quiet_stderr():
            client = jack.Client("rtsep-probe", no_start_server=True)
            client.close()
    except Exception:  # JACK-Client raises several unrelated types
        return False
    return True


class JackBackend:
    """A JACK client that runs an engine."""

    name = "jack"

    def __init__(self, client_name: str = "rtsep", *, connect: bool = False, server: str | None = None) -> None:
        self._client_name = client_name
        self._connect = connect
        self._server = server
        self._jack: Any = None
        self._client: Any = None
        self._engine: Engine | None = None
        self._keep: list[Any] = []
        self._wires = Wires()
        self.lost = False
        """The server has gone away."""

    def inherit(self, life: Life) -> None:
        """Be wired as the engine before this one was when it died. Call it before `start`."""
        self._wires.inherit(life)

    def open(self) -> StreamFormat:
        """Reach the server, also a second time after it went away.

        Raises:
            DeviceError: no library, or no server.
        """
        self._jack = load_library()
        self.lost = False
        try:
            with quiet_stderr():
                self._client = self._jack.Client(self._client_name, no_start_server=True, servername=self._server)
        except self._jack.JackOpenError as error:
            where = f' "{self._server}"' if self._server else ""
            raise DeviceError(
                f"No JACK server{where} answers. Start one, for example: jackd -d alsa "
                "(without a sound card: jackd -d dummy); or choose --backend portaudio."
            ) from error
        return StreamFormat(int(self._client.samplerate), int(self._client.blocksize))

    @property
    def client_name(self) -> str:
        """Name that the server gave us; differs from the wish if that was taken."""
        return str(self._client.name)

    def start(self, engine: Engine) -> None:
        """Register ports and callbacks and go live.

        Raises:
            DeviceError: the server refuses a port, or runs blocks longer than rtsep takes.
        """
        from rtsep.realtime.atomics import function_address
        from rtsep.realtime.callbacks import jack_process

        if engine.stream.block > at.MAX_BLOCK:
            raise DeviceError(
                f"JACK runs {engine.stream.block} frames per cycle; rtsep takes up to {at.MAX_BLOCK}. Try: jack_bufsize 1024"
            )
        self._engine = engine
        client, ffi, library = self._client, self._jack._ffi, self._jack._lib
        words = engine.context.words
        shared = ctypes.CDLL("libjack.so.0")
        for word, function in (
            (at.F_PORT_BUFFER, "jack_port_get_buffer"),
            (at.F_MIDI_COUNT, "jack_midi_get_event_count"),
            (at.F_MIDI_GET, "jack_midi_event_get"),
            (at.F_PORT_CONNECTED, "jack_port_connected"),
            (at.F_GET_LATENCY, "jack_port_get_latency_range"),
            (at.F_SET_LATENCY, "jack_port_set_latency_range"),
        ):
            words[word] = function_address(function, shared)
        self._inputs = [self._pointer(client.inports.register(name)) for name in INPUT_PORTS]
        self._outputs = [self._pointer(client.outports.register(name)) for name in OUTPUT_PORTS]
        words[at.P_MIDI] = self._pointer(client.midi_inports.register(MIDI_PORT))
        words[at.IN_PORTS : at.IN_PORTS + at.CHANNELS] = self._inputs
        words[at.OUT_PORTS : at.OUT_PORTS + at.OUTPUTS] = self._outputs
        context = ffi.cast("void *", words.ctypes.data)
        callback = ffi.cast("JackProcessCallback", jack_process.address)
        if library.jack_set_process_callback(client._ptr, callback, context) != 0:
            raise DeviceError("JACK refused the audio callback; restart the server and try again.")
        self._listen(words, shared)
        client.set_shutdown_callback(self._on_shutdown)
        client.activate()
        if self._connect and not self._wires.cut:
            self._connect_to_system()
        self.tend()

    def _pointer(self, port: Any) -> int:
        self._keep.append(port)
        return int(self._jack._ffi.cast("uintptr_t", port._ptr))

    def tend(self) -> None:
        """Connect again what was connected before the server went away, as far as it is there again. Control thread."""
        if self._client is not None and not self.lost:
            engine = self._engine
            if engine and engine.segment.header[at.LATENCY] != engine.latency.frames:  # a block and a model changed at once
                engine.set_block(engine.stream.block)
                self.latency_changed()
            with quiet_stderr():
                self._wires.listen(self._jack, self._client)
                self._wires.mend(self._jack, self._client)

    def _on_shutdown(self, _status: Any, _reason: str) -> None:
        self.lost = True

    def latency_changed(self) -> None:
        """Have the server ask everybody for their latencies again. Control thread."""
        if self._client is not None and not self.lost:
            pointer = int(self._jack._ffi.cast("uintptr_t", self._client._ptr))
            ctypes.CDLL("libjack.so.0").jack_recompute_total_latencies(ctypes.c_void_p(pointer))

    def _listen(self, words: NDArray[np.int64], shared: ctypes.CDLL) -> None:
        """Let compiled code hear and answer what the server says outside the cycle."""
        from rtsep.realtime import notifications

        reach = LatencyRange(0, 0)
        words[at.A_LATENCY_RANGE] = ctypes.addressof(reach)
        words[at.A_WIRES] = self._wires.log.ctypes.data
        self._keep.append(reach)
        client = ctypes.c_void_p(int(self._jack._ffi.cast("uintptr_t", self._client._ptr)))
        for register, callback in (
            (shared.jack_set_latency_callback, notifications.jack_latency),
            (shared.jack_set_buffer_size_callback, notifications.jack_block_size),
            (shared.jack_set_xrun_callback, notifications.jack_xrun),
            (shared.jack_set_freewheel_callback, notifications.jack_freewheel),
            (shared.jack_set_port_connect_callback, notifications.jack_wire),
        ):
            register(client, ctypes.c_void_p(callback.address), ctypes.c_void_p(words.ctypes.data))

    def _connect_to_system(self) -> None:
        client = self._client
        captures = client.get_ports(is_audio=True, is_output=True, is_physical=True)
        playbacks = client.get_ports(is_audio=True, is_input=True, is_physical=True)
        wires = [*zip(captures[:2], client.inports, strict=False), *zip(client.outports[:2], playbacks, strict=False)]
        for source, sink in wires:
            client.connect(source, sink)

    def device_terms(self) -> tuple[LatencyTerm, ...]:
        """What the connected hardware ports say of their own delay."""
        terms = []
        for name, ports, mode in (
            ("device input", self._client.get_ports(is_audio=True, is_output=True, is_physical=True), CAPTURE),
            ("device output", self._client.get_ports(is_audio=True, is_input=True, is_physical=True), PLAYBACK),
        ):
            shared = ctypes.CDLL("libjack.so.0")
            reach = LatencyRange(0, 0)
            if ports:
                pointer = int(self._jack._ffi.cast("uintptr_t", ports[0]._ptr))
                shared.jack_port_get_latency_range(ctypes.c_void_p(pointer), mode, ctypes.byref(reach))
                terms.append(LatencyTerm(name, int(reach.max)))
        return tuple(terms)

    def stop(self) -> None:
        """Leave the graph and close the client; also fine when the server is gone."""
        if self._client is None:
            return
        if not self.lost:
            self._wires.listen(self._jack, self._client)
        self._wires.farewell()
        with quiet_stderr(), contextlib.suppress(Exception):
            self._client.deactivate(ignore_errors=True)
        with quiet_stderr(), contextlib.suppress(Exception):
            self._client.close(ignore_errors=True)
        self._client = None
