"""Scores as a table to read, a CSV to work with, and JSON that says what was measured on what."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
from rich.table import Table

from rtsep.evaluation.scores import Score, summary
from rtsep.evaluation.songs import ACCOMPANIMENT
from rtsep.stems import STEMS

COLUMNS = (*STEMS, "mean", ACCOMPANIMENT)


class Report(msgspec.Struct, frozen=True):
    """An evaluation.

    Attributes:
        command: the words that repeat it.
        machine: what it ran on.
        songs: names.
        utterance_sdr_db: mean over songs, by method and stem.
        bsseval_sdr_db: median over songs of medians over seconds, by method and stem; empty if not asked for.
        scores: every figure.
    """

    command: str
    machine: str
    songs: list[str]
    utterance_sdr_db: dict[str, dict[str, float]]
    bsseval_sdr_db: dict[str, dict[str, float]]
    scores: list[Score]


def make_report(scores: Sequence[Score], command: str, machine: str) -> Report:
    """Summarise scores."""
    return Report(
        command,
        machine,
        list(dict.fromkeys(row.song for row in scores)),
        summary(scores, lambda row: row.utterance_sdr_db, lambda values: float(np.mean(values))),
        summary(scores, lambda row: row.bsseval_sdr_db, lambda values: float(np.median(values))),
        list(scores),
    )


def tables(report: Report) -> list[Table]:
    """Tables for the terminal."""
    made = [_table(f"Utterance SDR, dB, mean of {len(report.songs)} songs", report.utterance_sdr_db)]
    if report.bsseval_sdr_db:
        made.append(_table("BSSEval v4 SDR, dB, median of songs of the median of seconds", report.bsseval_sdr_db))
    return made


def _table(title: str, rows: dict[str, dict[str, float]]) -> Table:
    columns = [name for name in COLUMNS if any(name in row for row in rows.values())]
    table = Table(title=title, title_justify="left")
    table.add_column("method", no_wrap=True)
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True)
    for method, row in rows.items():
        table.add_row(method, *(f"{row[name]:.2f}" if name in row else "" for name in columns))
    return table


def write_csv(scores: Sequence[Score], path: Path) -> None:
    """One line per song, method and stem."""
    with path.open("w", newline="") as lines:
        writer = csv.DictWriter(lines, Score.__struct_fields__)
        writer.writeheader()
        writer.writerows(msgspec.structs.asdict(row) for row in scores)


def write_json(report: Report, path: Path) -> None:
    """The whole report."""
    path.write_bytes(msgspec.json.format(msgspec.json.encode(report)) + b"\n")
