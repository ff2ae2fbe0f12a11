"""Does what is asked of a running engine (`rtsep.control.commands`), for every kind of asker alike. Control threads only.

`tick` is called 50 times a second: it moves morphs on, recalls what MIDI asks for, listens for a controller to learn, and saves
where everything stands. The console never waits for the audio thread, nor the audio thread for it.
"""

from __future__ import annotations

import threading
import time
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from rtsep.config import MidiBinding, Rig
from rtsep.control import commands as ask
from rtsep.control.autosave import Autosave
from rtsep.control.learn import Heard, Learner, write_binding
from rtsep.control.midi_map import MODEL, SNAPSHOT, install
from rtsep.control.model_switch import ModelSwitch
from rtsep.control.morph import Morph, between
from rtsep.control.params import GROUP_NAMES, PARAMS, RECORD, ParamStore
from rtsep.control.record_switch import RecordSwitch
from rtsep.control.snapshots import SnapshotBook
from rtsep.engine.session import Engine
from rtsep.errors import RtsepError, UsageError
from rtsep.fx.mailbox import PluginStates
from rtsep.io.recorder import Recorder
from rtsep.realtime import layout as at
from rtsep.stems import STEMS


class RingReader:
    """Reads what compiled code appends to a ring whose first word counts."""

    def __init__(self, ring: Any) -> None:
        self._ring, self._seen = ring, int(ring[0])

    def new(self) -> list[int]:
        """Entries since the last call, oldest first; those that were overwritten meanwhile are gone."""
        count, size = int(self._ring[0]), len(self._ring) - 1
        first = max(self._seen, count - size)
        self._seen = count
        return [int(self._ring[1 + i % size]) for i in range(first, count)]


