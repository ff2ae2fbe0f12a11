"""Score models on songs whose true stems are known: utterance SDR and BSSEval v4, per stem, beside the mix and an oracle.

  rtsep eval musdb18 --model bandnet:23ms --model spleeter-2stems:70ms
  rtsep eval my-stems --output report --plots 3
  rtsep eval musdb18 --offline --no-bsseval --json

A live tier is fed hop by hop, so the scores are of what one hears; --offline takes each model's best tier for files instead.
FOLDER is a MUSDB18 folder (stem files or WAV), a folder with one folder of stems per song, or a training pack. Spleeter on the
whole file stands beside the models if its weights are here. Tables go to stdout; --output writes scores.csv, report.json and
plots.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("folder", type=Path, help="data set with true stems")
    parser.add_argument("-m", "--model", action="append", metavar="NAME[:TIER]", help="a model to score; may be repeated")
    parser.add_argument("--offline", action="store_true", help="where no tier is named, use the one for files, not the live one")
    parser.add_argument("--layout", help="pack, stems or musdb (default: guessed)")
    parser.add_argument("--split", help="only songs of this split (default: test if there is one, else valid, else all)")
    parser.add_argument("--seconds", type=float, metavar="S", help="only the first S seconds of each song")
    parser.add_argument("--songs", type=int, metavar="N", help="only the first N songs")
    parser.add_argument("--no-bsseval", action="store_true", help="utterance SDR only, which takes no time to compute")
    parser.add_argument("--no-spleeter", action="store_true", help="leave out Spleeter on the whole file")
    parser.add_argument("--runtime", default="auto", help="what computes the models: auto, onnx or torch")
    parser.add_argument("--output", type=Path, metavar="DIR", help="write scores.csv, report.json and plots there")
    parser.add_argument("--plots", type=int, default=0, metavar="N", help="draw the first N songs (needs --output)")
    parser.add_argument("--json", action="store_true", help="print the report as JSON instead of tables")


def run(args: argparse.Namespace) -> int:
    """Evaluate."""
    import msgspec
    from rich.console import Console
    from rich.progress import track

    from rtsep.errors import UsageError
    from rtsep.evaluation import contest, plots, report
    from rtsep.evaluation.machine import this_machine
    from rtsep.evaluation.scores import Score, score, separations
    from rtsep.evaluation.songs import find_songs, load_song

    if args.plots and args.output is None:
        raise UsageError("--plots needs --output DIR to write the pictures to.")
    contestants = contest.enter(args.model or [], args.runtime, live=not args.offline, spleeter=not args.no_spleeter)
    split = args.split or contest.usual_split(find_songs(args.folder, args.layout, None))
    songs = find_songs(args.folder, args.layout, split)[: args.songs]
    if args.output is not None:
        args.output.mkdir(parents=True, exist_ok=True)
    talk = Console(stderr=True)
    scores: list[Score] = []
    for number, files in enumerate(track(songs, "songs", console=talk, disable=not talk.is_terminal)):
        song = load_song(files, contest.common_rate(contestants), args.seconds)
        for separation in separations(song, contestants):
            scores += score(separation, not args.no_bsseval)
            if number < args.plots and separation.method in {contestant.name for contestant in contestants}:
                picture = f"{number + 1:02d} {separation.method}.png".replace(":", " ")
                plots.draw_separation(separation, args.output / picture)
    made = report.make_report(scores, shlex.join(["rtsep", *sys.argv[1:]]), str(this_machine()))
    if args.output is not None:
        report.write_csv(scores, args.output / "scores.csv")
        report.write_json(made, args.output / "report.json")
        if args.plots:
            plots.draw_scores(scores, args.output / "songs.png")
    if args.json:
        print(msgspec.json.format(msgspec.json.encode(made)).decode())
    else:
        out = Console(width=max(100, Console().width))
        for table in report.tables(made):
            out.print(table)
    return 0
