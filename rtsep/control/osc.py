"""Open Sound Control over UDP: every parameter under its own name, `stem.vocals.gain_db` as `/rtsep/stem/vocals/gain_db`.

    /rtsep/stem/vocals/gain_db f     moves it (i, T and F are taken too); without argument, asks for it
    /rtsep/state                     asks for all
    /rtsep/snapshot/recall s [f]     recalls, over f seconds;  /rtsep/snapshot/store s  keeps
    /rtsep/solo s                    solos one stem and no other
    /rtsep/model                     asks for model and tier;  /rtsep/model s [s]  changes over to a model, or a tier of it
    /rtsep/models                    asks what can be chosen: /rtsep/models s s f (latency in ms) for each
    /rtsep/subscribe [i]             from now on, changes come to this address, to port i if given, those of
                                     /rtsep/engine s s (state and reason) and /rtsep/model s s too; and 10 times a second
                                     /rtsep/meter/NAME f with peaks in dB; …/rms f and …/true_peak f in dB, …/loudness f and
                                     …/integrated f in LUFS, …/clip i; and /rtsep/meter/limiter f, its gain in dB
    /rtsep/unsubscribe

Off by default; on the loopback interface unless the rig says otherwise. A subscription ends after a minute unless it is renewed,
so nobody is flooded for long; it goes to the sender's own address only. Malformed datagrams are counted, told of at most once a
second, and cost microseconds. Names cannot be confused: no parameter has a `/` in it.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable

from rtsep.control import commands as ask
from rtsep.control.console import Console
from rtsep.control.meters import NAMES, Meters
from rtsep.control.osc_codec import MAX_DATAGRAM, Message, OscError, decode, encode
from rtsep.control.params import PARAMS
from rtsep.errors import DeviceError
from rtsep.realtime import layout as at
from rtsep.units import gain_to_db

MAX_SUBSCRIBERS = 8
SUBSCRIPTION_S = 60.0
_EVERY_S = 0.1
_PREFIX = "/rtsep/"

Peer = tuple[str, int]


def address_of(name: str) -> str:
    """The OSC address of a parameter."""
    return _PREFIX + name.replace(".", "/")


class OscServer:
    """Listens in a thread of its own.

    Attributes:
        malformed: datagrams that were not OSC.
    """

    def __init__(self, console: Console, *, listen: str, port: int, tell: Callable[[str], None]) -> None:
        """Take the port.

        Raises:
            DeviceError: it is taken, or the address is not of this machine.
        """
        self._console, self._tell = console, tell
        self.malformed = 0
        self._told_s = 0.0
        self._subscribers: dict[Peer, tuple[float, dict[str, bytes]]] = {}
        self._meters: Meters | None = None
        self._socket = socket.socket(socket.AF_INET6 if ":" in listen else socket.AF_INET, socket.SOCK_DGRAM)
        try:
            self._socket.bind((listen, port))
        except OSError as error:
            self._socket.close()
            raise DeviceError(f"OSC cannot listen on {listen}, port {port}: {error}. Choose another port in [osc].") from error
        self._socket.settimeout(_EVERY_S)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="rtsep-osc", daemon=True)

    @property
    def port(self) -> int:
        """Port it listens on."""
        return int(self._socket.getsockname()[1])

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread and give the port back."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        self._socket.close()

    def _run(self) -> None:
        due = time.monotonic()
        while not self._stop.is_set():
            with contextlib.suppress(OSError):  # nothing came, or a peer is gone
                datagram, peer = self._socket.recvfrom(MAX_DATAGRAM + 1)
                self.receive(datagram, (peer[0], peer[1]))
            if self._subscribers and time.monotonic() >= due:
                due = time.monotonic() + _EVERY_S
                self._publish()

    def receive(self, datagram: bytes, peer: Peer) -> None:
        """Do what a datagram says; one that is malformed is counted and dropped whole."""
        try:
            messages = decode(datagram)
        except OscError as error:
            self.malformed += 1
            if time.monotonic() - self._told_s > 1.0:
                self._told_s = time.monotonic()
                self._tell(f"OSC: a datagram from {peer[0]} is dropped: {error}.")
            return
        for message in messages:
            self._do(message, peer)

    def _do(self, message: Message, peer: Peer) -> None:
        address, arguments = message
        names = {address_of(name): name for name in PARAMS}  # a rig's effects add theirs
        if address in names:
            self._parameter(names[address], arguments, peer)
            return
        match address.removeprefix(_PREFIX), arguments:
            case "state", ():
                for name, value in self._console.params.all().items():
                    self._send(peer, encode(address_of(name), float(value)))
            case "subscribe", ():
                self._subscribe(peer)
            case "subscribe", (int(port),) if 0 < port < 65_536:
                self._subscribe((peer[0], port))
            case "unsubscribe", _:
                self._subscribers = {key: value for key, value in self._subscribers.items() if key[0] != peer[0]}
            case "model", ():
                self._send(peer, self._model())
            case "model", (str(model),):
                self._answer(ask.ModelChange(model[:200]), peer)
            case "model", (str(model), str(tier)):
                self._answer(ask.ModelChange(model[:200], tier[:200]), peer)
            case "models", ():
                for choice in self._console.models.choices():
                    for offer in choice["tiers"]:
                        self._send(peer, encode("/rtsep/models", choice["name"], offer["name"], float(offer["latency_ms"])))
            case "solo", (str(stem),):
                self._answer(ask.SoloOnly(stem), peer)
            case "snapshot/store", (str(name),):
                self._answer(ask.SnapshotStore(name), peer)
            case "snapshot/recall", (str(name), *rest):
                seconds = rest[0] if rest and isinstance(rest[0], float | int) else 0.0
                self._answer(ask.SnapshotRecall(name, min(600.0, max(0.0, float(seconds)))), peer)
            case _:
                self._send(peer, encode("/rtsep/error", f"There is nothing at {address}."[:200]))

    def _parameter(self, name: str, arguments: tuple[object, ...], peer: Peer) -> None:
        if not arguments:
            self._send(peer, encode(address_of(name), float(self._console.params.get(name))))
        elif len(arguments) == 1 and isinstance(arguments[0], int | float):
            self._answer(ask.Set(name, float(arguments[0])), peer)
        else:
            self._send(peer, encode("/rtsep/error", f"{name} takes one number."))

    def _answer(self, command: ask.Command, peer: Peer) -> None:
        answer = self._console.execute(command)
        if not answer.ok:
            self._send(peer, encode("/rtsep/error", answer.error[:200]))

    def _subscribe(self, peer: Peer) -> None:
        if peer in self._subscribers or len(self._subscribers) < MAX_SUBSCRIBERS:
            known = self._subscribers.get(peer, (0.0, {}))[1]
            self._subscribers[peer] = (time.monotonic() + SUBSCRIPTION_S, known)

    def _publish(self) -> None:
        now_s = time.monotonic()
        self._subscribers = {peer: value for peer, value in self._subscribers.items() if value[0] > now_s}
        status = self._console.engine.status()
        said = {name: encode(address_of(name), float(value)) for name, value in self._console.params.all().items()}
        said |= {"model": self._model(), "engine": encode("/rtsep/engine", status.state, status.reason[:200])}
        meters = self._levels()
        for peer, (_, known) in self._subscribers.items():
            for name, datagram in said.items():
                if known.get(name) != datagram:
                    known[name] = datagram
                    self._send(peer, datagram)
            for datagram in meters:
                self._send(peer, datagram)

    def _model(self) -> bytes:
        spec = self._console.engine.spec
        return encode("/rtsep/model", spec.name, spec.tier)

    def _levels(self) -> list[bytes]:
        if self._meters is None:  # nobody has listened so far
            self._meters = Meters(self._console.engine.segment)
        levels = self._meters.read()
        said = [encode("/rtsep/meter/limiter", gain_to_db(levels.limiter))]
        for pair, name in enumerate(NAMES):
            row = slice(at.CHANNELS * pair, at.CHANNELS * (pair + 1))
            address = f"/rtsep/meter/{name}"
            said += [
                encode(address, gain_to_db(float(levels.peaks[row].max()))),
                encode(f"{address}/rms", gain_to_db(float(levels.rms[row].max()))),
                encode(f"{address}/true_peak", gain_to_db(float(levels.true_peaks[row].max()))),
                encode(f"{address}/loudness", float(levels.loudness[pair, 1])),
                encode(f"{address}/integrated", float(levels.loudness[pair, 2])),
                encode(f"{address}/clip", int(levels.clipped >> row.start & 0b11 > 0)),
            ]
        return said

    def _send(self, peer: Peer, datagram: bytes) -> None:
        with contextlib.suppress(OSError):
            self._socket.sendto(datagram, peer)
