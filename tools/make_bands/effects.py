"""How a part is treated: amplifiers, pedals, rooms and its place in the stereo field. All take and return `[2, frames]` float32.

The chains are pedalboard's, fed at a fixed level (RMS -20 dBFS over active frames), so that thresholds and drives mean the same
for every part.
"""

from __future__ import annotations

import numpy as np
from pcm import NOMINAL, RATE, Stereo, levelled
from pedalboard import (
    Chorus,
    Compressor,
    Delay,
    Distortion,
    HighpassFilter,
    HighShelfFilter,
    LowpassFilter,
    LowShelfFilter,
    PeakFilter,
    Pedalboard,
    Phaser,
    Plugin,
    Reverb,
)
from score import Rng


def _run(x: Stereo, *effects: Plugin) -> Stereo:
    return np.asarray(Pedalboard(list(effects))(x, RATE), np.float32) if effects else x


def _tone(rng: Rng, depth_db: float = 4.0) -> list[Plugin]:
    """One to three random bells and shelves."""
    effects: list[Plugin] = [
        PeakFilter(
            float(np.exp(rng.uniform(np.log(150), np.log(7000)))), float(rng.normal(0, depth_db)), float(rng.uniform(0.4, 1.5))
        )
        for _ in range(rng.integers(1, 3))
    ]
    if rng.random() < 0.5:
        effects.append(HighShelfFilter(float(rng.uniform(3000, 9000)), float(rng.normal(0, depth_db))))
    return effects


def saturated(x: Stereo, drive: float, share: float) -> Stereo:
    """Blend in a tanh of the signal, `drive` times the nominal level into it; asymmetric, as tubes are."""
    driven = np.tanh(drive * x / NOMINAL * 0.5 + 0.15) - np.tanh(0.15)
    return np.asarray((1.0 - share) * x + share * NOMINAL * driven, np.float32)


def bass(x: Stereo, rng: Rng) -> Stereo:
    """Amplifier, compressor and tone of a bass; now and then a chorus, else mono."""
    x = np.repeat(levelled(x).mean(0, keepdims=True), 2, 0)
    if rng.random() < 0.65:
        x = saturated(x, float(np.exp(rng.uniform(np.log(0.5), np.log(8.0)))), float(rng.uniform(0.2, 1.0)))
    effects: list[Plugin] = [HighpassFilter(float(rng.uniform(25, 40)))]
    if rng.random() < 0.75:
        effects.append(
            Compressor(
                float(rng.uniform(-30, -18)), float(rng.uniform(2, 6)), float(rng.uniform(2, 30)), float(rng.uniform(60, 250))
            )
        )
    effects += _tone(rng, 3.5)
    effects.append(LowShelfFilter(float(rng.uniform(70, 130)), float(rng.uniform(-2, 5))))
    if rng.random() < 0.5:  # picks, slaps, strings
        effects.append(PeakFilter(float(rng.uniform(700, 3200)), float(rng.uniform(2, 9)), 0.6))
    if rng.random() < 0.45:
        effects.append(LowpassFilter(float(np.exp(rng.uniform(np.log(1800), np.log(10000))))))
    if rng.random() < 0.12:
        effects.append(Chorus(float(rng.uniform(0.3, 1.5)), 0.2, mix=float(rng.uniform(0.2, 0.4))))
    return _run(x, *effects)


def amplifier(x: Stereo, rng: Rng, drive_db: float) -> Stereo:
    """Guitar amplifier and cabinet: tight low end, distortion, bells in the presence region, steep low-pass at about 5 kHz."""
    x = np.repeat(levelled(x).mean(0, keepdims=True), 2, 0)
    corner = float(rng.uniform(4300, 6200))
    return _run(
        x,
        HighpassFilter(float(rng.uniform(80, 160))),
        PeakFilter(float(rng.uniform(600, 1200)), float(rng.uniform(0, 6)), 0.6),
        Distortion(drive_db),
        HighpassFilter(float(rng.uniform(70, 105))),
        PeakFilter(float(rng.uniform(300, 550)), float(rng.uniform(-6, 0)), 0.8),
        PeakFilter(float(rng.uniform(2000, 3800)), float(rng.uniform(1, 7)), 0.9),
        LowpassFilter(corner),
        LowpassFilter(corner * 1.1),
        LowpassFilter(corner * 1.3),
    )


def tremolo(x: Stereo, rng: Rng, across: bool) -> Stereo:
    """Loudness swings together, or from side to side (`across`: auto-pan)."""
    rate_hz, depth = float(np.exp(rng.uniform(np.log(0.2 if across else 2.0), np.log(7.0)))), float(rng.uniform(0.2, 0.8))
    swing = np.sin(2 * np.pi * rate_hz * np.arange(x.shape[1]) / RATE)
    gains = np.stack([1.0 - 0.5 * depth * (1.0 + swing), 1.0 - 0.5 * depth * (1.0 + (-swing if across else swing))])
    return np.asarray(x * gains, np.float32)


