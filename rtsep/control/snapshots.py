"""Settings of the whole mixer under a name: stored, recalled, morphed into, carried from one machine to another as TOML.

A file holds one table per snapshot, `[NAME]` with `"stem.vocals.gain_db" = -6.0` and so on. Unknown parameters and values that
are not numbers are skipped with a warning: a snapshot of a later version still recalls what this one knows. Plug-ins add what
only they understand, as base64: `"fx.vocals.ZamComp.state" = "VkMyIQ…"`. What belongs to effects that this rig does not have is
kept for the rig that has them.

A recall leaves alone what the rig calls safe, and always the MIDI layer and the morph fader, which are the player's hands, and
the recording.
"""

from __future__ import annotations

import fnmatch
import json
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from rtsep.control.params import PARAMS, RECORD, ParamStore
from rtsep.control.saved_state import read_or_warn, write_whole
from rtsep.errors import UsageError, nearest

ALWAYS_SAFE = ("midi.layer", "snapshot.morph", RECORD)
MAX_SNAPSHOTS = 128
Values = dict[str, float]
Extras = dict[str, float | str]
"""States of plug-ins, and whatever else belongs to effects that are not there."""

EFFECTS = "fx."
_STATE = ".state"


def check_name(name: str) -> str:
    """Return the name of a snapshot if it may be one.

    Raises:
        UsageError: it is empty, longer than 40 characters, or has other signs than letters, digits, blanks, `-` and `_`.
    """
    if not re.fullmatch(r"[\w -]{1,40}", name) or name == "morph":
        raise UsageError(f'"{name[:60]}" cannot name a snapshot. Use 1 to 40 letters, digits, blanks, - or _ (but not: morph).')
    return name


def to_toml(tables: Mapping[str, Mapping[str, float | str]]) -> str:
    """Write tables of parameter values, and of texts, as TOML."""
    lines: list[str] = []
    for name, values in tables.items():
        lines += [f'["{name}"]', *(f"{json.dumps(key)} = {_toml(value)}" for key, value in values.items()), ""]
    return "\n".join(lines)


def _toml(value: float | str) -> str:
    return json.dumps(value) if isinstance(value, str) else repr(float(value))


def values_from(table: object, where: str, warn: Callable[[str], None]) -> Values:
    """Keep what is a known parameter with a number, held to its range; warn of the rest."""
    values: Values = {}
    extras = extras_from(table)
    for name, value in table.items() if isinstance(table, dict) else ():
        if name in extras:
            continue
        if name not in PARAMS or isinstance(value, bool) or not isinstance(value, int | float) or value != value:
            warn(f'{where}: "{name}" is not a parameter with a number and is skipped.')
        else:
            values[name] = PARAMS[name].hold_to_range(float(value))
    return values


def extras_from(table: object) -> Extras:
    """What a table says of effects and is no parameter of this run."""
    items = table.items() if isinstance(table, dict) else ()
    return {
        name: value
        for name, value in items
        if name.startswith(EFFECTS) and name not in PARAMS and isinstance(value, str if name.endswith(_STATE) else int | float)
    }


def states_among(extras: Extras) -> dict[str, str]:
    """The states of plug-ins."""
    return {name: value for name, value in extras.items() if isinstance(value, str)}


class SnapshotBook:
    """The snapshots of a user, in one file. Control threads only."""

    def __init__(self, path: Path, *, safe: Iterable[str] = (), warn: Callable[[str], None]) -> None:
        """Read the book; a broken file is ignored with a warning and kept until something is stored."""
        self._path, self._safe, self._warn = path, (*ALWAYS_SAFE, *safe), warn
        self._snapshots: dict[str, Values] = {}
        self._extras: dict[str, Extras] = {}
        self._take_in(read_or_warn(path, warn))

    def _take_in(self, tables: Mapping[str, Any]) -> list[str]:
        taken = []
        for name, table in tables.items():
            try:
                self._snapshots[check_name(name)] = values_from(table, f"snapshot {name}", self._warn)
                self._extras[name] = extras_from(table)
                taken.append(name)
            except UsageError as error:
                self._warn(f"{self._path}: {error}")
        return taken

    @property
    def names(self) -> list[str]:
        """All snapshots, in the order in which they were first stored."""
        return list(self._snapshots)

    def store(self, name: str, params: ParamStore, states: Mapping[str, str] | None = None) -> None:
        """Keep where everything stands now.

        Args:
            name: of the snapshot; one of that name is replaced.
            params: where everything stands.
            states: of the plug-ins, see `rtsep.fx.mailbox.PluginStates`.

        Raises:
            UsageError: not a name, or the book is full.
        """
        if len(self._snapshots) >= MAX_SNAPSHOTS and name not in self._snapshots:
            raise UsageError(f"{MAX_SNAPSHOTS} snapshots are all there can be. Delete one: rtsep ctl snapshot delete NAME")
        self._snapshots[check_name(name)] = params.all()
        self._extras[name] = dict(states or {})
        self._save()

    def recallable(self, name: str) -> Values:
        """What a recall of this snapshot sets: its values without those that are safe.

        Raises:
            UsageError: there is no such snapshot.
        """
        if name not in self._snapshots:
            known = ", ".join(self._snapshots) or "none yet"
            raise UsageError(f'There is no snapshot "{name[:60]}".{nearest(name, self._snapshots)} Snapshots: {known}.')
        return {key: value for key, value in self._snapshots[name].items() if not self.is_safe(key)}

    def states(self, name: str) -> dict[str, str]:
        """States of plug-ins that a recall of this snapshot loads, without those that are safe. Raises UsageError."""
        self.recallable(name)
        return {key: state for key, state in states_among(self._extras[name]).items() if not self.is_safe(key)}

    def is_safe(self, parameter: str) -> bool:
        """Whether recalls leave this parameter alone."""
        return any(fnmatch.fnmatchcase(parameter, pattern) for pattern in self._safe)

    def delete(self, name: str) -> None:
        """Forget a snapshot. Raises UsageError if there is none."""
        self.recallable(name)
        del self._snapshots[name], self._extras[name]
        self._save()

    def export(self) -> str:
        """All snapshots as TOML."""
        return to_toml({name: {**values, **self._extras[name]} for name, values in self._snapshots.items()})

    def take_in(self, tables: Mapping[str, Any]) -> list[str]:
        """Add snapshots from a parsed file, over those of the same name; returns the names that were taken."""
        if len(set(tables) | set(self._snapshots)) > MAX_SNAPSHOTS:
            raise UsageError(f"The book holds {MAX_SNAPSHOTS} snapshots; with these it would be more. Delete some first.")
        taken = self._take_in(tables)
        self._save()
        return taken

    def _save(self) -> None:
        try:
            write_whole(self._path, self.export())
        except OSError as error:
            self._warn(f"{self._path} cannot be written, snapshots last until the end only: {error}.")
