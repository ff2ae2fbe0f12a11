"""Notices that an audio device or server has gone, and gets it back by its name.

A device counts as gone when its backend says so, or when no callback has run for half a second: drivers do not always report what
was unplugged. From then on it is looked for once a second, until it is there again or rtsep ends. Model, faders and MIDI stay
as they are; if the device came back at another rate, the engine changes over to it. Nothing that was heard before is heard again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from rtsep.clock import MONOTONIC, Clock
from rtsep.engine.restarts import Stillness
from rtsep.engine.session import Backend, Engine
from rtsep.realtime import layout as at

SILENT_S = 0.5
"""No callback for this long means that the device is gone; the longest block at 44.1 kHz takes 0.19 s."""

RETRY_S = 1.0
_LOOK_S = 0.1


class DeviceKeeper:
    """Watches a running backend. Control threads only.

    Attributes:
        losses: how often the device has gone away.
    """

    def __init__(
        self, backend: Backend, engine: Engine, *, on_event: Callable[[str], None] | None = None, clock: Clock = MONOTONIC
    ) -> None:
        self.losses = 0
        self._backend, self._engine, self._clock = backend, engine, clock
        self._tell = on_event or (lambda _text: None)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self.watch, name="rtsep-keeper", daemon=True)

    def start(self) -> None:
        """Begin to watch; the backend has been started."""
        self._thread.start()

    def stop(self) -> None:
        """End the watch. Stop the backend after this."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def watch(self) -> None:
        """Watch until `stop` is called. `start` does this in a thread of its own."""
        stillness = Stillness(self._clock.now_ns() / 1e9)
        while not self._wait(_LOOK_S):
            header = self._engine.segment.header
            still_s = stillness.seconds(self._clock.now_ns() / 1e9, int(header[at.CYCLES]))
            if getattr(self._backend, "lost", False) or (still_s > SILENT_S and not header[at.FREEWHEEL]):
                self._recover()
                stillness = Stillness(self._clock.now_ns() / 1e9)
            else:
                getattr(self._backend, "tend", lambda: None)()

    def _recover(self) -> None:
        """Return when audio runs again, or rtsep ends."""
        self.losses += 1
        self._trouble(f"The audio device ({self._backend.name}) is gone.")
        while not self._stopping.is_set():
            self._backend.stop()
            try:
                stream = self._backend.open()
                if stream.rate != self._engine.stream.rate:
                    self._tell(f"The audio device now runs at {stream.rate} Hz; the model changes over.")
                    self._engine.change(stream=stream)
                elif stream.block != self._engine.stream.block:
                    self._engine.set_block(stream.block)
                self._engine.begin_anew()
                self._backend.start(self._engine)
            except Exception as error:  # whatever a library raises over a device that is half there: look again
                self._trouble(f"The audio device ({self._backend.name}) is gone: {error}")
                self._wait(RETRY_S)
            else:
                self._engine.device_trouble = ""
                self._tell(f"The audio device ({self._backend.name}) is back.")
                return

    def _trouble(self, text: str) -> None:
        """Tell each new sentence once."""
        if text != self._engine.device_trouble:
            self._engine.device_trouble = text
            self._tell(f"{text} It is looked for every {RETRY_S:g} s.")

    def _wait(self, seconds: float) -> bool:
        return self._clock.wait(self._stopping, round(seconds * 1e9))
