"""rtsep: stem separation while the music plays.

The rooms, in the order in which data and imports flow: `units, errors, clock, stems` (words everybody uses), `realtime` (the
audio thread), `dsp` (arrays), `models` (separators), `engine` (process and rings), `io` and `control` (edges), `cli`.
"""

__version__ = "0.1.0"
