"""MIDI ports through python-rtmidi: found by a part of their name, opened again when they come back.

No MIDI system is a sentence, never an error: the engine runs without. A message goes straight into the tables of the audio
thread's context (`rtsep.realtime.midi.receive`), one atomic store per parameter.

python-rtmidi raises when there is no ALSA sequencer, and each API must be asked by itself.
"""

from __future__ import annotations

import fnmatch
import re
import threading
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from rtsep.io.jack_client import quiet_stderr
from rtsep.realtime.midi import is_whole, receive
from rtsep.realtime.segment import Context

RESCAN_S = 0.25
"""Time between looks; a port that went and came back between two of them would stay silent, and USB takes longer than this."""

_ASK_S = 0.001
_QUEUE = 1 << 14
_CLIENT = "rtsep-midi"


class MidiPort(msgspec.Struct, frozen=True):
    """An input port of a MIDI system."""

    api: str
    name: str


def clean_name(name: str) -> str:
    """A port's name without the client numbers that change at every plugging (`nanoKONTROL2:… 20:0`)."""
    return re.sub(r"\s+\d+:\d+$", "", name)


def matches(wanted: str, name: str) -> bool:
    """Whether a part of a name, or a pattern with wildcards, means this port. Case does not count."""
    pattern = wanted.lower() if any(sign in wanted for sign in "*?[") else f"*{wanted.lower()}*"
    return fnmatch.fnmatchcase(clean_name(name).lower(), pattern)


def _open_api(api: int) -> Any | None:
    import rtmidi

    try:
        with quiet_stderr():
            return rtmidi.MidiIn(api, name=_CLIENT, queue_size_limit=_QUEUE)
    except (rtmidi.RtMidiError, OSError):
        return None


class PortScanner:
    """Asks every MIDI system of this machine for its ports, through one handle each that stays open between looks."""

    def __init__(self) -> None:
        import rtmidi

        names = {
            rtmidi.API_LINUX_ALSA: "ALSA",
            rtmidi.API_MACOSX_CORE: "Core MIDI",
            rtmidi.API_WINDOWS_MM: "Windows MM",
            rtmidi.API_UNIX_JACK: "JACK",
        }
        self.apis = {names[api]: api for api in rtmidi.get_compiled_api() if api in names}
        self._handles: dict[str, Any] = {}

    def ports(self) -> list[MidiPort]:
        """Input ports that are there now, without our own."""
        found: list[MidiPort] = []
        for name, api in self.apis.items():
            if name not in self._handles:
                handle = _open_api(api)
                if handle is None:
                    continue
                self._handles[name] = handle
            with quiet_stderr():
                entries = self._handles[name].get_ports()
            found += [MidiPort(name, clean_name(entry)) for entry in entries if _CLIENT not in entry]
        return found

    @property
    def missing(self) -> str:
        """A sentence, if no MIDI system answered."""
        if self._handles:
            return ""
        return "There is no MIDI system here (no ALSA sequencer, no JACK server): faders do not move by MIDI."

    def close(self) -> None:
        """Give the handles back."""
        for handle in self._handles.values():
            handle.delete()
        self._handles.clear()


def input_ports() -> tuple[list[MidiPort], str]:
    """List MIDI input ports.

    Returns:
        The ports, and a sentence on what is missing if no MIDI system answers (else empty).
    """
    scanner = PortScanner()
    ports = scanner.ports()
    missing = scanner.missing
    scanner.close()
    return ports, missing


class MidiEars:
    """Hands every message of the ports that are there now to a function; a context manager, for monitor and learn.

    Attributes:
        names: ports that are open.
        missing: a sentence, if no MIDI system answered.
    """

    def __init__(self, wanted: str, on_message: Callable[[str, tuple[int, int, int]], None]) -> None:
        """Open the ports that match.

        Args:
            wanted: a part of a port's name, or a pattern.
            on_message: gets the port's name and status, second and third byte (0 if there is none). Any thread.
        """
        scanner = PortScanner()
        ports = [port for port in scanner.ports() if matches(wanted, port.name)]
        self.missing = scanner.missing
        self._sources: list[_Ear] = []
        self.names = []
        for port in ports:
            source = _open_port(port, scanner.apis[port.api], _handing(port.name, on_message))
            if source is not None:
                self._sources.append(source)
                self.names.append(port.name)
        scanner.close()

    def __enter__(self) -> MidiEars:
        return self

    def __exit__(self, *_error: object) -> None:
        for source in self._sources:
            source.delete()


