"""Run the tests behind every promise of `matrix.toml` and print the table as Markdown; further arguments go to pytest."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import tomllib
import xml.etree.ElementTree as ElementTree
from pathlib import Path

TESTS = Path(__file__).parent.parent
ROWS = tomllib.loads(Path(__file__).with_name("matrix.toml").read_text())["row"]


def outcomes(arguments: list[str]) -> dict[str, str]:
    """Run every test that a row names, once; returns `file::function` to the worst of `passed`, `skipped` and `FAILED`."""
    named = sorted({str(TESTS / test) for row in ROWS for test in row["tests"]})
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [sys.executable, "-m", "pytest", "-q", f"--junitxml={report}", *arguments, *named]
        subprocess.run(command, cwd=TESTS.parent, stdout=sys.stderr)
        cases = ElementTree.parse(report).iter("testcase")  # noqa: S314  pytest wrote it
        found: dict[str, str] = {}
        for case in cases:
            place = case.get("classname", "").removeprefix("tests.").replace(".", "/")
            name = f"{place}.py::{case.get('name', '').split('[')[0]}"
            bad = case.find("failure") is not None or case.find("error") is not None
            result = "FAILED" if bad else "skipped" if case.find("skipped") is not None else "passed"
            found[name] = min(result, found.get(name, result))  # alphabetical: FAILED < passed < skipped
        return found


def main() -> int:
    """Print the table; 1 if a promise is broken or has no test."""
    results = outcomes(sys.argv[1:])
    print("| # | fault | promise | tests | result |\n|---|---|---|---|---|")
    worst = 0
    for number, row in enumerate(ROWS, 1):
        mine = [result for name, result in results.items() if {name, name.partition("::")[0]} & set(row["tests"])]
        result = min(mine, default="NO TEST")
        worst |= result != "passed"
        print(f"| {number} | {row['fault']} | {row['promise']} | {len(mine)} | {result} |")
    return int(worst)


if __name__ == "__main__":
    sys.exit(main())
