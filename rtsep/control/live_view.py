"""What a player sees in the terminal: stems with faders and meters, loudness, load, late hops; plain lines without a terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from rtsep.control.meters import NAMES, Levels, Meters
from rtsep.control.params import ParamStore
from rtsep.engine.session import Engine
from rtsep.realtime import layout as at
from rtsep.stems import STEMS
from rtsep.units import format_db, gain_to_db

REFRESH_HZ = 10
_METER_FLOOR_DB = -48.0
_METER_CELLS = 24
_PLAIN_EVERY_S = 5.0
_NOTHING_LUFS = -100.0


def meter_bar(peak_db: float, rms_db: float = -np.inf) -> Text:
    """Levels as a bar from -48 dB to 0 dB, full up to the RMS and light up to the peak; red from -1 dB, yellow from -9 dB."""
    peak, rms = (round(_METER_CELLS * min(1.0, max(0.0, 1.0 - db / _METER_FLOOR_DB))) for db in (peak_db, rms_db))
    style = "red" if peak_db > -1.0 else "yellow" if peak_db > -9.0 else "green"
    rms = min(rms, peak)
    bar = Text("█" * rms, style=style) + Text("▒" * (peak - rms), style=style)
    return bar + Text("·" * (_METER_CELLS - peak), style="dim")


class LiveView:
    """Shows a running engine until a condition ends it. Control thread only."""

    def __init__(self, engine: Engine, params: ParamStore, *, where: str, console: Console | None = None) -> None:
        """Begin to measure.

        Args:
            engine: the engine.
            params: its parameters.
            where: what it plays on, for the title.
            console: where to draw; standard error without one.
        """
        self._engine, self._params, self._where = engine, params, where
        self.console = console or Console(stderr=True)
        self._events: list[str] = []
        self._peaks = engine.segment.take_meters()
        self._meters = Meters(engine.segment, pairs=1)

    @property
    def title(self) -> str:
        """Model, tier, and what it plays on, as they are now."""
        return f"{self._engine.spec.name} {self._engine.spec.tier}, {self._where}"

    def tell(self, text: str) -> None:
        """Add a line to what is shown. Any thread."""
        if self.console.is_terminal:
            self._events = [*self._events[-2:], text]
        else:
            print(text, file=sys.stderr, flush=True)

    def show_while(self, running: Callable[[], bool]) -> None:
        """Refresh the view until `running` says no."""
        if not self.console.is_terminal:
            self._print_lines(running)
            return
        with Live(self.render(), console=self.console, refresh_per_second=REFRESH_HZ, transient=True) as live:
            while running():
                time.sleep(1.0 / REFRESH_HZ)
                live.update(self.render())

    def _print_lines(self, running: Callable[[], bool]) -> None:
        due = time.monotonic() + _PLAIN_EVERY_S
        while running():
            time.sleep(0.05)
            self._take_meters()
            if time.monotonic() >= due:
                due += _PLAIN_EVERY_S
                print(self.status_line(), file=sys.stderr, flush=True)

    def status_line(self) -> str:
        """State, load and losses in one line."""
        now = self._engine.status()
        clock = f"{int(now.seconds) // 60}:{int(now.seconds) % 60:02d}"
        return (
            f"{clock}  {now.state}  latency {1000.0 * self._engine.latency.frames / self._engine.stream.rate:.0f} ms  "
            f"load {now.load:.0%} (hop p99 {now.hop_p99_ms:.1f} of {now.hop_ms:.1f} ms)  "
            f"late hops {now.late_hops}  dry {now.dry_seconds:.1f} s  xruns {now.xruns}  midi {now.midi_events}"
        )

    def _take_meters(self) -> NDArray[np.float32]:
        peaks = self._engine.segment.take_meters()
        self._peaks = np.maximum(self._peaks, peaks)
        return peaks

    def peaks_db(self) -> dict[str, float]:
        """Highest peak so far of the mix and of each stem that the model makes."""
        rows = {"mix": 0} | {stem: at.CHANNELS * (1 + STEMS.index(stem)) for stem in STEMS if stem in self._engine.spec.stems}
        return {name: gain_to_db(float(max(self._peaks[row : row + at.CHANNELS]))) for name, row in rows.items()}

    def render(self) -> Group:
        """Draw what has happened since it was drawn last."""
        peaks, levels = self._take_meters(), self._meters.read()
        table = Table(title=self.title, title_justify="left", box=None, pad_edge=False)
        for heading in ("", "fader", "", "peak", "RMS", "", ""):
            table.add_column(heading, justify="right" if heading in ("fader", "peak", "RMS") else "left")
        for name in (*(stem for stem in STEMS if stem in self._engine.spec.stems), "mix"):
            self._add_row(table, name, peaks, levels)
        events = [Text(event, style="yellow") for event in self._events]
        return Group(table, Text(_loudness_line(levels)), Text(self.status_line()), *events, Text("Ctrl-C ends.", style="dim"))

    def _add_row(self, table: Table, name: str, peaks: NDArray[np.float32], levels: Levels) -> None:
        row = at.CHANNELS * NAMES.index(name)
        part = slice(row, row + at.CHANNELS)
        peak_db, rms_db = gain_to_db(float(peaks[part].max())), gain_to_db(float(levels.rms[part].max()))
        knob = "master" if name == "mix" else f"stem.{name}"
        on = {what: name != "mix" and self._params.get(f"{knob}.{what}") > 0 for what in ("mute", "solo")}
        switches = ("M" if on["mute"] else " ") + ("S" if on["solo"] else " ")
        clip = Text("CLIP", style="bold red") if levels.clipped >> row & 0b11 else Text("    ")
        fader = format_db(self._params.get(f"{knob}.gain_db"))
        table.add_row(name, fader, switches, format_db(peak_db), format_db(rms_db), meter_bar(peak_db, rms_db), clip)


def _loudness_line(levels: Levels) -> str:
    _, now, whole = levels.loudness[0]
    loud = [f"{lufs:.1f}" if lufs > _NOTHING_LUFS else "-inf" for lufs in (now, whole)]
    reduced = format_db(gain_to_db(levels.limiter)) if levels.limiter < 1.0 else "off duty"
    return f"loudness {loud[0]} LUFS, integrated {loud[1]}  limiter {reduced}"
