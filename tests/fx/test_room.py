"""The folder for states of plug-ins goes with its process, however that ends, and never with another."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

OWNER = """
from rtsep.fx.room import room
print(room().name, flush=True)
input()
"""


@contextmanager
def owner() -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """A process with a folder, and the folder; it ends when its standard input does."""
    with subprocess.Popen([sys.executable, "-c", OWNER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        folder = Path(process.stdout.readline().strip())
        try:
            yield process, folder
        finally:
            process.kill()


def test_a_folder_goes_with_its_process() -> None:
    with owner() as (process, folder):
        assert folder.is_dir() and folder.stat().st_mode & 0o077 == 0
        process.communicate("\n")
        assert process.returncode == 0
    assert not folder.exists()


def test_the_folder_of_a_killed_process_goes_when_the_next_one_starts() -> None:
    with owner() as (killed, left):
        (left / "state").write_bytes(b"of a plug-in")
        killed.kill()
        killed.wait()
        assert left.is_dir()
        with owner():
            assert not left.exists()


def test_processes_leave_the_folders_of_the_living_alone() -> None:
    with ExitStack() as stack:
        folders = [stack.enter_context(owner())[1] for _ in range(3)]
        assert len(set(folders)) == 3
        assert all(folder.is_dir() for folder in folders)


def test_many_that_start_at_once_have_a_folder_each() -> None:
    """One that looks for abandoned folders may find one that is made, but not yet locked."""
    command = [sys.executable, "-c", "import rtsep.fx.room as r; print(r.room().name); assert r.Path(r.room().name).is_dir()"]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(6)]
    names = [process.communicate()[0].strip() for process in started]
    assert [process.returncode for process in started] == [0] * 6
    assert len(set(names)) == 6
