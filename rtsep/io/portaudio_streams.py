"""The PortAudio streams of a run: one for both directions, or one each where input and output have clocks of their own.

With one device a single duplex stream adds no delay. Two devices are never quite equally fast; PortAudio would drop or repeat
blocks every few minutes, so each gets a stream and `realtime.two_clocks` keeps them together, for the delay that it states.
"""

from __future__ import annotations

import time
from typing import Any

from rtsep.engine.session import Engine
from rtsep.io.channel_map import ChannelMap
from rtsep.models.separator import LatencyTerm
from rtsep.realtime import layout as at
from rtsep.realtime.callbacks import portaudio_process
from rtsep.realtime.two_clocks import TwoClocks, portaudio_capture

_LOCK_LIMIT_S = 3.0


class Streams:
    """Open streams; they run from construction on until `close`."""

    def __init__(
        self, sounddevice: Any, engine: Engine, source: int | None, sink: int, channels: ChannelMap, *, two_clocks: bool
    ) -> None:
        """Open and start.

        Args:
            sounddevice: the module.
            engine: its context is what the callbacks run on.
            source: index of the input device, or None.
            sink: index of the output device.
            channels: what to open of them.
            two_clocks: the devices do not share a clock.

        Raises:
            sounddevice.PortAudioError: a device is busy or refuses.
        """
        ffi, words, rate = sounddevice._ffi, engine.context.words, engine.stream.rate
        self.bridge: TwoClocks | None = None
        self._streams: list[Any] = []
        words[at.IN_CHANNELS], words[at.OUT_CHANNELS] = channels.width_in, channels.width_out
        words[at.IN_MAP : at.IN_MAP + len(channels.heard)] = channels.heard
        words[at.OUT_MAP : at.OUT_MAP + at.OUTPUTS] = channels.played
        words[at.A_BRIDGE] = 0
        if two_clocks:
            left, right = channels.heard
            self.bridge = TwoClocks(rate, width=channels.width_in, channels=(left, right))
            words[at.A_BRIDGE] = self.bridge.words.ctypes.data
        play, play_on = portaudio_process.address, words.ctypes.data
        wanted: list[tuple[str, Any, Any, int, int]] = []
        if source is None:
            wanted.append(("output", sink, channels.width_out, play, play_on))
        elif self.bridge is None:
            wanted.append(("duplex", (source, sink), (channels.width_in, channels.width_out), play, play_on))
        else:
            wanted.append(("input", source, channels.width_in, portaudio_capture.address, self.bridge.words.ctypes.data))
            wanted.append(("output", sink, channels.width_out, play, play_on))
        try:
            for kind, device, width, callback, argument in wanted:
                stream = sounddevice._StreamBase(
                    kind,
                    device=device,
                    channels=width,
                    blocksize=0,
                    samplerate=rate,
                    dtype="float32",
                    latency="low",
                    callback=ffi.cast("PaStreamCallback *", callback),
                    userdata=ffi.cast("void *", argument),
                    wrap_callback=None,
                )
                self._streams.append(stream)
                stream.start()
        except sounddevice.PortAudioError:
            self.close()
            raise

    def wait_for_lock(self) -> tuple[LatencyTerm, ...]:
        """Return what the bridge between two clocks adds, once it knows; nothing without one."""
        if self.bridge is None:
            return ()
        until = time.monotonic() + _LOCK_LIMIT_S
        while not self.bridge.delay and time.monotonic() < until:
            time.sleep(0.02)
        return (LatencyTerm("between two device clocks", self.bridge.delay),)

    def device_terms(self) -> tuple[LatencyTerm, ...]:
        """What the drivers say of their own delay."""
        said: list[float] = []
        for stream in self._streams:
            said.extend(stream.latency if isinstance(stream.latency, tuple) else (stream.latency,))
        names = ("device input (driver's word)", "device output (driver's word)")[-len(said) :]
        rate = self._streams[0].samplerate
        return tuple(LatencyTerm(name, round(seconds * rate)) for name, seconds in zip(names, said, strict=True))

    def close(self) -> None:
        """Stop and close; no callback runs afterwards."""
        while self._streams:
            stream = self._streams.pop()
            stream.stop()
            stream.close()
