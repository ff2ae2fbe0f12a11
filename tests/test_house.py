"""Promises about the whole: what starts fast stays light, what is listed exists, what is needed is packaged."""

from __future__ import annotations

import argparse
import importlib
import re
import shlex
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from rtsep import __version__
from rtsep.cli import COMMANDS

ROOT = Path(__file__).parent.parent


def python(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT).stdout


def parser(command: str) -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog=f"rtsep {command}", allow_abbrev=False, exit_on_error=False)
    importlib.import_module(f"rtsep.commands.{command}").add_arguments(made)
    return made


def loaded_by(words: list[str], names: tuple[str, ...]) -> str:
    """Exit code and those of the named modules that a command has imported when it ends."""
    return python(
        "import sys, contextlib, io\n"
        "from rtsep.cli import main\n"
        "with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):\n"
        "    try:\n"
        f"        code = main({words!r})\n"
        "    except SystemExit as leaving:\n"
        "        code = leaving.code\n"
        f"print(code, *(name for name in {names!r} if name in sys.modules))"
    ).strip()


@pytest.mark.parametrize(("words", "code"), [(["--help"], 0), (["--version"], 0), ([], 2), (["nonsense"], 2)])
def test_the_front_page_loads_nothing_heavy(words: list[str], code: int) -> None:
    # Light modules take a tenth of a second together, each of these half a second or more: so `--help` stays within 0.3 s.
    assert loaded_by(words, ("torch", "onnxruntime", "numba", "scipy", "numpy", "rich")) == str(code)


@pytest.mark.parametrize("command", COMMANDS)
def test_no_commands_help_loads_torch(command: str) -> None:
    assert loaded_by([command, "--help"], ("torch", "onnxruntime")) == "0"


@pytest.mark.parametrize("words", [["models"], ["models", "--json"], ["devices"], ["devices", "--json"]])
def test_listings_never_load_torch(words: list[str]) -> None:
    assert loaded_by(words, ("torch",)) == "0"


def test_help_names_every_command() -> None:
    said = python("from rtsep.cli import main; main(['--help'])")
    assert [line.split()[0] for line in said.splitlines() if line.startswith("  ")] == list(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_a_module_that_explains_itself(command: str) -> None:
    module = importlib.import_module(f"rtsep.commands.{command}")
    assert module.__doc__
    assert callable(module.run)
    options = [action for action in parser(command)._actions if not isinstance(action, argparse._SubParsersAction)]
    assert all(option.help for option in options)


def commands_in(page: str) -> list[list[str]]:
    """Every `rtsep …` line in the code blocks of a page, as words without the program's name."""
    blocks = re.findall(r"^```\w*\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    lines = [line.partition("  #")[0].strip() for block in blocks for line in block.splitlines()]
    return [shlex.split(line)[1:] for line in lines if re.match(r"(tools/)?rtsep ", line)]


@pytest.mark.parametrize("page", ["README.md", "rtsep/fx/README.md"])
def test_the_commands_in_the_readme_can_be_typed(page: str) -> None:
    typed = commands_in((ROOT / page).read_text())
    assert len(typed) > 5
    for command, *words in typed:
        parser(command).parse_args(words)


def test_the_changelog_tells_about_this_version() -> None:
    assert f"## [{__version__}]" in (ROOT / "CHANGELOG.md").read_text()


def test_the_wheel_carries_all_that_the_program_reads(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
                   cwd=ROOT, check=True, capture_output=True)  # fmt: skip
    (wheel,) = tmp_path.glob("*.whl")
    packed = set(zipfile.ZipFile(wheel).namelist())
    found = [path.relative_to(ROOT) for room in ("rtsep", "configs") for path in (ROOT / room).rglob("*") if path.is_file()]
    needed = {
        (Path("rtsep") / path if path.parts[0] == "configs" else path).as_posix()
        for path in found
        if "__pycache__" not in path.parts
    }
    assert "rtsep/cli.py" in needed
    assert needed <= packed


def test_no_file_grows_beyond_one_idea() -> None:
    for path in (ROOT / "rtsep").rglob("*.py"):
        assert len(path.read_text().splitlines()) <= 350, path
        assert path.stem not in {"utils", "helpers", "common", "misc"}, path
