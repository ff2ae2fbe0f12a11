"""Hear what rtsep does: the packaged song goes through the default model.

With an audio device or a JACK server it is played, with faders on MIDI; without one it is rendered to files by the same engine.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from rtsep.commands.rig_options import add_rig_options, rig_from
from rtsep.config import Rig
from rtsep.engine.latency import LatencyBudget, live_budget
from rtsep.units import format_db

_BLOCK = 256
"""Frames per callback of the latency that is printed when the song was played, which itself delays nothing."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `rtsep demo`."""
    add_rig_options(parser, positional=False)
    parser.add_argument("-o", "--output", type=Path, metavar="DIR", help="render into this folder instead of playing")


def run(args: argparse.Namespace) -> int:
    """Play the excerpt, or render it; print latency, load and stem levels."""
    folder, args.output = args.output, None
    rig = rig_from(args)
    from rtsep.control.stage import backend_or_none
    from rtsep.io.demo_song import demo_song
    from rtsep.models import registry

    song = demo_song()
    print(f"{song.credit}\n", file=sys.stderr)
    backend = None if folder else backend_or_none(rig, listen=False)
    if backend is None:
        if not folder:
            print("No device to play on: the song is rendered to files instead.", file=sys.stderr)
        return _render(rig, folder or Path("rtsep-demo"))
    from rtsep.control.stage import perform
    from rtsep.io.writers import AudioWriter

    with tempfile.TemporaryDirectory() as temporary:
        file = Path(temporary) / "demo.wav"
        with AudioWriter(file, song.rate, song.mix.shape[0], "float32") as writer:
            writer.write(song.mix)
        done = perform(rig, backend, song=file, say=_say)
    now = done.status
    _say(f"Load {now.load:.0%} of one core, dry {now.dry_seconds:.1f} of {now.seconds:.1f} s, late hops {now.late_hops}.")
    _say_latency(live_budget(registry.describe(rig.engine.model or None, rig.engine.tier or None, rate=song.rate), _BLOCK))
    _say_levels("peak", done.peaks_db)
    return 0


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _say_latency(budget: LatencyBudget) -> None:
    _say("Latency when live:")
    for line in budget.lines():
        _say(f"  {line}")


def _say_levels(kind: str, levels_db: dict[str, float]) -> None:
    _say(f"Levels ({kind}):")
    for name, level in levels_db.items():
        _say(f"  {name:<8}{format_db(level):>10}")


def _render(rig: Rig, folder: Path) -> int:
    from rtsep.io.demo_song import demo_song
    from rtsep.io.rendering import render_to_files

    song = demo_song()
    _say("Loading the model (the first start converts its weights, which takes a while) …")
    made = render_to_files(song.mix, song.rate, folder, model=rig.engine.model or None, tier=rig.engine.tier or None)
    now = made.status
    _say_latency(made.latency)
    times = f"{now.hop_p50_ms:.1f} ms (p99 {now.hop_p99_ms:.1f} ms)"
    _say(f"A hop of {now.hop_ms:.1f} ms takes {times}: load {now.load:.0%} of a core.")
    _say_levels("RMS", made.levels_db)
    for path in made.files.values():
        print(path)
    return 0
