"""Where rtsep keeps things: the packaged data and configs it reads, and the user's folders it writes.

`RTSEP_HOME` moves everything that is written (weights, compiled code, saved state) under one folder.
"""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

PACKAGE = Path(__file__).parent
DATA = PACKAGE / "data"
"""Read-only files that ship with the package: the demo song and the weights of our own models."""


def configs() -> Path:
    """Folder of rigs, MIDI maps and recipes: inside an installed package, or at the root of a checkout."""
    installed = PACKAGE / "configs"
    return installed if installed.is_dir() else PACKAGE.parent / "configs"


def cache() -> Path:
    """Folder for what can be made again: converted weights and compiled code. Created on first use."""
    home = os.environ.get("RTSEP_HOME")
    folder = Path(home) / "cache" if home else Path(platformdirs.user_cache_dir("rtsep", appauthor=False))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def state() -> Path:
    """Folder for what the user would miss: snapshots and the last fader positions. Created on first use."""
    home = os.environ.get("RTSEP_HOME")
    folder = Path(home) / "state" if home else Path(platformdirs.user_state_dir("rtsep", appauthor=False))
    folder.mkdir(parents=True, exist_ok=True)
    return folder
