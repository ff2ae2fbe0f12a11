"""List models and tiers, get their weights, check them.

  rtsep models                         what there is
  rtsep models info spleeter-2stems    licence, origin, and what the delay of each tier is made of
  rtsep models pull spleeter-2stems    get and convert the weights (--force: anew)
  rtsep models verify                  check the sha256 of all weights

Weights are converted once, at the first start, and checked at every start.
"""

from __future__ import annotations

import argparse
import sys
from typing import Any

import msgspec

from rtsep.errors import RtsepError
from rtsep.evaluation import choice
from rtsep.models import registry
from rtsep.models.card import ModelCard, TierCard
from rtsep.units import frames_to_ms


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    info = actions.add_parser("info", help="tell more about one model")
    info.add_argument("model")
    info.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print JSON")
    pull = actions.add_parser("pull", help="get and convert the weights of one model")
    pull.add_argument("model")
    pull.add_argument("--force", action="store_true", help="convert anew even if the weights are there")
    verify = actions.add_parser("verify", help="check the weights of one model, or of all")
    verify.add_argument("model", nargs="?")


def run(args: argparse.Namespace) -> int:
    """Do what was asked for; verify fails with 1 if any weights are absent or damaged."""
    if args.action == "pull":
        return _pull(args.model, force=args.force)
    if args.action == "verify":
        return _verify([registry.find(args.model)[0]] if args.model else registry.catalogue())
    cards = [registry.find(args.model)[0]] if args.action == "info" else registry.catalogue()
    if args.json:
        print(msgspec.json.format(msgspec.json.encode([_facts(card) for card in cards])).decode())
    elif args.action == "info":
        _print_info(cards[0])
    else:
        _print_list(cards)
    return 0


def _pull(model: str, *, force: bool) -> int:
    registry.prepare(model, progress=_tell, download=True, force=force)
    _tell(f"the weights of {model} are ready")
    return 0


def _verify(cards: list[ModelCard]) -> int:
    damaged = 0
    for card in cards:
        try:
            registry.verify(card.name)
            print(f"{card.name}: ok")
        except RtsepError as error:
            damaged += 1
            print(f"{card.name}: {error}")
    return 1 if damaged else 0


def _tell(line: str) -> None:
    print(line, file=sys.stderr)


def _facts(card: ModelCard) -> dict[str, Any]:
    return {
        "name": card.name,
        "default": card.name == registry.DEFAULT_MODEL,
        "summary": card.summary,
        "licence": card.licence,
        "origin": card.origin,
        "stems": card.stems,
        "rate": card.rate,
        "live_tier": card.live_tier,
        "file_tier": card.file_tier,
        "tiers": [_tier_facts(card, tier) for tier in card.tiers],
    }


def _tier_facts(card: ModelCard, tier: TierCard) -> dict[str, Any]:
    spec = registry.describe(card.name, tier.name)
    live = not tier.whole_file
    return {
        "name": tier.name,
        "summary": tier.summary,
        "live": live,
        "latency_ms": round(frames_to_ms(spec.algorithmic_latency, spec.rate), 1) if live else None,
        "hop_frames": spec.hop,
        "latency_frames": {term.name: term.frames for term in spec.latency_terms},
    }


def _print_list(cards: list[ModelCard]) -> None:
    for card in cards:
        print(f"{card.name}: {card.summary}")
        print(f"  stems: {', '.join(card.stems)}")
        for tier in _facts(card)["tiers"]:
            latency = f"{tier['latency_ms']} ms" if tier["live"] else "whole file"
            print(f"  {tier['name']:<8} {latency:>10}  {_default_of(card, tier['name']):<13} {tier['summary']}")
        print()
    chosen = choice.recall(_tell)
    default = f"{chosen.model} {chosen.tier}, as rtsep doctor chose here" if chosen else registry.DEFAULT_MODEL
    print(f"Default model: {default}. Choose with --model NAME --tier TIER.")


def _default_of(card: ModelCard, tier: str) -> str:
    uses = [use for use, name in (("live", card.live_tier), ("files", card.file_tier)) if name == tier]
    return f"[{', '.join(uses)}]" if uses else ""


def _print_info(card: ModelCard) -> None:
    facts = _facts(card)
    print(f"{card.name}: {card.summary}")
    for key in ("stems", "licence", "origin", "rate"):
        value = facts[key]
        print(f"  {key:<8} {', '.join(value) if isinstance(value, tuple) else value}")
    print("\nDelay between hearing a sound and its stems, without compute time and device:")
    for tier in facts["tiers"]:
        if not tier["live"]:
            print(f"  {tier['name']:<9} needs the whole file")
            continue
        terms = {"hop to fill": tier["hop_frames"], **tier["latency_frames"]}
        spelled = " + ".join(f"{name} {frames_to_ms(frames, card.rate):.1f}" for name, frames in terms.items())
        print(f"  {tier['name']:<9} {tier['latency_ms']:>6} ms = {spelled}")
