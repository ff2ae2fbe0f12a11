"""Run the tests behind every promise of `matrix.toml` and print the table as Markdown; further arguments go to pytest.

A test that hangs is cut by its own limit (pytest-timeout). One that hangs where no limit reaches it, or takes pytest along, is
ended from here, counts as failed, and the rest is run. Ctrl-C and SIGTERM end the run and print what is known until then.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterable
from pathlib import Path
from types import FrameType

from tests.faults import outcome_log

TESTS = Path(__file__).parent.parent
ROWS = tomllib.loads(Path(__file__).with_name("matrix.toml").read_text())["row"]
WORST_FIRST = ("FAILED", "NO TEST", "not run", "skipped", "passed")

SILENT_S = 400.0
"""Without a word for this long, pytest hangs: a test may take 300 s (pyproject.toml)."""

_CLEARING_UP_S = 20.0
_LOOK_S = 0.1


class Run:
    """The tests of some names, and what has become of them.

    Attributes:
        interrupted: whether somebody ended it.
    """

    def __init__(self, names: Iterable[str], arguments: list[str], log: Path, silent_s: float = SILENT_S) -> None:
        log.touch()
        self._log, self._silent_s = log, silent_s
        plugin = ["-p", "tests.faults.outcome_log", f"--outcomes={log}"]
        self._command = [sys.executable, "-m", "pytest", "-q", *plugin, *arguments, *sorted(names)]
        self.interrupted = False

    def finish(self) -> None:
        """Run until every test has ended, in as many processes as that takes, or until an interrupt."""
        known = -1
        while not self.interrupted and len(outcome_log.read(self._log)) > known:
            known = len(outcome_log.read(self._log))
            pytest = subprocess.Popen(self._command, cwd=TESTS.parent, stdout=sys.stderr, start_new_session=True)
            try:
                self._wait(pytest)
            except KeyboardInterrupt:
                self.interrupted = True
            finally:
                _end(pytest)
            if all("ended" in happened for happened in outcome_log.read(self._log).values()):
                return

    def _wait(self, pytest: subprocess.Popen[bytes]) -> None:
        """Return when pytest has ended or says nothing any more."""
        size, heard_s = -1, 0.0
        while pytest.poll() is None:
            now_s = time.monotonic()
            if self._log.stat().st_size != size:
                size, heard_s = self._log.stat().st_size, now_s
            limit_s = self._silent_s if size > 0 else SILENT_S  # it collects
            if now_s - heard_s > limit_s:
                print(f"\nNothing heard for {limit_s:g} s: this test is ended by force.", file=sys.stderr)
                return
            time.sleep(_LOOK_S)

    def outcomes(self) -> dict[str, str]:
        """`file::function`, from the folder of tests, to the worst that became of it; a test that never ended has failed."""
        found: dict[str, str] = {}
        for nodeid, happened in outcome_log.read(self._log).items():
            name = nodeid.removeprefix("tests/").partition("[")[0]
            cut = "not run" if self.interrupted else "FAILED"
            result = "FAILED" if "failed" in happened else cut if "ended" not in happened else happened[-2]
            result = "skipped" if "skipped" in happened else result
            found[name] = worst((result, found.get(name, result)))
        return found


def worst(results: Iterable[str]) -> str:
    """The worst of some results; `NO TEST` of none."""
    return min(results, key=WORST_FIRST.index, default="NO TEST")


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process and what it has started: with time to clear up, then by force."""
    for how in (signal.SIGINT, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            if process.poll() is None or how is signal.SIGKILL:
                os.killpg(process.pid, how)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_CLEARING_UP_S)


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def main() -> int:
    """Print the table; 1 if a promise is broken, has no test or was not looked at, 130 after an interrupt."""
    for number in (signal.SIGINT, signal.SIGTERM):  # SIGINT too: a shell has its background jobs ignore it, and the tests send it
        signal.signal(number, _interrupt)
    with tempfile.TemporaryDirectory() as folder:
        run = Run({str(TESTS / test) for row in ROWS for test in row["tests"]}, sys.argv[1:], Path(folder) / "outcomes")
        run.finish()
        results = run.outcomes()
    print("| # | fault | promise | tests | result |\n|---|---|---|---|---|")
    row_results = []
    for number, row in enumerate(ROWS, 1):
        mine = {test: [r for name, r in results.items() if test in (name, name.partition("::")[0])] for test in row["tests"]}
        missing = "not run" if run.interrupted else "NO TEST"
        row_results.append(worst(worst(found) if found else missing for found in mine.values()))
        count = sum(map(len, mine.values()))
        print(f"| {number} | {row['fault']} | {row['promise']} | {count} | {row_results[-1]} |")
    return 130 if run.interrupted else int(worst(row_results) != "passed")


if __name__ == "__main__":
    sys.exit(main())
