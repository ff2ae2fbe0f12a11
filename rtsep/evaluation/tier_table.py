"""The table of tiers in the README: latency, quality and load of each, measured here and now.

The song is the 6 s excerpt that PyPI's `stempeg` carries for its tests, with its true stems; their sum is the mix,
because the file's own mix was mastered. Every tier starts cold, as it does live. The load is computing time on one
thread per second of music, so a busy machine adds little to it.

    tools/tier_table            print the table
    tools/tier_table --write    and put it into the README
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np

from rtsep.engine.pipeline import separate_array
from rtsep.errors import RtsepError, UsageError
from rtsep.evaluation.machine import this_machine
from rtsep.evaluation.sdr import utterance_sdr
from rtsep.models import registry
from rtsep.models.separator import Audio
from rtsep.units import frames_to_ms

BEGIN, END = "<!-- tier table: begin -->", "<!-- tier table: end -->"
NOT_A_MODEL = "passthrough"
"""Its stems are shares of the mix; a score would say nothing."""


class Row(msgspec.Struct, frozen=True):
    """One tier: algorithmic latency (None for whole files), vocal SDR in dB, computing time per time of music."""

    model: str
    tier: str
    latency_ms: float | None
    vocals_sdr_db: float
    real_time_factor: float


def excerpt() -> tuple[Audio, Audio, int]:
    """Return mix and vocals of the excerpt, `[2, frames]` float32, and its rate.

    Raises:
        UsageError: stempeg is not installed.
    """
    try:
        import stempeg
    except ImportError:
        raise UsageError("The excerpt is part of stempeg. Install it with: pip install 'rtsep[eval]'") from None
    (path,) = (Path(stempeg.__file__).parent / "data").glob("*.stem.mp4")
    stems, rate = stempeg.read_stems(str(path))  # mastered mix, drums, bass, other, vocals
    tracks = np.asarray(stems, np.float32).swapaxes(1, 2)
    return tracks[1:].sum(axis=0), tracks[4], int(rate)


def measure(model: str, tier: str, mix: Audio, vocals: Audio, rate: int) -> Row:
    """Separate the excerpt with one tier and score it."""
    separator = registry.load(model, tier, rate=rate)
    started = time.process_time()
    stems = separate_array(mix, separator)
    seconds = time.process_time() - started
    spec = separator.spec
    live = not registry.find(model, tier)[1].whole_file
    return Row(
        model=model,
        tier=tier,
        latency_ms=frames_to_ms(spec.algorithmic_latency, spec.rate) if live else None,
        vocals_sdr_db=utterance_sdr(vocals, stems[spec.stems.index("vocals")]),
        real_time_factor=seconds * rate / mix.shape[1],
    )


def markdown(rows: Sequence[Row], mix_sdr_db: float) -> str:
    """Return the table, with what it was measured on below it."""
    lines = [
        "| model | tier | algorithmic latency | vocals, utterance SDR | load of one core |",
        "|---|---|---|---|---|",
    ]
    for row in rows:
        latency = "whole file" if row.latency_ms is None else f"{row.latency_ms:.1f} ms"
        lines.append(f"| `{row.model}` | `{row.tier}` | {latency} | {row.vocals_sdr_db:.1f} dB | {row.real_time_factor:.0%} |")
    lines += [
        "",
        f"Measured by `tools/tier_table` on the 6 s excerpt in PyPI's `stempeg`, from a cold start (the mix itself as "
        f"estimate: {mix_sdr_db:.1f} dB); {this_machine()}.",
    ]
    return "\n".join(lines)


def insert(page: str, table: str) -> str:
    """Return a page with the table between its markers.

    Raises:
        UsageError: the page has no such markers.
    """
    head, begin, rest = page.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise UsageError(f"The page has no place for the table: it needs the lines {BEGIN} and {END}.")
    return f"{head}{BEGIN}\n{table}\n{END}{tail}"


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print, and write if asked to."""
    parser = argparse.ArgumentParser(prog="tools/tier_table", description="Measure the README's table of tiers.")
    parser.add_argument(
        "--write",
        type=Path,
        nargs="?",
        const=Path("README.md"),
        metavar="PAGE",
        help="put the table between the markers of this page (README.md)",
    )
    args = parser.parse_args(argv)
    try:
        mix, vocals, rate = excerpt()
        rows = [
            measure(card.name, tier.name, mix, vocals, rate)
            for card in registry.catalogue()
            if card.name != NOT_A_MODEL
            for tier in card.tiers
        ]
        table = markdown(rows, utterance_sdr(vocals, mix))
        if args.write:
            args.write.write_text(insert(args.write.read_text(), table))
    except RtsepError as error:
        print(f"tier_table: {error}", file=sys.stderr)
        return error.exit_code
    print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