def rotary(x: Stereo, rng: Rng) -> Stereo:
    """A rotating speaker: Doppler shift and loudness, in quadrature between the sides, slow or fast and changing once."""
    frames = x.shape[1]
    slow, fast = float(rng.uniform(0.6, 1.0)), float(rng.uniform(5.5, 7.2))
    speed = np.full(frames, slow if rng.random() < 0.5 else fast)
    change = int(rng.uniform(0.3, 0.7) * frames)
    speed[change:] = slow + fast - speed[0]
    ramp = RATE  # the rotor takes a second to change its speed
    average = np.ones(ramp // 64) / (ramp // 64)
    speed = np.convolve(np.pad(speed, ramp // 2, mode="edge")[::64], average, "same").repeat(64)[ramp // 2 :][:frames]
    phase = 2 * np.pi * np.cumsum(speed) / RATE
    middle, at = x.mean(0), np.arange(frames)
    sides = []
    for offset in (0.0, np.pi / 2):
        swing = np.sin(phase + offset)
        sides.append(np.interp(at - 20.0 - 14.0 * swing, at, middle) * (1.0 + 0.35 * swing))
    return np.asarray(np.stack(sides), np.float32)


def placed(x: Stereo, pan: float, width: float) -> Stereo:
    """Pan (-1 left to 1 right, constant power) and widen (0 mono, 1 as it is)."""
    middle = x.mean(0)
    angle = (pan + 1.0) * np.pi / 4
    spread = middle + width * (x - middle)
    return np.asarray(spread * np.array([[np.cos(angle)], [np.sin(angle)]]) * np.sqrt(2.0), np.float32)


def room(x: Stereo, rng: Rng, wet: float) -> Stereo:
    """Reverb from ambience to hall."""
    size = float(rng.uniform(0.05, 0.95))
    return _run(x, Reverb(size, float(rng.uniform(0.2, 0.9)), wet_level=wet * 0.5, dry_level=0.8, width=1.0))


def accompaniment(x: Stereo, role: str, rng: Rng, beat: float) -> Stereo:
    """Pedals, room and place of anything but bass and drums; delays follow the beat (seconds)."""
    x = levelled(x)
    effects: list[Plugin] = [HighpassFilter(float(rng.uniform(60, 180))), *_tone(rng)]
    if rng.random() < 0.5:
        effects.append(Compressor(float(rng.uniform(-26, -16)), float(rng.uniform(2, 5)), float(rng.uniform(3, 30)), 120.0))
    if rng.random() < 0.3 and role in ("keys", "strum", "arp", "pad", "lead", "strings"):
        effects.append(Chorus(float(rng.uniform(0.2, 2.0)), float(rng.uniform(0.1, 0.4)), mix=float(rng.uniform(0.2, 0.6))))
    if rng.random() < 0.15 and role in ("keys", "strum", "arp", "power", "pad"):
        effects.append(Phaser(float(rng.uniform(0.1, 1.5)), float(rng.uniform(0.3, 0.8)), mix=float(rng.uniform(0.3, 0.6))))
    if rng.random() < (0.5 if role in ("lead", "arp") else 0.12):
        seconds = beat * float(rng.choice([0.5, 0.75, 1.0]))
        effects.append(Delay(min(seconds, 1.0), float(rng.uniform(0.1, 0.5)), float(rng.uniform(0.1, 0.35))))
    if role == "organ" and rng.random() < 0.65:
        x = rotary(x, rng)
    elif rng.random() < 0.12:
        x = tremolo(x, rng, across=rng.random() < 0.6)
    if rng.random() < 0.12:
        x = saturated(x, float(rng.uniform(0.5, 3.0)), float(rng.uniform(0.2, 0.7)))
    x = _run(x, *effects)
    pan = float(rng.normal(0.0, 0.15 if role in ("lead", "pad") else 0.45))
    x = placed(x, float(np.clip(pan, -0.9, 0.9)), float(rng.uniform(0.2, 1.0)))
    return room(x, rng, float(rng.uniform(0.1, 0.6 if role in ("lead", "pad", "strings") else 0.4))) if rng.random() < 0.75 else x


def drums(x: Stereo, rng: Rng) -> Stereo:
    """Bus compression, room, tone, saturation, tamed peaks."""
    x = levelled(x)
    effects: list[Plugin] = [HighpassFilter(25.0), *_tone(rng, 3.0)]
    if rng.random() < 0.7:
        effects.append(
            Compressor(
                float(rng.uniform(-24, -12)), float(rng.uniform(2, 6)), float(rng.uniform(1, 30)), float(rng.uniform(40, 200))
            )
        )
    x = _run(x, *effects)
    if rng.random() < 0.35:
        x = saturated(x, float(rng.uniform(0.2, 2.0)), float(rng.uniform(0.2, 0.8)))
    if rng.random() < 0.65:
        x = room(x, rng, float(rng.uniform(0.05, 0.45)))
    x = levelled(x)
    ceiling = np.float32(NOMINAL * 10.0 ** (rng.uniform(9.0, 17.0) / 20.0))
    return np.asarray(ceiling * np.tanh(x / ceiling), np.float32)


def bus(x: Stereo, rng: Rng) -> Stereo:
    """Mild compression of a whole stem, in 70 % of the cases."""
    x = levelled(x)
    if rng.random() < 0.7:
        x = _run(
            x,
            Compressor(
                float(rng.uniform(-22, -14)), float(rng.uniform(1.5, 3)), float(rng.uniform(5, 40)), float(rng.uniform(80, 300))
            ),
        )
    return levelled(x)
