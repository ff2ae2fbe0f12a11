"""VST3 plug-ins: where they are, by which name they are asked for, and how they are loaded.

Loading runs the plug-in's code, which may crash; whatever must survive that calls `probe` instead, which loads in a process of
its own.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec

from rtsep.errors import RtsepError, UsageError, nearest
from rtsep.fx.alignment import Alignment

_PROBE_S = 20.0


class PluginError(RtsepError):
    """A plug-in cannot be loaded or does not do what an effect must."""


class PluginInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What a plug-in says and what was measured of it, in a process of its own."""

    name: str
    path: str
    maker: str
    version: str
    is_effect: bool
    channels: int
    """2, or 1 for a plug-in that has to be run once per side; 0 if it takes neither."""
    reported_latency: int
    alignment: Alignment
    parameters: dict[str, tuple[float, float, float]]
    """Numeric parameters: lowest, highest and present value."""
    state: bytes = b""
    """With the preset and the settings that were asked for."""


class ProbeRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What the process that loads a plug-in must know, see `probe`."""

    path: str
    hop: int
    rate: int
    settings: dict[str, float | bool | str]
    state: bytes
    preset: str


def folders() -> list[Path]:
    """Folders in which this system keeps VST3 plug-ins."""
    if sys.platform == "darwin":
        return [Path.home() / "Library/Audio/Plug-Ins/VST3", Path("/Library/Audio/Plug-Ins/VST3")]
    if sys.platform == "win32":
        return [Path(os.environ.get("COMMONPROGRAMFILES", "C:/Program Files/Common Files")) / "VST3"]
    return [Path.home() / ".vst3", Path("/usr/local/lib/vst3"), Path("/usr/lib/vst3")]


def installed() -> dict[str, Path]:
    """Plug-ins by name, without suffix; the user's own come before the system's."""
    found: dict[str, Path] = {}
    for folder in folders():
        for path in sorted(folder.glob("**/*.vst3")):
            inside = any(parent.suffix == ".vst3" for parent in path.parents)
            if not inside:
                found.setdefault(path.stem, path)
    return found


def find(name: str) -> Path:
    """Return the plug-in that a rig or a user names, by path or by file name without suffix.

    Raises:
        UsageError: there is none.
    """
    given = Path(name).expanduser()
    if given.suffix == ".vst3" and given.exists():
        return given
    known = installed()
    if name in known:
        return known[name]
    raise UsageError(f'There is no VST3 plug-in "{name}".{nearest(name, known)} Give its path, or a name of: rtsep plugins scan.')


def load(path: Path) -> Any:
    """Load a plug-in into this process.

    Raises:
        PluginError: it cannot be loaded.
    """
    from pedalboard import VST3Plugin

    try:
        return VST3Plugin(str(path))
    except (ImportError, ValueError, RuntimeError) as error:
        raise PluginError(f"{path.name} cannot be loaded: {error}") from error


def probe(
    path: Path,
    *,
    hop: int = 1024,
    rate: int = 44_100,
    settings: dict[str, float | bool | str] | None = None,
    state: bytes = b"",
    preset: str = "",
) -> PluginInfo:
    """Load and measure a plug-in in a process of its own.

    Args:
        path: of the plug-in.
        hop: frames per call that it will be used with.
        rate: Hz.
        settings: parameters to set first; they may change its latency.
        state: its own saved state, applied before the settings.
        preset: path of a `.vstpreset` file, likewise.

    Raises:
        PluginError: it crashed, hung, or is no effect for stems.
    """
    request = ProbeRequest(path=str(path), hop=hop, rate=rate, settings=settings or {}, state=state, preset=preset)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "rtsep.fx.probe"],
            input=msgspec.json.encode(request),
            capture_output=True,
            timeout=_PROBE_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise PluginError(f"{path.name} hangs: it did not answer for {_PROBE_S:g} s.") from None
    answer = done.stdout.strip().rsplit(b"\n", 1)[-1]
    if done.returncode == 0:
        return msgspec.json.decode(answer, type=PluginInfo)
    if done.returncode == 1 and answer:
        raise PluginError(answer.decode(errors="replace"))
    raise PluginError(f"{path.name} crashed while it was loaded (exit code {done.returncode}).")
