"""Move the faders of a running engine, recall its snapshots, ask how it is.

rtsep ctl                              every parameter and where it stands
rtsep ctl set stem.vocals.gain_db -6   move one, off is silence; several pairs may follow each other
rtsep ctl get stem.vocals.gain_db      where one stands
rtsep ctl status                       state, load, late hops
rtsep ctl solo drums                   solo one stem and no other
rtsep ctl snapshot store verse         keep where everything stands; also: recall, delete, list, export, import
rtsep ctl snapshot recall verse --over 4
rtsep ctl model                        models and tiers there are, and the present one
rtsep ctl model cascade 70ms           go on with another while audio goes on; without a tier, its default; a tier alone is one
                                       of the same model
rtsep ctl record on                    record mix, stems and input; off ends it
rtsep ctl clear                        let go of the clip latch
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

from rtsep.errors import RtsepError, UsageError, nearest
from rtsep.units import SILENCE_DB

_WORDS = ("list", "get", "set", "status", "solo", "snapshot", "model", "record", "clear")
_LOADING_S = 120.0
_SNAPSHOT_WORDS = ("store", "recall", "delete", "list", "export", "import")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `rtsep ctl`."""
    parser.add_argument("words", nargs="*", metavar="WORD", help="what to do, see above")
    parser.add_argument("--over", type=float, default=0.0, metavar="SECONDS", help="snapshot recall: move there in this time")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Ask the running engine and print the answer."""
    from rtsep.control.client import ControlClient

    word, *rest = args.words or ["list"]
    if word not in _WORDS:
        raise UsageError(f'rtsep ctl does not know "{word}".{nearest(word, _WORDS)} It knows: {", ".join(_WORDS)}.')
    with ControlClient() as engine:
        data = _ask(engine, word, rest, args.over)
    _print(data, as_json=args.json)
    return 0


def _ask(engine: Any, word: str, rest: list[str], over_s: float) -> Any:
    from rtsep.control import commands as ask

    if word == "list":
        return engine.ask(ask.Get())
    if word == "get":
        return engine.ask(ask.Get(_one(rest, "rtsep ctl get NAME")))
    if word == "set":
        if not rest or len(rest) % 2:
            raise UsageError("Give names and values in pairs: rtsep ctl set stem.vocals.gain_db -6")
        for name, value in zip(rest[::2], rest[1::2], strict=True):
            engine.ask(ask.Set(name, _number(value, silences=name.endswith("_db"))))
        return None
    if word == "status":
        return engine.ask(ask.Status())
    if word == "solo":
        return engine.ask(ask.SoloOnly(_one(rest, "rtsep ctl solo STEM")))
    if word == "record":
        wanted = _one(rest, "rtsep ctl record on")
        if wanted not in ("on", "off"):
            raise UsageError(f'rtsep ctl record takes on or off, not "{wanted}".')
        return engine.ask(ask.Record(wanted == "on"))
    if word == "model":
        return _model(engine, rest)
    return engine.ask(ask.ClearClips()) if word == "clear" else _snapshot(engine, rest, over_s)


def _model(engine: Any, rest: list[str]) -> str:
    """List what there is, or change over and wait for what becomes of it."""
    from rtsep.control import commands as ask

    choices = {model["name"]: model for model in engine.ask(ask.ModelList())}
    present, _ = engine.ask(ask.Status())["model"].split()
    if not rest:
        return "\n".join(_model_lines(list(choices.values()), engine.ask(ask.Status())["model"]))
    if len(rest) > 2:
        raise UsageError("Type: rtsep ctl model NAME TIER")
    if len(rest) == 1 and rest[0] in [tier["name"] for tier in choices[present]["tiers"]]:
        rest = ["", *rest]
    wanted = engine.ask(ask.ModelChange(*rest))
    print(f"{wanted} is loading; dry is heard until it has.", file=sys.stderr)
    until = time.monotonic() + _LOADING_S
    while (now := engine.ask(ask.Status()))["loading"]:
        if time.monotonic() > until:
            raise RtsepError(f"{wanted} has not loaded within {_LOADING_S:g} s. See how it goes: rtsep ctl status")
        time.sleep(0.1)
    if now["model_error"]:
        raise RtsepError(now["model_error"])
    return f"{now['model']}, latency {now['latency_ms']:.1f} ms"


def _model_lines(choices: list[dict[str, Any]], present: str) -> list[str]:
    lines = []
    for model in choices:
        lines.append(f"{model['name']}: {model['missing'] or model['summary']}")
        for tier in model["tiers"]:
            mark = "*" if f"{model['name']} {tier['name']}" == present else " "
            lines.append(f" {mark} {tier['name']:<8} {tier['latency_ms']:7.1f} ms  {tier['summary']}")
    return lines


def _snapshot(engine: Any, rest: list[str], over_s: float) -> Any:
    from rtsep.control import commands as ask

    word, *names = rest or ["list"]
    if word not in _SNAPSHOT_WORDS:
        hint = nearest(word, _SNAPSHOT_WORDS)
        raise UsageError(f'rtsep ctl snapshot does not know "{word}".{hint} It knows: {", ".join(_SNAPSHOT_WORDS)}.')
    if word == "list":
        return engine.ask(ask.SnapshotList())
    if word == "export":
        return engine.ask(ask.SnapshotExport())
    name = _one(names, f"rtsep ctl snapshot {word} {'FILE' if word == 'import' else 'NAME'}")
    if word == "store":
        return engine.ask(ask.SnapshotStore(name))
    if word == "recall":
        return engine.ask(ask.SnapshotRecall(name, over_s))
    if word == "delete":
        return engine.ask(ask.SnapshotDelete(name))
    try:
        text = sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{name} cannot be read: {error}.") from error
    return engine.ask(ask.SnapshotImport(text))


def _one(words: list[str], usage: str) -> str:
    if len(words) != 1:
        raise UsageError(f"Type: {usage}")
    return words[0]


def _number(text: str, *, silences: bool) -> float:
    named = {"off": SILENCE_DB} if silences else {"on": 1.0, "off": 0.0}
    try:
        return named[text] if text in named else float(text)
    except ValueError as error:
        hint = "off is silence" if silences else "use on or off for switches"
        raise UsageError(f'"{text}" is not a number; {hint}.') from error


def _print(data: Any, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(data))
    elif isinstance(data, dict):
        from rtsep.control.params import PARAMS

        width = max(map(len, data), default=0)
        for name, value in data.items():
            plain = f"{value:.6g}" if isinstance(value, float) else value  # knobs of effects are known to their engine only
            print(f"{name:<{width}} {PARAMS[name].text(value) if name in PARAMS else plain}")
    elif isinstance(data, list):
        print("\n".join(map(str, data)))
    elif data is not None:
        print(f"{data:.6g}" if isinstance(data, float) else data)
