"""A plug-in of pytest: writes down each test as it begins and ends, so that the table survives a test that takes pytest along.

Lines are `nodeid<TAB>what`; the last one of a test is `ended`. Tests that the file names already are not run again.
"""

from __future__ import annotations

from pathlib import Path

import pytest

_LOG = pytest.StashKey[Path]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Where to write."""
    parser.addoption("--outcomes", metavar="FILE", type=Path, required=True, help="what became of tests; none in it is run again")


def read(log: Path) -> dict[str, list[str]]:
    """What has happened to each test: `begun`, an outcome for each of its phases, `ended`."""
    happened: dict[str, list[str]] = {}
    for line in log.read_text().splitlines():
        nodeid, _, what = line.rpartition("\t")
        happened.setdefault(nodeid, []).append(what)
    return happened


def _write(log: Path, nodeid: str, what: str) -> None:
    with log.open("a") as file:
        file.write(f"{nodeid}\t{what}\n")


class _Writer:
    def __init__(self, log: Path) -> None:
        self._log = log

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        _write(self._log, nodeid, "begun")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        _write(self._log, report.nodeid, report.outcome)

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        _write(self._log, nodeid, "ended")


def pytest_configure(config: pytest.Config) -> None:
    """Begin to write."""
    config.pluginmanager.register(_Writer(config.getoption("outcomes")))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is known."""
    known = read(config.getoption("outcomes"))
    items[:] = [item for item in items if item.nodeid not in known]