def _handing(name: str, on_message: Callable[[str, tuple[int, int, int]], None]) -> Callable[..., None]:
    def callback(event: tuple[list[int], float], _data: Any = None) -> None:
        message = event[0]
        if is_whole(message[0], len(message)):
            on_message(name, (message[0], message[1], message[2] if len(message) == 3 else 0))

    return callback


class _Ear:
    """An open port and the thread that asks it for messages.

    python-rtmidi could call back instead. But JACK then calls from its audio thread, which waits for the GIL, while rtmidi holds
    the GIL when it closes any port and waits for the server: for ever. Asking has no such circle and costs a millisecond.
    """

    def __init__(self, source: Any, callback: Callable[..., None]) -> None:
        self._source, self._callback = source, callback
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._ask, name="rtsep-midi-in", daemon=True)
        self._thread.start()

    def _ask(self) -> None:
        while not self._stop.wait(_ASK_S):
            while (event := self._source.get_message()) is not None:
                self._callback(event)

    def delete(self) -> None:
        """Close the port."""
        self._stop.set()
        self._thread.join()
        self._source.delete()


def _open_port(port: MidiPort, api: int, callback: Callable[..., None]) -> _Ear | None:
    """Open one input port by its name; None if it has just gone."""
    source = _open_api(api)
    if source is None:
        return None
    with quiet_stderr():
        entries = [clean_name(entry) for entry in source.get_ports()]
        if port.name not in entries:
            source.delete()
            return None
        source.open_port(entries.index(port.name), name="faders")
    return _Ear(source, callback)


class MidiListener:
    """Listens to every port that a rig names, also to those that appear later. Control threads only."""

    def __init__(self, context: Context, wanted: Iterable[str], *, on_event: Callable[[str], None]) -> None:
        self._context, self._wanted, self._tell = context, tuple(wanted), on_event
        self._open: dict[MidiPort, _Ear] = {}
        self._scanner: PortScanner | None = None
        self._missing: set[str] = set()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="rtsep-midi", daemon=True)

    @property
    def names(self) -> list[str]:
        """Ports that are open now."""
        return [port.name for port in self._open]

    def start(self) -> None:
        """Open what is there and go on looking for the rest. Returns after the first look."""
        if not self._wanted:
            return
        self._scanner = PortScanner()
        self._scan(self._scanner)
        self._thread.start()

    def _watch(self) -> None:
        while self._scanner and not self._stop.wait(RESCAN_S):
            self._scan(self._scanner)

    def _scan(self, scanner: PortScanner) -> None:
        ports = scanner.ports()
        for gone in [port for port in self._open if port not in ports]:
            self._open.pop(gone).delete()
            self._tell(f"MIDI port {gone.name} has gone; it is opened again when it comes back.")
        for wanted in self._wanted:
            fits = [port for port in ports if matches(wanted, port.name)]
            if not fits and wanted not in self._missing:
                self._missing.add(wanted)
                there = ", ".join(port.name for port in ports) or "none"
                self._tell(scanner.missing or f'No MIDI port matches "{wanted}" yet. Ports: {there}.')
            for port in fits:
                self._missing.discard(wanted)
                if port not in self._open:
                    self._connect(port, scanner.apis[port.api])

    def _connect(self, port: MidiPort, api: int) -> None:
        source = _open_port(port, api, self._receive)
        if source is None:
            return
        self._open[port] = source
        self._tell(f"Listening to MIDI port {port.name}.")

    def _receive(self, event: tuple[list[int], float], _data: Any = None) -> None:
        message = event[0]
        if is_whole(message[0], len(message)):
            receive(self._context.words, message[0], message[1], message[2] if len(message) == 3 else 0)

    def stop(self) -> None:
        """Close every port."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        for source in self._open.values():
            source.delete()
        self._open.clear()
        if self._scanner:
            self._scanner.close()
