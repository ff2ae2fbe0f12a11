"""A performance ends in a fade, not in a step, however long the device's blocks are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rtsep.config import EngineTable, Rig
from rtsep.control.stage import perform
from rtsep.engine.session import Engine
from rtsep.io.null import NullBackend
from rtsep.realtime import layout as at

RATE = 44_100
LEVEL = 0.5


class HeardToTheEnd(NullBackend):
    """Plays a constant, of which every change of gain is seen, and keeps the left channel of the last moments."""

    def __init__(self, block: int) -> None:
        super().__init__(RATE, block, loop=np.full((2, block), LEVEL, np.float32))
        self.end = np.zeros(0, np.float32)

    def start(self, engine: Engine) -> None:
        self._engine = engine
        super().start(engine)

    def stop(self) -> None:
        super().stop()
        out = int(self._engine.segment.header[at.OUT_POS])
        self.end = self._engine.segment.played[0, (out + np.arange(-at.PLAYED, 0)) % at.PLAYED].copy()


@pytest.mark.parametrize("block", [64, 1024, 4096])
def test_the_music_ends_at_zero_and_without_a_step(block: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RTSEP_HOME", str(tmp_path))
    backend = HeardToTheEnd(block)
    perform(Rig(engine=EngineTable(model="passthrough")), backend, seconds=0.5, say=lambda _line: None)
    assert backend.end.max() == pytest.approx(LEVEL, rel=1e-5)
    assert backend.end[-1] == 0.0
    assert np.abs(np.diff(backend.end[np.argmax(backend.end) :])).max() <= 1.001 * LEVEL / (RATE * at.RAMP_MS // 1000)
