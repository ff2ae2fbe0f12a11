"""MIDI output ports through python-rtmidi: found by a part of their name, opened again when they come back.

A port that fails while sending is closed and looked for again; the mix never notices.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from rtsep.io.jack_client import quiet_stderr
from rtsep.io.midi_ports import clean_name, matches

_CLIENT = "rtsep-lights"


class MidiSender:
    """Sends to every port that a rig names. Control threads only.

    Attributes:
        names: ports that are open now.
    """

    def __init__(self, wanted: Iterable[str], *, on_open: Callable[[], None]) -> None:
        """Nothing is opened before the first `scan`.

        Args:
            wanted: parts of port names, or patterns.
            on_open: called after a port has been opened: it knows nothing yet.
        """
        self._wanted = tuple(wanted)
        self._on_open = on_open
        self._open: dict[str, Any] = {}
        self._scanners: list[Any] | None = None

    @property
    def names(self) -> list[str]:
        """Ports that are open now."""
        return list(self._open)

    def scan(self) -> None:
        """Close what has gone and open what has come."""
        if not self._wanted:
            return
        if self._scanners is None:
            import rtmidi

            self._scanners = [out for api in rtmidi.get_compiled_api() if (out := _handle(api)) is not None]
        for scanner in self._scanners:
            with quiet_stderr():
                entries = [clean_name(entry) for entry in scanner.get_ports()]
            for name in [name for name, out in self._open.items() if out.get_current_api() == scanner.get_current_api()]:
                if name not in entries:
                    self._open.pop(name).delete()
            for number, name in enumerate(entries):
                if name not in self._open and any(matches(wanted, name) for wanted in self._wanted):
                    self._connect(name, number, scanner.get_current_api())

    def _connect(self, name: str, number: int, api: int) -> None:
        out = _handle(api)
        if out is None:
            return
        with quiet_stderr():
            out.open_port(number, name="lights")
        self._open[name] = out
        self._on_open()

    def send(self, message: tuple[int, ...]) -> None:
        """Send one message to every open port."""
        for name, out in list(self._open.items()):
            try:
                out.send_message(message)
            except Exception:  # rtmidi raises what its backend thinks of
                self._open.pop(name).delete()

    def stop(self) -> None:
        """Close every port."""
        for out in [*self._open.values(), *(self._scanners or ())]:
            out.delete()
        self._open.clear()
        self._scanners = None


def _handle(api: int) -> Any | None:
    import rtmidi

    try:
        with quiet_stderr():
            return rtmidi.MidiOut(api, name=_CLIENT) if api not in (rtmidi.API_RTMIDI_DUMMY,) else None
    except (rtmidi.RtMidiError, OSError):
        return None
