"""Turn a training checkpoint into packaged weights: float16 safetensors, an ONNX graph of one frame, and a model card.

  rtsep export runs/bandnet23-decay/checkpoint.pt --to rtsep/data/models/bandnet23 --calibrate configs/training/bandnet23.toml

The averaged weights are exported; scores and sources come from the logs in the checkpoint's folder. With --calibrate, a factor
on the logits and an offset per stem, both smooth over frequency, are fitted on the validation songs of a recipe first, and the
scores are taken anew.
"""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument("checkpoint", type=Path, help="checkpoint.pt of a run directory")
    parser.add_argument("--calibrate", type=Path, metavar="RECIPE", help="choose how sure masks may be on its validation songs")
    parser.add_argument("--to", type=Path, help="folder of the package (default: export in the run directory)")


def run(args: argparse.Namespace) -> int:
    """Export."""
    from rtsep import paths
    from rtsep.models.bandnet import BandNet
    from rtsep.models.bandnet_export import write_package
    from rtsep.training import checkpoint
    from rtsep.training.calibration import calibrate
    from rtsep.training.corpus import load_corpus
    from rtsep.training.model_card import collect_facts, render_card
    from rtsep.training.recipe import list_data, load_recipe, parse_recipe

    saved = checkpoint.load(args.checkpoint)
    recipe = parse_recipe(saved.recipe, str(args.checkpoint))
    net = BandNet(recipe.model)
    net.load_state_dict(saved.average)
    facts = collect_facts(saved, args.checkpoint.parent)
    if args.calibrate:
        listing = list_data(load_recipe(args.calibrate), args.calibrate.parent)
        songs = load_corpus(listing, "valid", paths.cache() / "training", net.config.rate).songs
        facts["training"]["calibration"], facts["scores"] = calibrate(net, songs, recipe.training.validate_seconds)
    target = args.to or args.checkpoint.parent / "export"
    write_package(net, target, facts, render_card(recipe.model, facts))
    print(target)
    return 0
