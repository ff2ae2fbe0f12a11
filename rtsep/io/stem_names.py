"""Where the stems of a song go: a folder and a pattern such as `{track}/{stem}.{ext}`."""

from __future__ import annotations

import string
from collections.abc import Iterable
from pathlib import Path

from rtsep.errors import UsageError, nearest

DEFAULT_PATTERN = "{track}/{stem}.{ext}"
PLACEHOLDERS: dict[str, str] = {
    "track": "the song's name without its ending",
    "stem": "vocals, drums, …",
    "ext": "ending of the written type",
    "folder": "the folder the song is in",
    "suffix": "ending of the song",
    "model": "model name",
    "tier": "tier name",
}


class NamePattern:
    """A checked pattern.

    Args:
        pattern: text with placeholders in braces; `{stem}` must be among them.
        output: folder that all files stay inside.

    Raises:
        UsageError: an unknown placeholder, unbalanced braces, or no `{stem}`.
    """

    def __init__(self, pattern: str, output: Path) -> None:
        try:
            parts = list(string.Formatter().parse(pattern))
        except ValueError as error:
            raise UsageError(f'--filename "{pattern}" is no pattern: {error}. Example: "{DEFAULT_PATTERN}".') from None
        names = [name for _, name, _, _ in parts if name is not None]
        for name in names:
            if name not in PLACEHOLDERS:
                raise UsageError(
                    f'--filename knows no placeholder "{{{name}}}".{nearest(name, PLACEHOLDERS)} '
                    f"Placeholders: {', '.join(f'{{{known}}}' for known in PLACEHOLDERS)}."
                )
        if "stem" not in names:
            raise UsageError(f'--filename "{pattern}" needs {{stem}}, or all stems would share one file.')
        if any(spec or conversion for _, _, spec, conversion in parts):
            raise UsageError(f'--filename "{pattern}": placeholders stand alone, without ":" or "!".')
        self._pattern = pattern
        self._output = output

    def targets(self, song: Path, stems: Iterable[str], ext: str, model: str, tier: str) -> dict[str, Path]:
        """Return the file of each stem of a song; names that lack the ending `ext` get it.

        Raises:
            UsageError: a name would leave the output folder.
        """
        words = {
            "track": song.stem, "folder": song.resolve().parent.name, "suffix": song.suffix[1:],
            "ext": ext, "model": model, "tier": tier,
        }  # fmt: skip
        found = {}
        for stem in stems:
            name = self._pattern.format(stem=stem, **words)
            path = self._output / (name if name.lower().endswith(f".{ext}") else f"{name}.{ext}")
            if not path.resolve().is_relative_to(self._output.resolve()):
                raise UsageError(f'--filename "{self._pattern}" would write {path}, outside {self._output}.')
            found[stem] = path
        return found


def refuse_collisions(plan: dict[Path, dict[str, Path]]) -> None:
    """Make sure that no two songs share a file and that no song is written over.

    Args:
        plan: for each song, the file of each stem.

    Raises:
        UsageError: names both songs.
    """
    songs = {song.resolve() for song in plan}
    taken: dict[Path, Path] = {}
    for song, targets in plan.items():
        for path in targets.values():
            if path.resolve() in songs:
                raise UsageError(f"{path} is one of the songs; choose another folder with --output.")
            if path in taken:
                raise UsageError(
                    f"{taken[path]} and {song} would both write {path}. Tell them apart with {{folder}} or {{suffix}}, "
                    'for example --filename "{folder}/{track}/{stem}.{ext}".'
                )
            taken[path] = song
