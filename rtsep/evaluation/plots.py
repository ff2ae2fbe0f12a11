"""Pictures of a separation (spectrograms of mix, masks and stems) and of scores (SDR per song).

They need matplotlib (extra `eval`).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtsep.dsp.stft import spectra
from rtsep.dsp.windows import hann_pair
from rtsep.errors import UsageError
from rtsep.evaluation.scores import Score, Separation
from rtsep.models.separator import Audio

WINDOW, HOP = 4096, 1024
SHOWN_SECONDS = 12.0
TOP_HZ = 12000.0
RANGE_DB = 70.0


def draw_separation(separation: Separation, path: Path) -> None:
    """Draw one song: mix, then estimate, truth and mask of each stem, over its first seconds."""
    song = separation.song
    frames = min(song.mix.shape[1], int(SHOWN_SECONDS * song.rate))
    figure = _figure(15, 2.4 * (1 + len(separation.truth)))
    rows = figure.subplots(1 + len(separation.truth), 3, sharex=True, sharey=True, squeeze=False)
    mix = magnitudes(song.mix[:, :frames])
    peak_db = 20.0 * np.log10(float(mix.max()) + 1e-9)
    bins = int(TOP_HZ / song.rate * WINDOW)
    extent = (0.0, frames / song.rate, 0.0, TOP_HZ / 1000.0)

    def show(axes: Any, title: str, values: NDArray[np.float32], low: float, high: float) -> None:
        axes.imshow(values[:, :bins].T, origin="lower", aspect="auto", extent=extent, vmin=low, vmax=high, cmap="magma")
        axes.set_title(title, fontsize=9)

    show(rows[0, 0], f"mix: {song.name}", _db(mix), peak_db - RANGE_DB, peak_db)
    rows[0, 1].set_axis_off()
    rows[0, 2].set_axis_off()
    for axes, stem in zip(rows[1:], separation.truth, strict=True):
        estimate, truth = (magnitudes(each[stem][:, :frames]) for each in (separation.estimates, separation.truth))
        show(axes[0], f"{stem}, {separation.method}", _db(estimate), peak_db - RANGE_DB, peak_db)
        show(axes[1], f"{stem}, true", _db(truth), peak_db - RANGE_DB, peak_db)
        show(axes[2], f"{stem}, share of the mix", estimate / (mix + 1e-6), 0.0, 1.0)
        axes[0].set_ylabel("kHz")
    for axes in rows[-1]:
        axes.set_xlabel("s")
    figure.savefig(path, dpi=90)


def draw_scores(scores: Sequence[Score], path: Path) -> None:
    """Draw utterance SDR per song: one panel per stem, one line per method."""
    songs = list(dict.fromkeys(row.song for row in scores))
    stems = list(dict.fromkeys(row.stem for row in scores))
    figure = _figure(max(8.0, 0.6 * len(songs) + 4.0), 2.4 * len(stems))
    panels = figure.subplots(len(stems), 1, sharex=True, squeeze=False)[:, 0]
    for axes, stem in zip(panels, stems, strict=True):
        of_stem = [row for row in scores if row.stem == stem]
        for method in dict.fromkeys(row.method for row in of_stem):
            values = {row.song: row.utterance_sdr_db for row in of_stem if row.method == method}
            axes.plot(range(len(songs)), [values.get(song, np.nan) for song in songs], marker="o", label=method)
        axes.set_ylabel(f"{stem}, dB")
        axes.grid(alpha=0.3)
    panels[0].legend(fontsize=8)
    panels[-1].set_xticks(range(len(songs)), songs, rotation=45, ha="right", fontsize=8)
    figure.savefig(path, dpi=90)


def magnitudes(wave: Audio) -> NDArray[np.float32]:
    """Mean magnitude over channels of `[2, n]`: `[transforms, bins]`."""
    padded = np.pad(wave, ((0, 0), (WINDOW // 2, WINDOW)))
    found: NDArray[np.float32] = np.abs(spectra(padded, hann_pair(WINDOW, HOP).analysis, HOP)).mean(0)
    return found


def _db(values: NDArray[np.float32]) -> NDArray[np.float32]:
    level: NDArray[np.float32] = 20.0 * np.log10(values + 1e-9)
    return level


def _figure(width: float, height: float) -> Any:
    """A figure that needs no display."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise UsageError("Plots need matplotlib. Install it with: pip install 'rtsep[eval]'.") from error
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure
