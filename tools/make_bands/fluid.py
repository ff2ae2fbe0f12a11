"""Soundfonts, played by libfluidsynth (LGPL) straight into arrays.

The library is called through ctypes with its own reverb and chorus off (effects come later, per part). Samples are loaded
preset by preset (`dynamic-sample-loading`), so that half-gigabyte fonts open in milliseconds. About 100 times real time.
"""

from __future__ import annotations

import ctypes
import functools
from ctypes import POINTER, c_char_p, c_double, c_float, c_int, c_void_p
from pathlib import Path

import numpy as np
from pcm import RATE, Stereo
from score import Note

BEND_RANGE = 12
DRUM_BANK, DRUM_CHANNEL = 128, 9
SUSPEND = 3.0
"""Seconds rendered after the last event for its decay, before the song's end cuts it."""


@functools.cache
def _library() -> ctypes.CDLL:
    library = ctypes.CDLL("libfluidsynth.so.3")
    for name, result, arguments in (
        ("new_fluid_settings", c_void_p, ()),
        ("fluid_settings_setnum", c_int, (c_void_p, c_char_p, c_double)),
        ("fluid_settings_setint", c_int, (c_void_p, c_char_p, c_int)),
        ("new_fluid_synth", c_void_p, (c_void_p,)),
        ("fluid_synth_sfload", c_int, (c_void_p, c_char_p, c_int)),
        ("fluid_synth_program_select", c_int, (c_void_p, c_int, c_int, c_int, c_int)),
        ("fluid_synth_noteon", c_int, (c_void_p, c_int, c_int, c_int)),
        ("fluid_synth_noteoff", c_int, (c_void_p, c_int, c_int)),
        ("fluid_synth_pitch_bend", c_int, (c_void_p, c_int, c_int)),
        ("fluid_synth_pitch_wheel_sens", c_int, (c_void_p, c_int, c_int)),
        ("delete_fluid_synth", None, (c_void_p,)),
        ("delete_fluid_settings", None, (c_void_p,)),
        (
            "fluid_synth_write_float",
            c_int,
            (c_void_p, c_int, POINTER(c_float), c_int, c_int, POINTER(c_float), c_int, c_int),
        ),
        ("fluid_set_log_function", c_void_p, (c_int, c_void_p, c_void_p)),
    ):
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    for level in range(5):  # a missing preset is told by the return value; the terminal is for progress
        library.fluid_set_log_function(level, None, None)
    return library


def _synth(font: Path) -> tuple[int, int, int]:
    """Open a font; return the handles of a synthesiser and its settings, and the font's number."""
    library = _library()
    settings = library.new_fluid_settings()
    library.fluid_settings_setnum(settings, b"synth.sample-rate", float(RATE))
    library.fluid_settings_setnum(settings, b"synth.gain", 0.5)
    for option, value in (("reverb.active", 0), ("chorus.active", 0), ("dynamic-sample-loading", 1), ("polyphony", 96)):
        library.fluid_settings_setint(settings, f"synth.{option}".encode(), value)
    synth = library.new_fluid_synth(settings)
    number = library.fluid_synth_sfload(synth, str(font).encode(), 0)
    if number < 0:
        raise FileNotFoundError(f"{font} is not a soundfont that fluidsynth can open; see the Debian packages in sources.py.")
    return synth, settings, number


def play(font: Path, program: int, notes: list[Note], seconds: float, drums: bool = False) -> Stereo:
    """Play a part.

    Args:
        font: `.sf2` or `.sf3` file.
        program: General MIDI program; of drums, the kit's program in bank 128 (the standard kit if the font lacks it).
        notes: notes with bends share one channel, hence should not overlap.
        seconds: length of the result.
        drums: play the drum bank.

    Returns:
        `[2, frames]` float32.
    """
    library = _library()
    synth, settings, number = _synth(font)  # a new one each time (20 ms): a used one still sounds a little and keeps its phase
    channel, bank = (DRUM_CHANNEL, DRUM_BANK) if drums else (0, 0)
    presets = ((bank, program), (bank, 0), (0, 0))  # fonts of one drum kit have it as their first preset
    bank, program = next(
        (preset for preset in presets if library.fluid_synth_program_select(synth, channel, number, *preset) == 0), (0, 0)
    )
    library.fluid_synth_pitch_wheel_sens(synth, channel, BEND_RANGE)
    out = np.zeros((2, int(seconds * RATE)), np.float32)
    left, right = (row.ctypes.data_as(POINTER(c_float)) for row in out)
    position = 0
    for frame, kind, key, value in _events(notes):
        frame = min(frame, out.shape[1])
        if frame > position:
            library.fluid_synth_write_float(synth, frame - position, left, position, 1, right, position, 1)
            position = frame
        if kind == 2:
            library.fluid_synth_noteon(synth, channel, key, value)
        elif kind == 0:
            library.fluid_synth_noteoff(synth, channel, key)
        else:
            library.fluid_synth_pitch_bend(synth, channel, value)
    rest = min(out.shape[1] - position, int(SUSPEND * RATE))
    library.fluid_synth_write_float(synth, rest, left, position, 1, right, position, 1)
    library.delete_fluid_synth(synth)
    library.delete_fluid_settings(settings)
    return out


def _events(notes: list[Note]) -> list[tuple[int, int, int, int]]:
    """Return `(frame, kind, key, value)`; kind 0 ends a note, 1 bends, 2 starts: the order within a frame."""
    events = []
    bending = any(note.bends for note in notes)
    for note in notes:
        start = int(note.start * RATE)
        events.append((start, 2, note.pitch, note.velocity))
        events.append((int((note.start + max(note.length, 0.02)) * RATE), 0, note.pitch, 0))
        if bending:
            for after, semitones in note.bends or ((0.0, 0.0),):
                value = int(np.clip(8192 + semitones / BEND_RANGE * 8191, 0, 16383))
                events.append((start + int(after * RATE), 1, 0, value))
    return sorted(events)
