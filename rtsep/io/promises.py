"""Does a sound file hold what its header promises?

libsndfile quietly shortens a cut WAV, AIFF or Ogg to what is left, and takes the length of an MP3 without a length
tag from its first frame's bit rate, which can be several times too long or too short. Each function here answers
one such question from the bytes, without decoding.
"""

from __future__ import annotations

import re
from pathlib import Path

_SHORT_CHUNK = re.compile(r"^\s*(?:data|SSND|riff)\s*:\s*(\d+) \(should be (\d+)\)", re.MULTILINE)
_STREAMED_BYTES = 0x7FFFF000
"""Programs that write a WAV into a pipe cannot know its size and put this or more; such a file is complete."""

_OGG_MAX_PAGE_BYTES = 65307
_OGG_HEADER_BYTES = 27


def chunk_shortfall(header_log: str) -> float:
    """Return the share of the audio chunk that is missing from a WAV, AIFF or W64 file: 0 for a complete one.

    Args:
        header_log: what libsndfile noted while it read the header (`SoundFile.extra_info`).
    """
    for promised, present in _SHORT_CHUNK.findall(header_log):
        if int(present) < int(promised) < _STREAMED_BYTES:
            return 1.0 - int(present) / int(promised)
    return 0.0


def ogg_ends_inside_a_page(path: Path) -> bool:
    """Tell whether an Ogg file was cut: its last page (RFC 3533 §6) is longer than what is left of the file."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - 2 * _OGG_MAX_PAGE_BYTES))
        tail = file.read()
    page = tail[tail.rfind(b"OggS") :]
    if len(page) < _OGG_HEADER_BYTES:
        return True
    segments = page[26]
    lacing = page[_OGG_HEADER_BYTES : _OGG_HEADER_BYTES + segments]
    return len(lacing) < segments or len(page) < _OGG_HEADER_BYTES + segments + sum(lacing)


def mp3_states_its_length(path: Path) -> bool:
    """Tell whether an MP3 opens with a Xing/Info tag that counts its frames; without one any length is a guess."""
    with path.open("rb") as file:
        start = file.read(10)
        if start[:3] == b"ID3":  # the tag's size: four bytes of seven bits each
            size = 0
            for byte in start[6:10]:
                size = size << 7 | byte & 0x7F
            file.seek(10 + size)
        else:
            file.seek(0)
        # Side information puts the tag 13 to 40 bytes into the first frame; padding may come before that frame.
        first_frame = file.read(512)
    for name in (b"Xing", b"Info"):
        at = first_frame.find(name)
        if at >= 0 and len(first_frame) >= at + 8:
            return bool(first_frame[at + 7] & 1)
    return False
