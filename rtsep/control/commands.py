"""What can be asked of a running engine, by whom ever: the command line, the mixer page, OSC. A closed list of typed messages.

On the control socket a request is a line of JSON such as `{"do": "set", "name": "stem.vocals.gain_db", "value": -6}`, and the
answer is a line `{"ok": true, "data": …}` or `{"ok": false, "error": "…"}`. Nothing in here names a file.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

MAX_LINE = 1 << 22
"""Longest request in bytes: snapshots that are taken in may hold states of plug-ins."""

Text = Annotated[str, msgspec.Meta(max_length=200)]
Seconds = Annotated[float, msgspec.Meta(ge=0.0, le=600.0)]


class _Command(msgspec.Struct, frozen=True, tag_field="do", forbid_unknown_fields=True):
    """One request."""


class Set(_Command, frozen=True, tag="set"):
    """Move a parameter; the value is in its unit."""

    name: Text
    value: float


class Get(_Command, frozen=True, tag="get"):
    """Where one parameter stands, or all."""

    name: Text = ""


class Describe(_Command, frozen=True, tag="describe"):
    """Every parameter with unit, range and default; stems; model; latency."""


class Status(_Command, frozen=True, tag="status"):
    """Counters, state and its reason."""


class SoloOnly(_Command, frozen=True, tag="solo-only"):
    """Solo one stem and no other."""

    stem: Text


class ClearClips(_Command, frozen=True, tag="clear-clips"):
    """Let go of the clip latch."""


class SnapshotStore(_Command, frozen=True, tag="snapshot-store"):
    """Keep where everything stands."""

    name: Text


class SnapshotRecall(_Command, frozen=True, tag="snapshot-recall"):
    """Go there, at once or over a time."""

    name: Text
    seconds: Seconds = 0.0


class SnapshotDelete(_Command, frozen=True, tag="snapshot-delete"):
    """Forget one."""

    name: Text


class SnapshotList(_Command, frozen=True, tag="snapshot-list"):
    """Names of all."""


class SnapshotExport(_Command, frozen=True, tag="snapshot-export"):
    """All as TOML."""


class SnapshotImport(_Command, frozen=True, tag="snapshot-import"):
    """Take in TOML."""

    toml: Annotated[str, msgspec.Meta(max_length=MAX_LINE)]


class LearnStart(_Command, frozen=True, tag="learn-start"):
    """Bind the controller that is moved next to this parameter."""

    name: Text


class LearnState(_Command, frozen=True, tag="learn-state"):
    """What has been heard and guessed."""


class LearnCancel(_Command, frozen=True, tag="learn-cancel"):
    """Bind nothing after all."""


class ModelList(_Command, frozen=True, tag="model-list"):
    """Models and tiers that can run live, and what they lack."""


class ModelChange(_Command, frozen=True, tag="model-change"):
    """Go on with another model or tier while audio goes on; the same model, or its default tier, where one is left out."""

    model: Text = ""
    tier: Text = ""


class Record(_Command, frozen=True, tag="record"):
    """Begin or end recording mix and stems."""

    on: bool


Command = (
    Set | Get | Describe | Status | SoloOnly | ClearClips
    | SnapshotStore | SnapshotRecall | SnapshotDelete | SnapshotList | SnapshotExport | SnapshotImport
    | LearnStart | LearnState | LearnCancel | ModelList | ModelChange | Record
)  # fmt: skip


class Answer(msgspec.Struct, frozen=True, omit_defaults=True):
    """What comes back."""

    ok: bool = True
    data: Any = None
    error: str = ""


_decoder: msgspec.json.Decoder[Command] = msgspec.json.Decoder(Command)


def decode(line: bytes) -> Command:
    """Read a request. Raises msgspec.MsgspecError if it is none."""
    return _decoder.decode(line)
