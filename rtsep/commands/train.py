"""Train a causal model from a recipe; give the same run folder again to go on where it stopped.

  rtsep train configs/training/bandnet23.toml --run runs/bandnet23
  rtsep train configs/training/bandnet23.toml --run runs/decay --start-from runs/bandnet23/checkpoint.pt --decay-steps 800

The second line branches off: the learning rate falls to zero within 800 updates, which makes weights to export, while the
first run stays as it is and can go on. A new run can also begin with the weights of a network of shorter or
longer windows, or with those of a package: --start-from rtsep/data/models/bandnet23.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from rtsep import paths
from rtsep.errors import UsageError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument("recipe", type=Path, help="recipe file (TOML)")
    parser.add_argument("--run", type=Path, help="run directory (default: runs/NAME of the recipe)")
    parser.add_argument("--minutes", type=float, help="stop after this time; the run can be continued")
    parser.add_argument("--start-from", type=Path, metavar="CHECKPOINT", help="begin a new run with this state or package")
    parser.add_argument("--decay-steps", type=int, metavar="N", help="let the learning rate fall to 0 within N updates")


def run(args: argparse.Namespace) -> int:
    """Train."""
    import re

    from rtsep.training import checkpoint
    from rtsep.training.launch import Launch, launch
    from rtsep.training.recipe import list_data, load_recipe, parse_recipe
    from rtsep.training.rundir import open_run

    recipe = load_recipe(args.recipe)
    text = args.recipe.read_text()
    folder = args.run or Path("runs") / recipe.name
    if args.decay_steps is not None:
        if args.start_from is None:
            raise UsageError("--decay-steps makes a branch of a run: say from which checkpoint with --start-from.")
        begin = checkpoint.load(args.start_from).step
        # The branch's recipe says when it decays, so that it can be resumed like any other run.
        text = re.sub(r"(?m)^(stable_steps|decay_steps)\s*=.*\n", "", text)
        text = text.replace("[training]\n", f"[training]\nstable_steps = {begin}\ndecay_steps = {args.decay_steps}\n")
        recipe = parse_recipe(text, str(args.recipe))
    listing = list_data(recipe, args.recipe.parent)
    if (folder / "recipe.toml").exists() and args.decay_steps is not None:
        text = (folder / "recipe.toml").read_text()
    open_run(folder, text, listing, args.start_from)
    launch(
        Launch(
            recipe_text=text,
            origin=str(args.recipe),
            data_base=args.recipe.parent.resolve(),
            folder=folder.resolve(),
            cache=paths.cache() / "training",
            start_from=args.start_from,
            minutes=args.minutes,
        )
    )
    return 0
