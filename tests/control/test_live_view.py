"""What the terminal shows: levels, loudness, clipping and the limiter, in colour or in plain lines."""

from __future__ import annotations

import io

import numpy as np
import pytest
from rich.console import Console

from rtsep.control.live_view import LiveView
from rtsep.control.params import ParamStore
from rtsep.engine.session import Engine
from rtsep.io.null import NullBackend
from rtsep.realtime import layout as at
from rtsep.realtime.block import process


def played(engine: Engine, sound: np.ndarray) -> None:
    """Let the compiled code play `[2, frames]` dry."""
    for start in range(0, sound.shape[1] - 255, 256):
        outs = np.empty((at.OUTPUTS, 256), np.float32)
        process(engine.context.words, np.ascontiguousarray(sound[:, start : start + 256]), outs, 256)


def test_stems_mix_loudness_limiter_and_clips_are_in_the_view() -> None:
    engine = Engine(NullBackend(48_000, 256).open(), model="passthrough")
    params = ParamStore(engine.segment.params)
    screen = io.StringIO()
    view = LiveView(engine, params, where="test, 48000 Hz", console=Console(file=screen, force_terminal=True, width=120))
    tone = np.sin(2 * np.pi * 1000 * np.arange(4 * 48_000) / 48_000).astype(np.float32)
    params.set("stem.drums.mute", 1)
    params.set("stem.vocals.gain_db", -6.0)
    params.set("stem.bass.gain_db", 12.0)
    params.set("master.limiter", 1)
    for start in range(0, len(tone), 4800):
        played(engine, np.stack([tone[start : start + 4800]] * 2))
        shown = view.render()
    view.console.print(shown)
    text = screen.getvalue()
    for word in (
        "passthrough 12ms, test",
        "vocals",
        "-6.0 dB",
        "drums",
        " M ",
        "RMS",
        "loudness",
        "integrated",
        "limiter -",
        "midi 0",
    ):
        assert word in text
    assert "off duty" not in text
    params.set("master.limiter", 0)
    engine.segment.header[at.CLIPPED] = 0b11 << 6
    view.console.print(view.render())
    assert "CLIP" in screen.getvalue()
    engine.stop()


def test_without_a_terminal_there_are_plain_lines(capsys: pytest.CaptureFixture[str]) -> None:
    engine = Engine(NullBackend(48_000, 256).open(), model="passthrough")
    view = LiveView(engine, ParamStore(engine.segment.params), where="nowhere", console=Console(file=io.StringIO()))
    looks = iter([True, True, False])
    view.tell("a sentence")
    view.show_while(lambda: next(looks))
    assert "a sentence" in capsys.readouterr().err
    assert "late hops 0" in view.status_line()
    assert "\x1b" not in view.status_line()
    engine.stop()
