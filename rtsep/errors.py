"""Errors that a musician can act on: what was given, what is allowed, what to type next.

Everything rtsep raises on bad input is an `RtsepError`; the command line prints its text and exits with `exit_code`
(1 for a failure at run time, 2 for something mistyped), without a traceback.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class RtsepError(Exception):
    """A failure with a sentence for the user."""

    exit_code = 1


class UsageError(RtsepError):
    """The request itself is wrong: an unknown name, a value out of range, options that exclude each other."""

    exit_code = 2


class ConfigError(UsageError):
    """A rig or recipe file has a wrong key or value; the text names file and path."""


class AudioFileError(RtsepError):
    """A file cannot be read or written as audio."""


class DeviceError(RtsepError):
    """An audio or MIDI device, or the system behind it, is missing or refused."""


class ModelError(UsageError):
    """An unknown model, tier or stem."""


class WeightsError(RtsepError):
    """Weights are absent, truncated, altered or of the wrong shape."""


def nearest(given: str, allowed: Iterable[str]) -> str:
    """Return ` Did you mean "x"?` for the closest allowed name, or an empty string."""
    close = difflib.get_close_matches(given.lower(), list(allowed), n=1, cutoff=0.5)
    return f' Did you mean "{close[0]}"?' if close else ""
