"""Turn a training checkpoint into packaged weights: float16 safetensors, an ONNX graph of one frame, and a model card.

  rtsep export runs/bandnet23-decay/checkpoint.pt --to rtsep/data/models/bandnet23

The averaged weights are exported; scores and sources come from the logs in the checkpoint's folder.
"""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument("checkpoint", type=Path, help="checkpoint.pt of a run directory")
    parser.add_argument("--to", type=Path, help="folder of the package (default: export in the run directory)")


def run(args: argparse.Namespace) -> int:
    """Export."""
    from rtsep.models.bandnet import BandNet
    from rtsep.models.bandnet_export import write_package
    from rtsep.training import checkpoint
    from rtsep.training.model_card import collect_facts, render_card
    from rtsep.training.recipe import parse_recipe

    saved = checkpoint.load(args.checkpoint)
    config = parse_recipe(saved.recipe, str(args.checkpoint)).model
    net = BandNet(config)
    net.load_state_dict(saved.average)
    facts = collect_facts(saved, args.checkpoint.parent)
    target = args.to or args.checkpoint.parent / "export"
    write_package(net, target, facts, render_card(config, facts))
    print(target)
    return 0
