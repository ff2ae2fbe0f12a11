"""One line of a check-up: what was looked at, how it stands, and what to do about it."""

from __future__ import annotations

from typing import Literal

import msgspec

Status = Literal["ok", "warn", "fail"]


class Finding(msgspec.Struct, frozen=True, omit_defaults=True):
    """How one thing stands.

    `fail`: rtsep cannot do its main job. `warn`: something is missing or slower than it could be.
    """

    what: str
    status: Status
    text: str
    advice: str = ""
    """What to type or change; empty if there is nothing to do."""


def ok(what: str, text: str) -> Finding:
    """All is well."""
    return Finding(what, "ok", text)


def warn(what: str, text: str, advice: str = "") -> Finding:
    """Something could be better."""
    return Finding(what, "warn", text, advice)


def fail(what: str, text: str, advice: str = "") -> Finding:
    """Something essential is broken."""
    return Finding(what, "fail", text, advice)
