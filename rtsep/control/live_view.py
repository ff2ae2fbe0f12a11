"""What a player sees in the terminal: stems with faders and meters, load, late hops; plain lines without a terminal."""

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

from rtsep.control.params import ParamStore
from rtsep.engine.session import Engine
from rtsep.realtime import layout as at
from rtsep.stems import STEMS
from rtsep.units import format_db, gain_to_db

REFRESH_HZ = 10
_METER_FLOOR_DB = -48.0
_METER_CELLS = 24
_PLAIN_EVERY_S = 5.0


def meter_bar(peak_db: float) -> Text:
    """A peak as a bar from -48 dB to 0 dB; red from -1 dB, yellow from -9 dB."""
    filled = round(_METER_CELLS * min(1.0, max(0.0, 1.0 - peak_db / _METER_FLOOR_DB)))
    style = "red" if peak_db > -1.0 else "yellow" if peak_db > -9.0 else "green"
    return Text("█" * filled, style=style) + Text("·" * (_METER_CELLS - filled), style="dim")


class LiveView:
    """Shows a running engine until a condition ends it. Control thread only."""

    def __init__(self, engine: Engine, params: ParamStore, *, title: str, console: Console | None = None) -> None:
        self._engine, self._params, self._title = engine, params, title
        self.console = console or Console(stderr=True)
        self._events: list[str] = []
        self._peaks = engine.segment.take_meters()

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
        with Live(self._render(), console=self.console, refresh_per_second=REFRESH_HZ, transient=True) as live:
            while running():
                time.sleep(1.0 / REFRESH_HZ)
                live.update(self._render())

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
            f"{clock}  {now.state}  load {now.load:.0%} (hop p99 {now.hop_p99_ms:.1f} of {now.hop_ms:.1f} ms)  "
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

    def _render(self) -> Group:
        peaks = self._take_meters()
        table = Table(title=self._title, title_justify="left", box=None, pad_edge=False)
        for heading in ("", "fader", "", "peak", ""):
            table.add_column(heading, justify="right" if heading in ("fader", "peak") else "left")
        made = [stem for stem in STEMS if stem in self._engine.spec.stems]
        for stem in made:
            row = at.CHANNELS * (1 + STEMS.index(stem))
            on = {what: self._params.get(f"stem.{stem}.{what}") > 0 for what in ("mute", "solo")}
            switches = ("M" if on["mute"] else " ") + ("S" if on["solo"] else " ")
            self._add_row(table, stem, self._params.get(f"stem.{stem}.gain_db"), switches, float(max(peaks[row : row + 2])))
        self._add_row(table, "mix", self._params.get("master.gain_db"), "", float(max(peaks[:2])))
        events = [Text(event, style="yellow") for event in self._events]
        return Group(table, Text(self.status_line()), *events, Text("Ctrl-C ends.", style="dim"))

    @staticmethod
    def _add_row(table: Table, name: str, gain_db: float, switches: str, peak: float) -> None:
        peak_db = gain_to_db(peak)
        table.add_row(name, format_db(gain_db), switches, format_db(peak_db), meter_bar(peak_db))
