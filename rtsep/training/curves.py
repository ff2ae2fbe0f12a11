"""Loss and validation SDR of a run, drawn from its CSV logs."""

from __future__ import annotations

import csv
from pathlib import Path

from rtsep.stems import STEMS


def draw_curves(folder: Path) -> None:
    """Write `curves.png` into a run directory; without matplotlib (extra `train`) or rows there is no picture."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        return
    steps, scores = _rows(folder / "steps.csv"), _rows(folder / "validation.csv")
    figure = Figure(figsize=(10, 4), layout="constrained")
    FigureCanvasAgg(figure)
    loss_axes, sdr_axes = figure.subplots(1, 2)
    for name in ("loss", "sdr", "waveform"):
        points = [(float(row["step"]), float(row[name])) for row in steps if row.get(name)]
        if points:
            loss_axes.plot(*zip(*points, strict=True), label=name, linewidth=0.8)
    for stem in (*STEMS, "mean"):
        points = [(float(row["step"]), float(row[stem])) for row in scores if row["song"] == "mean" and row[stem]]
        if points:
            sdr_axes.plot(*zip(*points, strict=True), label=stem, marker=".")
    loss_axes.set(xlabel="updates", ylabel="loss (1 = 10 dB)")
    sdr_axes.set(xlabel="updates", ylabel="validation utterance SDR, dB")
    for axes in (loss_axes, sdr_axes):
        axes.grid(alpha=0.3)
        if axes.get_legend_handles_labels()[0]:
            axes.legend()
    figure.savefig(folder / "curves.png", dpi=110)


def _rows(path: Path) -> list[dict[str, str]]:
    if not path.exists():
        return []
    with path.open(newline="") as lines:
        return list(csv.DictReader(lines))
