"""What the process of the mixer page is told when it is started."""

from __future__ import annotations

import msgspec

from rtsep.control.params import Param


class PageRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What the process must know."""

    descriptor: int
    """Open file descriptor of the engine's segment, inherited."""
    capacity: int
    listener: int
    """Open file descriptor of the listening socket, inherited."""
    control: str
    """Path of the engine's control socket."""
    token: str
    params: tuple[Param, ...]
    """All there are in this run: a rig's effects bring knobs of their own, and frames list the values in this order."""
    anywhere: bool
