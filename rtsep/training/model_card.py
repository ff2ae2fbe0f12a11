"""The facts and the text of a model card, from a checkpoint and the logs of its run."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

from rtsep.errors import WeightsError
from rtsep.models.bandnet_config import BandNetConfig
from rtsep.stems import STEMS
from rtsep.training.checkpoint import Checkpoint
from rtsep.training.recipe import parse_recipe
from rtsep.units import frames_to_ms

LICENCE = "GPL-3.0-or-later"
"""Of weights trained on the pack: part of the material is GPL or share-alike, and this licence is compatible with all of it."""


def collect_facts(saved: Checkpoint, run: Path) -> dict[str, Any]:
    """Facts of a run for `PackageFacts`, sizes and hashes excepted.

    Raises:
        WeightsError: the run directory lacks its records.
    """
    try:
        starts = json.loads((run / "run.json").read_text())
        with (run / "validation.csv").open(newline="") as lines:
            rows = [row for row in csv.DictReader(lines) if int(row["step"]) == saved.step]
    except FileNotFoundError as error:
        raise WeightsError(f"{error.filename} is missing; a model card needs the records of its run.") from None
    recipe = parse_recipe(saved.recipe, "the checkpoint's recipe")
    return {
        "name": recipe.name,
        "licence": LICENCE,
        "training": {
            "updates": saved.step,
            "began_with": saved.began_with,
            "teacher": f"{recipe.teacher.model} {recipe.teacher.tier}" if recipe.teacher.share else "",
            "core_hours": round(saved.core_seconds / 3600.0, 2),
            "hours_heard": round(saved.audio_seconds / 3600.0, 2),
            "data_sha256": starts[-1]["data_sha256"],
            "git_commit": starts[-1]["git_commit"],
        },
        "scores": {row["song"]: {stem: float(row[stem]) for stem in (*STEMS, "mean") if row[stem]} for row in rows},
        "sources": tuple(starts[-1]["sources"]),
    }


def render_card(config: BandNetConfig, facts: dict[str, Any]) -> str:
    """Return the model card as Markdown."""
    training, scores = facts["training"], facts["scores"]
    origin = f"It began with the weights of {training['began_with']}, whose hours count.\n  " if training["began_with"] else ""
    if training.get("teacher"):
        origin += f"Beside the true vocals it learnt what {training['teacher']} takes for vocals.\n  "
    softened = ""
    if found := training.get("calibration"):
        rows = ";\n  ".join(f"{name} {', '.join(f'{value:+.2f}' for value in found[name])}" for name in STEMS)
        places, factors = (", ".join(f"{value:g}" for value in found[name]) for name in ("hz", "factor"))
        softened = (
            "Its logits were calibrated on the songs below, which flatters their scores a little:\n"
            f"  at {places} Hz times {factors}, plus\n  {rows}.\n  "
        )
    latency_ms = frames_to_ms(config.synthesis, config.rate)
    head = "| song | " + " | ".join((*STEMS, "mean")) + " |\n|---|" + "---|" * 5
    table = "\n".join(
        f"| {song} | " + " | ".join(f"{row[stem]:.2f}" if stem in row else "" for stem in (*STEMS, "mean")) + " |"
        for song, row in scores.items()
    )
    sources = "\n".join(f"* {line}" for line in facts["sources"])
    return f"""# {facts["name"]}

Causal separator of {", ".join(config.stems)} at {latency_ms:.1f} ms algorithmic latency, {config.rate} Hz, stereo.

* **Architecture**: BandNet, a band-split GRU with weights shared by all bands (`rtsep/models/bandnet.py`):
  {config.band_count} bands, width {config.width}, GRU {config.hidden}, {config.blocks} blocks;
  STFT {config.window}/{config.hop} with a synthesis window of {config.synthesis}.
  Real softmax masks, then a Wiener filter that knows where stems stand: they add up to the mix.
* **Training**: {training["updates"]} updates, {training["core_hours"]} core-hours, {training["hours_heard"]} hours of mixed
  audio heard. {origin}{softened}Data fingerprint `{training["data_sha256"][:16]}`.
  Made by `rtsep train`, packaged by `rtsep export`.
* **Licence of the weights**: {facts["licence"]}.

## Utterance SDR of validation songs, in dB

{head}
{table}

The rendered songs (`pop_*`) share singers, kits and sounds with the training material, so their scores are optimistic. Real songs
(`valid/*`, `ichbin_*`) say more.

## Limits

Few real singers, many synthetic voices, and mostly rendered instruments were heard in training. Expect voices to leak into
`other` and guitars into `vocals`. Nothing of MUSDB18, DSD100 or any other non-commercial set was used, unless it is listed below.

## Training material

{sources}
"""
