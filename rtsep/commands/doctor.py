"""Check this machine: what is installed, what the system allows, and which model it holds, computed how.

  rtsep doctor
  rtsep doctor --quick     without the benchmark of a few seconds per tier
  rtsep doctor --forget    take away what an earlier benchmark chose

Every line says ok, warn or fail, and what to do about it. The exit code is 1 only if something essential is broken. What the
benchmark chooses becomes the default of rtsep run, play and demo; a rig or an option says otherwise.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import msgspec

from rtsep.evaluation import choice, machine_checks, software_checks, tier_checks
from rtsep.evaluation.findings import Finding, warn
from rtsep.models import registry


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--quick", action="store_true", help="leave the benchmark out")
    parser.add_argument("--forget", action="store_true", help="take away what an earlier benchmark chose, and do nothing else")
    parser.add_argument("--json", action="store_true", help="print one JSON list instead of lines")


def run(args: argparse.Namespace) -> int:
    """Check, print each line when it is known, and say whether the main job can be done."""
    if args.forget:
        print(f"{choice.path()} is gone." if choice.forget() else "Nothing had been chosen.")
        return 0
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
    yield from _default()
    if not quick:
        yield from _benchmark()


def _default() -> Iterator[Finding]:
    """What live commands use if nothing is said."""
    stale: list[str] = []
    chosen = choice.recall(stale.append)
    card, tier = registry.find(*(chosen.model, chosen.tier) if chosen else (None, None))
    why = "chosen by an earlier check-up of this machine" if chosen else "built in"
    yield Finding("Default", "ok", f"{card.name}, tier {tier.name}, {why}: {tier.summary}")
    yield from (warn("Default", sentence) for sentence in stale)


def _benchmark() -> Iterator[Finding]:
    for result in tier_checks.benchmark():
        if isinstance(result, Finding):
            yield result
            continue
        try:
            choice.keep(result)
        except OSError as error:
            yield warn("Use", f"the choice cannot be kept: {error}", "Free some space, or set RTSEP_HOME to another folder")
        yield from tier_checks.advice(result)


def _line(finding: Finding) -> str:
    line = f"{finding.status:<5} {finding.what:<27} {finding.text}"
    return f"{line}\n{'':<34}→ {finding.advice}" if finding.advice else line
