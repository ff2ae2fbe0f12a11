"""What an engine that dies leaves to the one that takes over: the model that was playing, what was learned, whether it recorded.

Faders are in the file of the last state and wires in `rtsep.io.jack_wires`. Only what has proved itself is left: a model that has
computed, a recording that runs. Nothing of it outlives the performance; the next one begins with its rig.
"""

from __future__ import annotations

import msgspec

from rtsep.config import MidiBinding, Rig
from rtsep.control.console import Console
from rtsep.engine.guardian import Life
from rtsep.engine.supervisor import WorkerState
from rtsep.realtime import layout as at


class Heritage:
    """Reads what the engine before has left, and leaves the same to the next. Control threads only.

    Attributes:
        takes_over: whether there was an engine before this one.
    """

    def __init__(self, life: Life | None) -> None:
        """Take the life of this engine; None if nobody starts it again."""
        self._life = life
        self._bindings: tuple[MidiBinding, ...] | None = None
        self.takes_over = life is not None and life.number > 0

    def rig(self, rig: Rig) -> Rig:
        """A rig with the model and the bindings of the engine before."""
        self._bindings = rig.midi.bind
        if self._life is None:
            return rig
        model, tier = self._life.recall("model", (rig.engine.model, rig.engine.tier))
        if (learned := self._life.recall("bindings", None)) is not None:
            self._bindings = msgspec.convert(learned, tuple[MidiBinding, ...])
        return msgspec.structs.replace(
            rig,
            engine=msgspec.structs.replace(rig.engine, model=model, tier=tier),
            midi=msgspec.structs.replace(rig.midi, bind=self._bindings),
        )

    def records(self, asked: bool) -> bool:
        """Whether to record from the start: as the engine before did, or as the first one was asked to."""
        return bool(self._life.recall("recording", asked)) if self._life else asked

    def leave(self, console: Console) -> None:
        """Leave what is so now to the next engine; to be called again and again."""
        if self._life is None:
            return
        engine, header = console.engine, console.engine.segment.header
        if engine.supervisor.state is WorkerState.RUNNING and header[at.READY] == header[at.EPOCH] and not console.models.loading:
            self._life.keep("model", [engine.spec.name, engine.spec.tier])
        self._life.keep("recording", console.recorder.recording)
        if console.bindings is not self._bindings:
            self._bindings = console.bindings
            self._life.keep("bindings", msgspec.to_builtins(console.bindings))
