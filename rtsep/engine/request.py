"""What the audio process asks of the inference process, and what it hears back: one JSON line each."""

from __future__ import annotations

import msgspec


class WorkerRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a fresh inference process must know."""

    descriptor: int
    """Open file descriptor of the segment, inherited."""
    capacity: int
    epoch: int
    model: str
    tier: str
    rate: int
    runtime: str = "auto"
    threads: int = 1
    """That compute the model."""
    realtime: bool = True
    """Ask the system for a real-time priority."""


class WorkerEvent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A line on the inference process's standard output."""

    event: str
    """`loading`, `ready`, `error`, or `note`: something the user should read, while it goes on."""
    text: str = ""
    permanent: bool = False
    """Trying again cannot help: the weights or the request are wrong."""
