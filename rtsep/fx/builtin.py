"""The effects that come with pedalboard and keep time: a table of names, classes and ranges.

Left out are those that give back fewer or other frames than they take and whose delay changes with their input (`PitchShift`,
`Resample`, `GSMFullRateCompressor`, `MP3Compressor`), and convolution, which is better had as a plug-in.
"""

from __future__ import annotations

import msgspec


class Knob(msgspec.Struct, frozen=True):
    """One parameter of an effect, in the effect's own unit."""

    low: float
    high: float
    default: float


class Builtin(msgspec.Struct, frozen=True):
    """An effect of pedalboard: its class and its knobs."""

    kind: str
    knobs: dict[str, Knob]


_FREQUENCY = Knob(20.0, 20_000.0, 1000.0)
_Q = Knob(0.1, 18.0, 0.707)
_SHELF = {"cutoff_frequency_hz": _FREQUENCY, "gain_db": Knob(-24.0, 24.0, 0.0), "q": _Q}
_MODULATION = {
    "rate_hz": Knob(0.01, 20.0, 1.0),
    "depth": Knob(0.0, 1.0, 0.25),
    "feedback": Knob(-0.95, 0.95, 0.0),
    "mix": Knob(0.0, 1.0, 0.5),
}

BUILTINS: dict[str, Builtin] = {
    "gain": Builtin("Gain", {"gain_db": Knob(-60.0, 24.0, 0.0)}),
    "compressor": Builtin(
        "Compressor",
        {
            "threshold_db": Knob(-60.0, 0.0, 0.0),
            "ratio": Knob(1.0, 50.0, 1.0),
            "attack_ms": Knob(0.1, 200.0, 1.0),
            "release_ms": Knob(1.0, 2000.0, 100.0),
        },
    ),
    "limiter": Builtin("Limiter", {"threshold_db": Knob(-40.0, 0.0, -10.0), "release_ms": Knob(1.0, 2000.0, 100.0)}),
    "gate": Builtin(
        "NoiseGate",
        {
            "threshold_db": Knob(-100.0, 0.0, -100.0),
            "ratio": Knob(1.0, 50.0, 10.0),
            "attack_ms": Knob(0.1, 200.0, 1.0),
            "release_ms": Knob(1.0, 2000.0, 100.0),
        },
    ),
    "reverb": Builtin(
        "Reverb",
        {
            "room_size": Knob(0.0, 1.0, 0.5),
            "damping": Knob(0.0, 1.0, 0.5),
            "wet_level": Knob(0.0, 1.0, 0.33),
            "dry_level": Knob(0.0, 1.0, 0.4),
            "width": Knob(0.0, 1.0, 1.0),
        },
    ),
    "delay": Builtin(
        "Delay", {"delay_seconds": Knob(0.0, 2.0, 0.5), "feedback": Knob(0.0, 0.95, 0.0), "mix": Knob(0.0, 1.0, 0.5)}
    ),
    "highpass": Builtin("HighpassFilter", {"cutoff_frequency_hz": Knob(20.0, 20_000.0, 50.0)}),
    "lowpass": Builtin("LowpassFilter", {"cutoff_frequency_hz": Knob(20.0, 20_000.0, 50.0)}),
    "lowshelf": Builtin("LowShelfFilter", _SHELF),
    "highshelf": Builtin("HighShelfFilter", _SHELF),
    "peak": Builtin("PeakFilter", _SHELF),
    "chorus": Builtin("Chorus", _MODULATION),
    "phaser": Builtin("Phaser", _MODULATION),
    "distortion": Builtin("Distortion", {"drive_db": Knob(0.0, 60.0, 25.0)}),
    "clip": Builtin("Clipping", {"threshold_db": Knob(-40.0, 0.0, -6.0)}),
}
"""By the name that a rig uses."""

RINGING = ("reverb", "delay")
"""Those that go on sounding when nothing comes in any more."""

DUCK = "duck"
"""The effect of our own: quieter while another stem is loud."""

DUCK_KNOBS: dict[str, Knob] = {
    "depth_db": Knob(0.0, 40.0, 9.0),
    "threshold_db": Knob(-80.0, 0.0, -40.0),
    "attack_ms": Knob(0.1, 500.0, 15.0),
    "release_ms": Knob(1.0, 5000.0, 250.0),
}
