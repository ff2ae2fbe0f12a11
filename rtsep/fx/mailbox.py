"""States of plug-ins on their way between control and inference process: files in memory, announced by words of the segment.

A state is whatever bytes a plug-in gives of itself, from a hundred to a million, so it fits neither a parameter word nor a
command line. What shall be is one file that is replaced as a whole; a counter in the segment says that it has changed. The
inference process compares one word per hop and reads only then. A process that replaces a dead one finds the same file and
starts where that one was. Asked by a second counter, it writes the states of its plug-ins into another file, between two hops.

The folder is private to this user, one per control process, and goes when that ends (`rtsep.fx.room`).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import tempfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from rtsep.errors import UsageError
from rtsep.fx.room import room
from rtsep.realtime import layout as at

_WANTED, _KEPT = "wanted.json", "kept.json"
_POLL_S = 0.005
ANSWER_S = 1.0
"""How long a control thread waits for states; a model that stands still does not answer."""

MAX_STATE = 1 << 20
"""Longest state of a plug-in in bytes."""


class Wanted(msgspec.Struct, frozen=True):
    """A state that a plug-in shall have, and the count of wishes when this was wished."""

    serial: int
    state: bytes


def _write(path: Path, value: object) -> None:
    """Replace a file as a whole."""
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
        file.write(msgspec.json.encode(value))
    Path(file.name).replace(path)


def _read(folder: Path) -> dict[int, Wanted]:
    try:
        return msgspec.json.decode((folder / _WANTED).read_bytes(), type=dict[int, Wanted])
    except OSError:  # the control process has ended, and so will this one
        return {}


def post(plan: bytes, states: Mapping[int, bytes]) -> Path:
    """Lay the first states of the plug-ins down; the same plan and states have the same folder.

    Args:
        plan: what tells this set of effects from others.
        states: by number of the effect.
    """
    wanted = {number: Wanted(0, state) for number, state in states.items()}
    folder = Path(room().name) / hashlib.sha256(plan + msgspec.json.encode(wanted)).hexdigest()[:16]
    folder.mkdir(exist_ok=True)
    _write(folder / _WANTED, wanted)
    return folder


class Inbox:
    """The inference process's side. Inference thread."""

    def __init__(self, folder: Path, header: NDArray[np.int64]) -> None:
        self._folder, self._header = folder, header
        self._seen = int(header[at.FX_STATES])
        self._asked = int(header[at.FX_ASKED])
        self._wanted = _read(folder)
        self.first: dict[int, bytes] = {number: wanted.state for number, wanted in self._wanted.items()}
        """States to begin with, by number of the effect."""

    def news(self) -> dict[int, bytes]:
        """States that are wanted now and were not at the last call."""
        seen = int(self._header[at.FX_STATES])
        if seen == self._seen:
            return {}
        self._seen, before, self._wanted = seen, self._wanted, _read(self._folder)
        old = {number: wanted.serial for number, wanted in before.items()}
        return {number: wanted.state for number, wanted in self._wanted.items() if wanted.serial != old.get(number)}

    @property
    def asked(self) -> bool:
        """Whether somebody waits for the states of the plug-ins."""
        return int(self._header[at.FX_ASKED]) != self._asked

    def answer(self, states: Mapping[int, bytes]) -> None:
        """Give the states."""
        self._asked = int(self._header[at.FX_ASKED])
        _write(self._folder / _KEPT, states)
        self._header[at.FX_ANSWERED] = self._asked


class PluginStates:
    """The control process's side: states of the plug-ins of a running engine, by names such as `fx.vocals.ZamComp.state`.

    As text, a state is base64. Control threads.
    """

    def __init__(self, names: Mapping[str, int], folder: Path, header: NDArray[np.int64]) -> None:
        """Nothing is asked yet.

        Args:
            names: number of each plug-in.
            folder: from `post`.
            header: of the segment.
        """
        self._names, self._folder, self._header = dict(names), folder, header
        self._lock = threading.Lock()
        self._wanted = _read(folder) if names else {}

    @property
    def names(self) -> list[str]:
        """Of every plug-in's state."""
        return list(self._names)

    def known(self) -> dict[str, str]:
        """States as they were last loaded or asked for. Returns at once."""
        with self._lock:
            return {name: _text(self._wanted[n].state) for name, n in self._names.items() if n in self._wanted}

    def load(self, states: Mapping[str, str]) -> None:
        """Ask plug-ins to take states over; names of other rigs' plug-ins are ignored. Returns at once.

        Raises:
            UsageError: a state is no base64 or too long; then none is loaded.
        """
        new = {self._names[name]: state_from_text(name, text) for name, text in states.items() if name in self._names}
        if not new:
            return
        with self._lock:
            serial = int(self._header[at.FX_STATES]) + 1
            self._wanted |= {number: Wanted(serial, state) for number, state in new.items()}
            _write(self._folder / _WANTED, self._wanted)
            self._header[at.FX_STATES] = serial

    def ask(self, limit_s: float = ANSWER_S) -> dict[str, str]:
        """States as they are now; of a plug-in that does not answer in time, as they were last known."""
        if not self._names:
            return {}
        with self._lock:
            self._header[at.FX_ASKED] += 1
            until = time.monotonic() + limit_s
            while self._header[at.FX_ANSWERED] != self._header[at.FX_ASKED] and time.monotonic() < until:
                time.sleep(_POLL_S)
            if self._header[at.FX_ANSWERED] == self._header[at.FX_ASKED]:
                kept = msgspec.json.decode((self._folder / _KEPT).read_bytes(), type=dict[int, bytes])
                short = {number: state for number, state in kept.items() if len(state) <= MAX_STATE}
                self._wanted |= {n: Wanted(self._wanted[n].serial, state) for n, state in short.items() if n in self._wanted}
                _write(self._folder / _WANTED, self._wanted)  # for a process that has to replace this one
        return self.known()


def _text(state: bytes) -> str:
    return base64.b64encode(state).decode()


def state_from_text(name: str, text: str) -> bytes:
    """The state that a text stands for.

    Raises:
        UsageError: it is no base64, or too long; names `name`.
    """
    try:
        state = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise UsageError(f"{name} is not the state of a plug-in: it must be base64.") from None
    if len(state) > MAX_STATE:
        raise UsageError(f"{name} has {len(state)} bytes; {MAX_STATE} are the most that a plug-in's state may have.")
    return state
