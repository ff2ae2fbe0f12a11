"""The audio thread: compiled code only, no Python, no lock, no allocation, no torch.

Numba caches machine code by the source file of the function alone, so an edit to a helper in another file would leave stale code
behind. All compiled code of rtsep lives in this package, and its cache folder is named by a hash of every file in it.
"""

import hashlib
import os
from pathlib import Path

from rtsep import paths


def _cache_folder() -> Path:
    digest = hashlib.sha256()
    for source in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(source.read_bytes())
    return paths.cache() / "compiled" / digest.hexdigest()[:16]


def is_compiled() -> bool:
    """Whether this version's code was compiled before; if not, the first import takes ten seconds or more."""
    folder = Path(os.environ["NUMBA_CACHE_DIR"])
    return folder.is_dir() and any(folder.iterdir())


os.environ.setdefault("NUMBA_CACHE_DIR", str(_cache_folder()))
