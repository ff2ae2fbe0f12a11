"""Listening to ourselves: a maximum-length sequence goes out, and what comes in says how long the way was.

The loop is a cable from an output to an input, or a running JACK client such as rtsep itself. The sequence is played three
times: the first fills the loop, the second is measured, the third covers a delay of up to a whole period.
"""

from __future__ import annotations

import ctypes
import threading

import msgspec
import numpy as np

from rtsep.dsp import mls
from rtsep.errors import DeviceError
from rtsep.io import jack_client, portaudio

ORDER = 16
"""65535 frames, 1.5 s at 44.1 kHz: more than any loop takes."""

_LEVEL = np.float32(0.25)
_MARGIN_DB = 12.0
_REPEATS = 3
_LIMIT_S = 30.0


class Loop(msgspec.Struct, frozen=True):
    """A measured loop."""

    rate: int
    block: int
    frames: int
    level_db: float
    margin_db: float


def through_jack(source: str, sink: str, *, server: str | None = None) -> Loop:
    """Send into a JACK port and listen at another; the way between them, without JACK's own cycle.

    A signal that returns into the graph is late by one cycle, because the loop is broken somewhere; that cycle is known and
    taken off, as `jack_iodelay` does not.

    Args:
        source: port to listen at, such as `rtsep:mix_1`.
        sink: port to send to, such as `rtsep:in_1`.
        server: name, None for the default one.

    Raises:
        DeviceError: no server, no such port, or nothing came back.
    """
    jack = jack_client.load_library()
    try:
        with jack_client.quiet_stderr():
            client = jack.Client("rtsep-latency", no_start_server=True, servername=server)
    except jack.JackOpenError as error:
        raise DeviceError("No JACK server answers. Start one, or measure a device with: rtsep latency --loop") from error
    sent = np.tile(mls.sequence(ORDER) * _LEVEL, _REPEATS)
    heard = np.zeros_like(sent)
    done = threading.Event()
    place = [0]
    try:
        out, back = client.outports.register("out"), client.inports.register("in")

        @client.set_process_callback  # type: ignore[untyped-decorator]
        def process(frames: int) -> None:
            start = place[0]
            n = min(frames, len(sent) - start)
            block = out.get_array()
            block[:] = 0.0
            block[:n] = sent[start : start + n]
            heard[start : start + n] = back.get_array()[:n]
            place[0] = start + n
            if n < frames:
                done.set()

        rate, period = int(client.samplerate), int(client.blocksize)
        with jack_client.quiet_stderr():
            client.activate()
            try:
                client.connect(out, sink)
                client.connect(source, back)
            except jack.JackError as error:
                raise DeviceError(f'JACK has no ports "{sink}" and "{source}". List them with: rtsep devices') from error
        place[0] = 0  # what was sent before the wires were there does not count
        if not done.wait(_LIMIT_S):
            raise DeviceError(f"JACK has not run for {_LIMIT_S:g} s.")
    finally:
        with jack_client.quiet_stderr():
            client.deactivate(ignore_errors=True)
            client.close(ignore_errors=True)
    return _found(heard, rate, period, known=period)


def reported_to_jack(sink: str, source: str) -> int:
    """What a client tells JACK of the frames between an input and an output port of its own.

    Raises:
        DeviceError: no server, or no such port.
    """
    jack = jack_client.load_library()
    shared = ctypes.CDLL("libjack.so.0")
    try:
        with jack_client.quiet_stderr():
            client = jack.Client("rtsep-latency", no_start_server=True)
    except jack.JackOpenError as error:
        raise DeviceError("No JACK server answers. Start one, or measure a device with: rtsep latency --loop") from error
    try:
        total = []
        for name in (sink, source):
            reach = jack_client.LatencyRange(0, 0)
            port = client.get_port_by_name(name)
            pointer = int(jack._ffi.cast("uintptr_t", port._ptr))
            shared.jack_port_get_latency_range(ctypes.c_void_p(pointer), jack_client.CAPTURE, ctypes.byref(reach))
            total.append(int(reach.max))
    except jack.JackError as error:
        raise DeviceError(f'JACK has no ports "{sink}" and "{source}". List them with: rtsep devices') from error
    finally:
        client.close()
    return total[1] - total[0]


def through_devices(input_name: str, output_name: str, *, rate: int | None = None) -> Loop:
    """Measure a cable from an output to an input, converters and drivers included.

    Raises:
        DeviceError: no device, or nothing came back.
    """
    sounddevice = portaudio.load_library()
    available = portaudio.devices()
    defaults = sounddevice.default.device
    output = portaudio.find_device(available, output_name, "output", defaults[1])
    source = portaudio.find_device(available, input_name, "input", defaults[0])
    chosen = rate or output.rate
    sent = np.tile(mls.sequence(ORDER) * _LEVEL, _REPEATS)[:, None]
    try:
        with jack_client.quiet_stderr():
            heard = sounddevice.playrec(
                sent, chosen, channels=1, device=(source.index, output.index), blocking=True, latency="low", dtype="float32"
            )
    except sounddevice.PortAudioError as error:
        raise DeviceError(f"{source} and {output} cannot run together: {error}. See: rtsep devices") from error
    return _found(heard[:, 0], chosen, 0, known=0)


def _found(heard: np.ndarray, rate: int, block: int, *, known: int) -> Loop:
    period = 2**ORDER - 1
    delay = mls.find(heard[period : 2 * period], mls.sequence(ORDER) * _LEVEL)
    if delay.margin_db < _MARGIN_DB:
        raise DeviceError(
            "Nothing came back that could be recognised. Is the output wired to the input, at a level that is heard and does not "
            "distort? For a running rtsep, are its faders up and the stems or the dry mix heard?"
        )
    level_db = 20.0 * float(np.log10(abs(delay.gain)))
    return Loop(rate, block, delay.frames - known, level_db, delay.margin_db)