class Console:
    """Commands for one engine.

    Attributes:
        params: its parameters.
        book: its snapshots.
        bindings: MIDI bindings in force.
        recorder: what the switch `engine.record` begins and ends.
        models: changes the model.
        after_tick: called at the end of each tick.
    """

    def __init__(
        self,
        engine: Engine,
        rig: Rig,
        *,
        state: Path,
        rig_file: Path | None = None,
        plugins: PluginStates | None = None,
        tell: Callable[[str], None],
    ) -> None:
        """Install the rig's MIDI bindings.

        Args:
            engine: the engine.
            rig: its rig.
            state: folder for snapshots, last state and recordings.
            rig_file: where learned bindings are written; None to keep them for this run only.
            plugins: states of the plug-ins among the effects.
            tell: takes sentences for the player.

        Raises:
            ConfigError: a binding cannot work.
        """
        self._plugins = plugins
        self.engine, self._rig, self._rig_file, self._tell = engine, rig, rig_file, tell
        self.params = ParamStore(engine.segment.params)
        self.book = SnapshotBook(state / "snapshots.toml", safe=rig.snapshots.safe, warn=tell)
        self.bindings: tuple[MidiBinding, ...] = rig.midi.bind
        self.on_rebind: Callable[[Sequence[MidiBinding]], None] = lambda _bindings: None
        self._signals = RingReader(engine.context.signals)
        self._messages = RingReader(engine.context.midi_log)
        self._asked = install(engine.context, self.bindings)
        self._morph: Morph | None = None
        self._fader = self.params.get("snapshot.morph")
        self._learner: Learner | None = None
        self._learned = ""
        self.recorder = Recorder(engine, state / "recordings", on_event=tell)
        self._record = RecordSwitch(self.params, tell=tell)
        self.models = ModelSwitch(engine, rig.fx, tell=tell)
        self.after_tick: Callable[[], None] = lambda: None
        self._autosave = Autosave(state / "last.toml", tell=tell)
        self._lock = threading.RLock()

    def execute(self, command: ask.Command) -> ask.Answer:
        """Do one thing; what is wrong with it comes back as a sentence. Any control thread."""
        try:
            with self._lock:
                return ask.Answer(data=self._do(command))
        except (RtsepError, OSError) as error:
            return ask.Answer(ok=False, error=str(error))

    def execute_line(self, line: bytes) -> ask.Answer:
        """Do what a line of JSON asks for."""
        try:
            return self.execute(ask.decode(line))
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            return ask.Answer(ok=False, error=f"Not a request: {error}.")

    def _do(self, command: ask.Command) -> Any:
        match command:
            case ask.Set(name, value):
                self.params.set(name, value)
                return self.params.get(name)
            case ask.Get(name):
                return self.params.get(name) if name else self.params.all()
            case ask.SoloOnly(stem):
                if stem not in STEMS:
                    raise UsageError(f'There is no stem "{stem}". Stems: {", ".join(STEMS)}.')
                self.params.solo_only(stem)
            case ask.Describe():
                return self._describe()
            case ask.Status():
                return self._status()
            case ask.ClearClips():
                self.engine.segment.header[at.CLIPPED] = 0
            case ask.SnapshotRecall(name, seconds):
                if self._plugins:
                    self._plugins.load(self.book.states(name))
                self._morph = Morph(self.params, self.book.recallable(name), seconds, time.monotonic())
                self._move_on()
            case ask.Record(on):
                return self._record.turn(self.recorder, on=on)
            case ask.ModelList():
                return self.models.choices()
            case ask.ModelChange(model, tier):
                return self.models.change(model, tier)
            case ask.LearnStart(name):
                self._learner, self._learned = Learner(name), ""
            case ask.LearnState():
                return {"parameter": self._learner.parameter if self._learner else "", "learned": self._learned}
            case ask.LearnCancel():
                self._learner = None
            case _:
                return self._snapshot(command)
        return None

    def _snapshot(self, command: ask.Command) -> Any:
        match command:
            case ask.SnapshotStore(name):
                self.book.store(name, self.params, self._plugins.ask() if self._plugins else None)
            case ask.SnapshotDelete(name):
                self.book.delete(name)
            case ask.SnapshotExport():
                return self.book.export()
            case ask.SnapshotImport(text):
                try:
                    return self.book.take_in(tomllib.loads(text))
                except tomllib.TOMLDecodeError as error:
                    raise UsageError(f"This is not TOML: {error}.") from error
        return self.book.names

    def _describe(self) -> dict[str, Any]:
        spec, engine = self.engine.spec, self.engine
        return {
            "params": [msgspec.to_builtins(param) for param in PARAMS.values()],
            "stems": list(STEMS),
            "made": [stem for stem in STEMS if stem in spec.stems],
            "groups": [
                {"key": key, "name": getattr(self._rig.groups, key).name or f"Group {key.upper()}"} for key in GROUP_NAMES
            ],
            "morph": self._rig.snapshots.morph,
            "model": f"{spec.name} {spec.tier}",
            "models": self.models.choices(),
            "rate": engine.stream.rate,
            "latency": engine.latency.rows(),
            "latency_ms": 1000.0 * engine.latency.frames / engine.stream.rate,
        }

    def _status(self) -> dict[str, Any]:
        now = self.engine.status()
        return {
            **msgspec.to_builtins(now),
            "load": now.load,
            "model": f"{self.engine.spec.name} {self.engine.spec.tier}",
            "loading": self.models.loading,
            "model_error": self.models.error,
            "latency_ms": 1000.0 * self.engine.latency.frames / self.engine.stream.rate,
            "recording": self.recorder.folder.name if self.recorder.recording and self.recorder.folder else "",
            "snapshots": self.book.names,
            "clipped": int(self.engine.segment.header[at.CLIPPED]),
        }

    def heard(self) -> list[Heard]:
        """MIDI messages since the last tick."""
        return [(entry >> 16, entry >> 8 & 0x7F, entry & 0x7F) for entry in self._messages.new()]

    def tick(self) -> None:
        """Do what is due."""
        with self._lock:
            for signal in self._signals.new():
                if signal < len(self._asked):
                    self._answer_midi(self._asked[signal])
            try:
                self._record.follow(self.recorder)
            except (RtsepError, OSError) as error:
                self._tell(str(error))
            self.models.look()
            self._move_on()
            self._follow_morph_fader()
            self._listen()
            self._autosave.look(self._state)
            self.after_tick()

    def _answer_midi(self, wish: str) -> None:
        """Do what a message is bound to that moves no parameter."""
        if wish.startswith(MODEL):
            model, _, tier = wish.removeprefix(MODEL).partition(".")
            answer = self.execute(ask.ModelChange(model, tier))
        else:
            answer = self.execute(ask.SnapshotRecall(wish.removeprefix(SNAPSHOT)))
        if answer.error:
            self._tell(answer.error)

    def _move_on(self) -> None:
        if self._morph and not self._morph.step(time.monotonic()):
            self._morph = None

    def _follow_morph_fader(self) -> None:
        share = self.params.get("snapshot.morph")
        if share == self._fader:
            return
        self._fader = share
        ends = self._rig.snapshots.morph
        if ends and all(name in self.book.names for name in ends):
            start, end = (self.book.recallable(name) for name in ends)
            for name, raw in between(start, end, share).items():
                self.params.set_raw(name, raw)

    def _listen(self) -> None:
        messages = self.heard()
        if self._learner is None:
            return
        found = self._learner.hear(messages, time.monotonic())
        if found is None:
            return
        binding, kind = found
        self._learner = None
        self._learned = f"{binding.to}: {kind}"
        self.bindings = (*(old for old in self.bindings if (old.when, old.to) != (binding.when, binding.to)), binding)
        self._asked = install(self.engine.context, self.bindings)
        self.on_rebind(self.bindings)
        if self._rig_file:
            write_binding(self._rig_file, binding)
        self._tell(f"Learned {self._learned}" + (f", written to {self._rig_file}." if self._rig_file else ", for this run."))

    def _state(self) -> dict[str, float | str]:
        now: dict[str, float | str] = {name: value for name, value in self.params.all().items() if name != RECORD}
        return now | (self._plugins.known() if self._plugins else {})

    def save_state(self) -> None:
        """Keep where everything stands, if it has moved; returns when it is on the disk."""
        self._autosave.save(self._state())

    def stop(self) -> None:
        """Save, and end a recording."""
        with self._lock:
            if self._plugins:
                self._plugins.ask()
            self.save_state()
            self.recorder.stop()
