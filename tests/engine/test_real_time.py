"""How the model's process is set up while it computes: seen from inside one of its steps."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rtsep.engine.session import Engine
from rtsep.io.null import NullBackend

GRANTED = "from rtsep.engine import real_time as r; print(int(r.lock_memory()), int(r.raise_priority()))"


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_the_model_computes_without_denormals_and_collections_locked_and_with_priority_where_granted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RTSEP_SEEN", str(tmp_path / "seen"))
    here = subprocess.run([sys.executable, "-c", GRANTED], capture_output=True, text=True, check=True)
    may_lock, may_hurry = map(int, here.stdout.split())
    backend = NullBackend()
    engine = Engine(
        backend.open(), model="passthrough", worker=(sys.executable, str(Path(__file__).with_name("observed_worker.py")))
    )
    backend.start(engine)
    engine.start()
    try:
        until = time.monotonic() + 60.0
        while not (tmp_path / "seen").exists():
            assert time.monotonic() < until
            time.sleep(0.02)
    finally:
        backend.stop()
        engine.stop()
    seen = json.loads((tmp_path / "seen").read_text())
    assert seen["denormals"] == 0
    assert seen["objects_out_of_the_collectors_sight"] > 10_000
    assert bool(seen["locked_kb"]) == bool(may_lock)
    assert (seen["policy"] == os.SCHED_FIFO) == bool(may_hurry)
