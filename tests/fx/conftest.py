"""What tests of effects share: the plug-in that makes trouble, built once, and parameters that do not outlive a test."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from rtsep.control.params import PARAMS


@pytest.fixture(autouse=True)
def parameters_as_they_were() -> Iterator[None]:
    """Effects add parameters for the whole process; the next test has other effects."""
    before = dict(PARAMS)
    yield
    PARAMS.clear()
    PARAMS.update(before)


@pytest.fixture(scope="session")
def trouble(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`Trouble.vst3`: 64 frames late, with a volume in its state only, and faults on demand."""
    if not Path("/usr/share/dpf").is_dir() or shutil.which("g++") is None:
        pytest.skip("building a plug-in needs the Debian packages dpf-source, g++, make and pkg-config")
    output = tmp_path_factory.mktemp("trouble")
    settings = ("HAVE_OPENGL=false", "HAVE_CAIRO=false", "SKIP_RTAUDIO_FALLBACK=true")
    command = ["make", "-s", "-C", Path(__file__).parent / "trouble", f"OUTPUT={output}", *settings]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    return output / "Trouble.vst3"
