"""How long a start takes, measured from outside: each figure comes from a fresh process, counted from before it was created.

`python -m rtsep.evaluation.startup MODEL TIER` is that process. It starts as `rtsep run --backend null` does and prints the
moments at which dry sound passed and stems were heard, on the monotonic clock, which all processes of a machine share.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time

import msgspec

from rtsep.errors import RtsepError

_LIMIT_S = 120.0
_POLL_S = 0.002


class StartUp(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds from typing a command to its effect."""

    help_s: float
    dry_s: float
    stems_s: float


def measure(model: str, tier: str) -> StartUp:
    """Start afresh and take the times.

    Raises:
        RtsepError: the model does not start.
    """
    began = time.monotonic()
    subprocess.run([sys.executable, "-m", "rtsep.cli", "--help"], stdout=subprocess.DEVNULL, check=True)
    help_s = time.monotonic() - began
    began = time.monotonic()
    command = [sys.executable, "-m", "rtsep.evaluation.startup", model, tier]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_LIMIT_S)
    if done.returncode != 0:
        raise RtsepError(f"{model} {tier} did not start: {(done.stderr.strip().splitlines() or ['no reason given'])[-1]}")
    moments = json.loads(done.stdout)
    return StartUp(help_s=help_s, dry_s=moments["dry"] - began, stems_s=moments["stems"] - began)


def _start(model: str, tier: str) -> dict[str, float]:
    """Start an engine in this process and note when what was heard."""
    from rtsep.engine.session import Engine
    from rtsep.io.null import NullBackend
    from rtsep.realtime import layout as at

    backend = NullBackend()
    engine = Engine(backend.open(), model=model, tier=tier)
    header = engine.segment.header
    backend.start(engine)
    engine.start()
    moments: dict[str, float] = {}
    try:
        until = time.monotonic() + _LIMIT_S
        while time.monotonic() < until and "stems" not in moments:
            time.sleep(_POLL_S)
            if "dry" not in moments and header[at.CYCLES]:
                moments["dry"] = time.monotonic()
            if header[at.READY] and header[at.SEPARATED] and header[at.HOPS]:
                moments["stems"] = time.monotonic()
            if engine.supervisor.state.value == "failed":
                raise RtsepError(engine.supervisor.reason)
    finally:
        backend.stop()
        engine.stop()
    return moments


if __name__ == "__main__":
    print(json.dumps(_start(*sys.argv[1:3])))
