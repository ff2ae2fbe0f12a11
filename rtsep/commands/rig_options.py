"""Options that every live command shares: a rig, and what overrides it."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from rtsep import paths
from rtsep.config import EngineTable, Rig, load_rig, rig_path
from rtsep.errors import UsageError, nearest

if TYPE_CHECKING:
    from rtsep.control.web.launcher import PageAddress

_BACKENDS = ("auto", "jack", "portaudio", "null")
_RIG_HELP = "rig file, or the name of one that ships (default, karaoke, …)"


def add_rig_options(parser: argparse.ArgumentParser, *, positional: bool = True) -> None:
    """Add the rig and the options that override its tables."""
    if positional:
        parser.add_argument("rig", nargs="?", default="default", metavar="RIG", help=_RIG_HELP)
    else:
        parser.add_argument("--rig", default="default", metavar="RIG", help=_RIG_HELP)
    parser.add_argument("-b", "--backend", metavar="NAME", help=f"where audio goes: {', '.join(_BACKENDS)}")
    parser.add_argument("-m", "--model", metavar="NAME", help="model (rtsep models)")
    parser.add_argument("-t", "--tier", metavar="NAME", help="trade-off of latency and quality (rtsep models)")
    parser.add_argument("--runtime", choices=("auto", "onnx", "torch"), help="what computes the model")
    parser.add_argument("--threads", type=int, choices=range(1, 17), metavar="N", help="how many compute it (1)")


def add_page_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the mixer page."""
    parser.add_argument("--web", action="store_true", help="serve the mixer page to browsers on this machine")
    parser.add_argument("--listen", metavar="ADDRESS", help="serve it on this address, to whoever has the link (0.0.0.0: all)")
    parser.add_argument("--web-port", type=int, default=8130, metavar="PORT", help="its port, or the next free one (8130)")


def page_from(args: argparse.Namespace) -> PageAddress | None:
    """Where the mixer page shall be, if anywhere."""
    from rtsep.control.web.launcher import PageAddress

    if not (args.web or args.listen):
        return None
    return PageAddress(args.listen or "127.0.0.1", args.web_port)


def announce_first_start() -> None:
    """Say why the first start of a version takes long: the audio thread's code is compiled then, and kept."""
    from rtsep.realtime import is_compiled

    if not is_compiled():
        print("First start: compiling the audio code, once for this version …", file=sys.stderr, flush=True)


def rig_from(args: argparse.Namespace, *, live: bool = True) -> Rig:
    """Load the rig, put the options over it, and what `rtsep doctor` chose for this machine under it.

    Args:
        args: of the command.
        live: whether the tier for live use is wanted.

    Raises:
        ConfigError: the rig is wrong.
        UsageError: unknown backend.
    """
    announce_first_start()
    rig = load_rig(rig_path(args.rig))
    if args.backend and args.backend not in _BACKENDS:
        hint = nearest(args.backend, _BACKENDS)
        raise UsageError(f'There is no backend "{args.backend}".{hint} Backends: {", ".join(_BACKENDS)}.')
    engine = msgspec.structs.replace(rig.engine, **_given(args, ("model", "tier", "runtime", "threads", "on_overload")))
    audio = _given(args, ("backend", "input", "output"))
    if getattr(args, "connect", False):
        audio["connect"] = True
    return msgspec.structs.replace(
        rig,
        engine=with_choice(engine, live=live),
        audio=msgspec.structs.replace(rig.audio, **audio),
    )


def with_choice(engine: EngineTable, *, live: bool = True) -> EngineTable:
    """Fill in what `rtsep doctor` chose where rig and options say nothing; says so if it chose for another machine."""
    from rtsep.evaluation import choice

    return choice.fill_in(engine, choice.recall(lambda text: print(text, file=sys.stderr, flush=True)), live=live)


def writable_rig(name: str) -> Path | None:
    """The rig's file if it is the user's own, where learned bindings may be written; None for one that ships."""
    path = rig_path(name)
    return None if path.is_relative_to(paths.configs()) else path


def _given(args: argparse.Namespace, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: getattr(args, name) for name in names if getattr(args, name, None)}
