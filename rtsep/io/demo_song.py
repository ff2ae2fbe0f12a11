"""The packaged song: sixteen seconds with their true stems, so that `rtsep demo` needs no file and tests have real music.

It is a CC0 song that our own models were not trained on; `data/demo/CREDITS.md` says whose it is and how it was cut.
"""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray

from rtsep import paths
from rtsep.io.files import open_audio
from rtsep.stems import STEMS

Audio = NDArray[np.float32]

FOLDER = paths.DATA / "demo"


class DemoSong(msgspec.Struct, frozen=True):
    """A song whose stems are known.

    Attributes:
        credit: title, artist and licence, to be shown wherever it is played.
        rate: Hz.
        stems: `[2, frames]` float32 each, for each of `STEMS`; silence for a stem that the song lacks (bass).
    """

    credit: str
    rate: int
    stems: dict[str, Audio]

    @property
    def mix(self) -> Audio:
        """The song: the sum of its stems, `[2, frames]` float32, below full scale."""
        total: Audio = np.sum(list(self.stems.values()), axis=0, dtype=np.float32)
        return total


def demo_song() -> DemoSong:
    """Decode the packaged song; takes a few hundredths of a second.

    Raises:
        AudioFileError: the installation is incomplete.
    """
    found: dict[str, Audio] = {}
    for stem in ("vocals", "drums", "other"):
        with open_audio(FOLDER / f"{stem}.ogg") as file:
            rate = file.rate
            found[stem] = np.concatenate(list(file.blocks()), axis=1)
    silence = np.zeros_like(found["vocals"])
    return DemoSong(
        credit='"Caesium" by Software-Entwicklungskit (CC0 1.0)', rate=rate,
        stems={stem: found.get(stem, silence) for stem in STEMS},
    )  # fmt: skip
