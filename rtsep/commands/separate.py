"""Separate songs into one file per stem, at the song's own rate and length.

  rtsep separate song.mp3
  rtsep separate album/ -o stems --format flac --stems vocals,other
  rtsep separate song.wav --two-stems vocals

The streaming engine does the work, so a file sounds as it does live; a tier such as `offline` sees the whole song instead.
Written paths go to stdout, progress to stderr. A broken song is reported and the others are still done (exit code 1).
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import json
import signal
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from rtsep.errors import AudioFileError, UsageError
from rtsep.io.files import SUFFIXES, open_audio
from rtsep.io.separation import Parts, Separated, one_file_per_stem, separate_song, stem_and_rest
from rtsep.io.stem_files import CLIP_MODES
from rtsep.io.stem_names import DEFAULT_PATTERN, PLACEHOLDERS, NamePattern, refuse_collisions
from rtsep.io.writers import FORMATS, sample_format
from rtsep.models import registry
from rtsep.models.separator import Separator, SeparatorSpec, WholeFileSeparator
from rtsep.units import gain_to_db


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("songs", nargs="+", type=Path, metavar="SONG", help="song files, or folders of them")
    parser.add_argument("-m", "--model", help="model (default: the first that `rtsep models` lists)")
    parser.add_argument("-t", "--tier", help="trade-off of the model (default: its tier for files)")
    parser.add_argument("--runtime", choices=registry.RUNTIMES, default="auto", help="what computes the model")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--stems", metavar="A,B", help="write only these stems")
    which.add_argument("--two-stems", metavar="STEM", help="write STEM and no_STEM, the sum of all others")
    parser.add_argument("-o", "--output", type=Path, default=Path("stems"), metavar="DIR", help="folder (default: stems)")
    parser.add_argument(
        "--filename",
        default=DEFAULT_PATTERN,
        metavar="PATTERN",
        help=f'names inside the folder (default: "{DEFAULT_PATTERN}"; also '
        f"{', '.join(f'{{{name}}}' for name in PLACEHOLDERS if f'{{{name}}}' not in DEFAULT_PATTERN)})",
    )
    parser.add_argument("--format", default="wav", metavar="TYPE", help=f"{', '.join(FORMATS)} (default: wav)")
    depth = parser.add_mutually_exclusive_group()
    for name in ("int16", "int24", "float32"):
        depth.add_argument(
            f"--{name}",
            dest="samples",
            action="store_const",
            const=name,
            help=f"{name} samples{' (default)' if name == 'int24' else ''}",
        )
    parser.add_argument(
        "--clip-mode",
        choices=CLIP_MODES,
        default="rescale",
        help="stems above full scale, unless float: turn all stems of the song down together, or cut the peaks",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace files that are there; otherwise they are kept")
    parser.add_argument("--json", action="store_true", help="print one JSON list of what was done instead of paths")


def run(args: argparse.Namespace) -> int:
    """Separate the songs."""
    card, tier = registry.find(args.model, args.tier, live=False)
    spec = registry.describe(card.name, tier.name)
    parts = _parts(args, spec)
    samples = sample_format(args.format, args.samples)
    pattern = NamePattern(args.filename, args.output)
    plan = {song: pattern.targets(song, parts, args.format, card.name, tier.name) for song in _songs(args.songs, args.output)}
    refuse_collisions(plan)

    console = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
    load = functools.cache(lambda rate: registry.load(card.name, tier.name, rate=rate, runtime=args.runtime))
    report: list[dict[str, Any]] = []
    for song, targets in plan.items():
        report.append({"song": str(song), "model": card.name, "tier": tier.name})
        missing = {part: path for part, path in targets.items() if args.overwrite or not path.exists()}
        if not missing:
            console.print(f"{song}: all stems are there already; --overwrite makes them anew")
            report[-1]["skipped"] = True
            continue
        try:
            with _termination_cleans_up():
                done = _separate(song, load, parts, missing, samples, args.clip_mode, console)
        except AudioFileError as error:
            console.print(f"rtsep: {error}")
            report[-1]["error"] = str(error)
            continue
        report[-1].update(_figures(done))
        _tell(console, song, done, samples, args.clip_mode)
        if not args.json:
            print(*done.files.values(), sep="\n", flush=True)
    if args.json:
        print(json.dumps(report, indent=2))
    return 1 if any("error" in entry for entry in report) else 0


def _separate(
    song: Path, load: Callable[[int], Separator | WholeFileSeparator], parts: Parts, targets: dict[str, Path],
    samples: str, clip: str, console: Console,
) -> Separated:  # fmt: skip
    """Separate one song under a progress bar that counts in seconds of music."""
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), _RealTime(), TimeRemainingColumn())
    with open_audio(song) as file:
        separator = load(file.rate)
        with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
            task = progress.add_task(song.name, total=file.frames / file.rate if file.frames else None)
            return separate_song(
                file, separator, parts, targets, samples=samples, clip=clip,
                on_progress=lambda frames: progress.advance(task, frames / file.rate),
            )  # fmt: skip


@contextlib.contextmanager
def _termination_cleans_up() -> Iterator[None]:
    """Let SIGTERM, by which job schedulers and `timeout` end a program, leave no more behind than Ctrl-C does."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _parts(args: argparse.Namespace, spec: SeparatorSpec) -> Parts:
    if args.two_stems:
        registry.check_stems([args.two_stems], spec)
        return stem_and_rest(args.two_stems, spec.stems)
    if args.stems is None:
        return one_file_per_stem(spec.stems)
    names = [name.strip() for name in args.stems.split(",") if name.strip()]
    registry.check_stems(names, spec)
    if not names:
        raise UsageError(f"--stems names no stem. Stems of {spec.name}: {', '.join(spec.stems)}.")
    return one_file_per_stem(tuple(dict.fromkeys(names)))


def _songs(given: Iterable[Path], output: Path) -> list[Path]:
    """Files as given, folders as the songs in them; never the stems of an earlier run."""
    songs: dict[Path, None] = {}
    for path in given:
        if not path.is_dir():
            songs[path] = None
            continue
        inside = [file for file in sorted(path.rglob("*")) if _is_song(file) and output.resolve() not in file.resolve().parents]
        if not inside:
            raise UsageError(f"The folder {path} holds no songs ({', '.join(sorted(SUFFIXES))}).")
        songs.update(dict.fromkeys(inside))
    return list(songs)


def _is_song(file: Path) -> bool:
    return file.suffix.lower() in SUFFIXES and not file.name.startswith(".") and file.is_file()


class _RealTime(ProgressColumn):
    """Seconds of music per second."""

    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:5.1f} × real time" if task.speed else "")


def _tell(console: Console, song: Path, done: Separated, samples: str, clip: str) -> None:
    length_s = done.frames / done.rate
    console.print(f"{song}: {length_s:.1f} s in {done.seconds:.1f} s, {done.times_real_time:.1f} × real time")
    if done.peak > 1.0 and samples != "float32":
        what = f"all stems turned down by {-gain_to_db(done.gain):.1f} dB" if clip == "rescale" else "peaks cut off"
        console.print(f"  a stem peaks at {gain_to_db(done.peak):+.1f} dB: {what} (--float32 keeps it as it is)")


def _figures(done: Separated) -> dict[str, Any]:
    return {
        "rate": done.rate, "channels": done.channels, "frames": done.frames, "seconds": round(done.seconds, 3),
        "times_real_time": round(done.times_real_time, 2), "gain_db": round(gain_to_db(done.gain), 2),
        "files": {part: str(path) for part, path in done.files.items()},
    }  # fmt: skip
