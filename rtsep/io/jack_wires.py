"""What a JACK client is connected to, remembered for the day when its server is restarted.

Compiled code notes the numbers of the ports (`rtsep.realtime.notifications`); here they get names, on the control thread. When a
server is told to end, it cuts every connection just before it goes: what was cut within the last moments counts as connected.

An engine that is killed leaves its connections to the one that is started in its place (`rtsep.engine.guardian`).
"""

from __future__ import annotations

import contextlib
import math
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtsep.engine.guardian import Life
from rtsep.realtime import layout as at

FAREWELL_S = 2.0

Wire = tuple[str, str]
"""Names of source and sink port."""


class Wires:
    """The connections of one client. Control thread."""

    def __init__(self) -> None:
        self.log: NDArray[np.int64] = np.zeros(1 + 3 * at.WIRES, np.int64)
        self._seen = 0
        self._names: dict[int, str] = {}
        self._ended: dict[Wire, float] = {}
        self._life: Life | None = None
        self.cut: set[Wire] = set()
        """Connections of the last server, or of the engine before this one, that are not made again yet."""

    def inherit(self, life: Life) -> None:
        """Take over what the engine before this one was connected to, and keep what this one is for the next."""
        self._life = life
        self.cut = {(source, sink) for source, sink in life.recall("wires", [])}

    def listen(self, jack: Any, client: Any) -> None:
        """Give names to what was noted since the last time."""
        ours = f"{client.name}:"
        count = int(self.log[0])
        for number in range(max(self._seen, count - at.WIRES), count):
            source, sink, connected = self.log[1 + 3 * (number % at.WIRES) :][:3].tolist()
            if connected:
                self._name(jack, client, source)
                self._name(jack, client, sink)
            wire = (self._names.get(source, ""), self._names.get(sink, ""))
            if all(wire) and any(name.startswith(ours) for name in wire):
                self._ended[wire] = math.inf if connected else time.monotonic()
        self._seen = count
        if self._life:
            there = {wire for wire, ended in self._ended.items() if ended == math.inf}
            self._life.keep("wires", sorted(map(list, there | self.cut)))

    def _name(self, jack: Any, client: Any, number: int) -> None:
        port = jack._lib.jack_port_by_id(client._ptr, number)
        if port != jack._ffi.NULL:
            self._names[number] = jack._ffi.string(jack._lib.jack_port_name(port)).decode()

    def farewell(self) -> None:
        """Keep what is connected, or was until a moment ago, for the next server."""
        last_moment = time.monotonic() - FAREWELL_S
        self.cut |= {wire for wire, ended in self._ended.items() if ended > last_moment}
        self._ended, self._names = {}, {}
        self._seen = int(self.log[0])  # another server numbers its ports anew

    def mend(self, jack: Any, client: Any) -> None:
        """Make again what is cut, as far as both ports are there."""
        for wire in sorted(self.cut):
            with contextlib.suppress(jack.JackError):
                client.connect(*wire)
                self.cut.discard(wire)
