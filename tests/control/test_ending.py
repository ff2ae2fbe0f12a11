"""A performance ends when it is told to, and in a fade, not in a step, however long the device's blocks are."""

from __future__ import annotations

import contextlib
import signal
from pathlib import Path

import numpy as np
import pytest

from rtsep.config import EngineTable, Rig
from rtsep.control.stage import ended_by_signals, perform
from rtsep.engine.session import Engine
from rtsep.io.null import NullBackend
from rtsep.realtime import layout as at

RATE = 44_100
ENDINGS = (signal.SIGINT, signal.SIGTERM)
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


@pytest.mark.parametrize("how", ENDINGS)
def test_an_ending_is_known_also_where_its_exception_was_swallowed(how: signal.Signals) -> None:
    """As in a finaliser or a callback, where Python prints an exception and goes on."""
    with ended_by_signals() as ended:
        assert not ended()
        with contextlib.suppress(KeyboardInterrupt):
            signal.raise_signal(how)
        assert ended()


@pytest.mark.parametrize("how", ENDINGS)
def test_an_ending_interrupts_what_waits_and_leaves_the_handlers_as_they_were(how: signal.Signals) -> None:
    before = [signal.getsignal(number) for number in ENDINGS]
    with pytest.raises(KeyboardInterrupt), ended_by_signals():
        signal.raise_signal(how)
    assert [signal.getsignal(number) for number in ENDINGS] == before


def test_a_ctrl_c_that_is_ignored_stays_ignored() -> None:
    """As under nohup."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with ended_by_signals() as ended:
            signal.raise_signal(signal.SIGINT)
            assert not ended()
    finally:
        signal.signal(signal.SIGINT, before)
