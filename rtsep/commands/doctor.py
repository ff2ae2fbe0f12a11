"""Check this machine: what is installed, what the system allows, and which tier it holds.

  rtsep doctor
  rtsep doctor --quick     without the benchmark of a few seconds per tier

Every line says ok, warn or fail, and what to do about it. The exit code is 1 only if something essential is broken.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import msgspec

from rtsep.evaluation import machine_checks, software_checks, tier_checks
from rtsep.evaluation.findings import Finding
from rtsep.evaluation.load import TierLoad
from rtsep.models import registry


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--quick", action="store_true", help="leave the benchmark out")
    parser.add_argument("--json", action="store_true", help="print one JSON list instead of lines")


def run(args: argparse.Namespace) -> int:
    """Check, print each line when it is known, and say whether the main job can be done."""
    findings = []
    for finding in _examine(args.quick):
        findings.append(finding)
        if not args.json:
            print(_line(finding), flush=True)
    if args.json:
        print(msgspec.json.format(msgspec.json.encode(findings)).decode())
    return 1 if any(finding.status == "fail" for finding in findings) else 0


def _examine(quick: bool) -> Iterator[Finding]:
    yield software_checks.python()
    yield from software_checks.packages()
    yield from software_checks.libraries()
    yield from software_checks.connections()
    yield machine_checks.realtime_priority()
    yield machine_checks.locked_memory()
    yield machine_checks.governor()
    yield from machine_checks.processors()
    yield from software_checks.model_weights()
    card, tier = registry.find()
    yield Finding("Default", "ok", f"{card.name}, tier {tier.name}: {tier.summary}")
    if not quick:
        yield from _benchmark()


def _benchmark() -> Iterator[Finding]:
    loads = []
    for result in tier_checks.benchmark():
        if isinstance(result, TierLoad):
            loads.append(result)
            yield tier_checks.finding(result)
        else:
            yield result
    if loads:
        yield tier_checks.advice(loads)


def _line(finding: Finding) -> str:
    line = f"{finding.status:<5} {finding.what:<27} {finding.text}"
    return f"{line}\n{'':<34}→ {finding.advice}" if finding.advice else line
