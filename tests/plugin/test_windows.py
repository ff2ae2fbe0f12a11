"""The same source cross-compiles for Windows; what comes out has the entry points that hosts look for. It is not run here."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.skipif(
    shutil.which("x86_64-w64-mingw32-g++-posix") is None or not Path("/usr/share/dpf").is_dir(),
    reason="needs the Debian packages dpf-source and g++-mingw-w64-x86-64-posix (400 MB)",
)
def test_vst3_and_clap_for_windows_have_their_entry_points(tmp_path: Path) -> None:
    subprocess.run([ROOT / "tools" / "build_plugin", "--windows", tmp_path], check=True, capture_output=True)
    for variant in ("stems", "stereo"):
        clap = tmp_path / f"rtsep-{variant}.clap"
        vst3 = tmp_path / f"rtsep-{variant}.vst3/Contents/x86_64-win/rtsep-{variant}.vst3"
        for library, entry in ((clap, "clap_entry"), (vst3, "GetPluginFactory")):
            exported = subprocess.run(["x86_64-w64-mingw32-objdump", "-p", library], check=True, capture_output=True, text=True)
            assert "pei-x86-64" in exported.stdout
            assert entry in exported.stdout
