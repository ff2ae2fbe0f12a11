"""How a phrase is sung: when each spoken frame comes, at what pitch, how loud.

Vowel cores are stretched to the notes and consonants keep their length. Pitch follows the model of Saitou, Goto, Unoki & Akagi
(2007): steps of the melody through a damped second-order system (portamento and overshoot), vibrato that sets in late, slow drift
and fine fluctuation.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from melody import Note, Tune
from numpy.typing import NDArray
from scipy import ndimage, signal
from speech import Mono
from syllables import FRAME_S, Spoken

LONGEST_STRETCH = 7.0
SHORTEST_STRETCH = 0.45


@dataclass(frozen=True)
class Manner:
    """A singer's habits in one song; all are drawn once per clip.

    effort: 0 soft to 1 belted. breath, growl: 0 to 1. formants: scale of the spectral envelope's frequency axis.
    hard_tuned: pitch jumps from note to note and stays exact. rapped: pitch stays that of speech, times `pitch`.
    """

    effort: float
    breath: float
    growl: float
    formants: float
    vibrato_cents: float
    vibrato_hz: float
    hard_tuned: bool
    rapped: bool
    pitch: float = 1.0


@dataclass
class Score:
    """A phrase laid out, one value per `FRAME_S`.

    source: frame of the spoken clip (fractional). f0: Hz, 0 where unvoiced. gain: linear.
    """

    source: Mono
    f0: Mono
    gain: Mono


def lay_out(spoken: Spoken, notes: list[Note], tune: Tune, manner: Manner, rng: np.random.Generator, shift: int = 0) -> Score:
    """Put a clip's syllables on notes.

    Args:
        spoken: the clip; it has as many vowel cores as there are notes.
        notes: one per core.
        tune: for tempo and pitch.
        manner: how it is sung.
        rng: the small irregularities; another generator gives another take of the same phrase.
        shift: degrees above the melody, for harmonies.
    """
    source, starts = _time_map(spoken, notes, tune, manner, rng)
    frames = len(source)
    nearest = np.clip(np.round(source).astype(int), 0, len(spoken.f0) - 1)
    voiced = spoken.f0[nearest] > 0.0
    for first, last in spoken.cores:
        voiced |= (source >= first) & (source <= last)
    voiced = ndimage.binary_closing(voiced, np.ones(7))
    if manner.rapped:
        known = spoken.f0 > 0.0
        curve = np.interp(source, np.flatnonzero(known), spoken.f0[known]) * manner.pitch
        # Rappers exaggerate their speech melody and rise with the bar.
        middle = np.median(curve)
        f0 = middle * (curve / middle) ** rng.uniform(0.7, 1.4) * np.linspace(1.0, rng.uniform(0.95, 1.12), frames)
    else:
        f0 = _pitch(notes, starts, frames, tune, manner, rng, shift)
    level = ndimage.gaussian_filter1d(spoken.level_db[nearest], 3.0)
    target = float(np.percentile(level[voiced], 80)) if voiced.any() else float(level.max())
    # Singers raise vowels, hardly consonants: sibilants of speech would stand out.
    lift_db = np.where(voiced, np.clip(0.55 * (target - level), -4.0, 9.0), -rng.uniform(3.0, 8.0))
    for start, note in zip(starts, notes, strict=True):
        accent = rng.normal(0.0, 1.2) + (1.0 if note.sixteenths >= 4 else 0.0)
        reach = np.arange(start, min(frames, start + max(8, round(note.sixteenths * tune.sixteenth / FRAME_S))))
        shape = rng.uniform(-2.0, 2.5) * np.linspace(-0.5, 0.5, reach.size)  # swell or decay within the note
        lift_db[reach] += accent + shape
    gain = 10.0 ** (ndimage.gaussian_filter1d(lift_db, 4.0) / 20.0)
    tail = min(frames, 24)
    gain[frames - tail :] *= 0.5 * (1.0 + np.cos(np.linspace(0.0, np.pi, tail)))
    return Score(source, np.where(voiced, f0, 0.0), gain)


def _time_map(spoken: Spoken, notes: list[Note], tune: Tune, manner: Manner, rng: np.random.Generator) -> tuple[Mono, list[int]]:
    """Piecewise linear map from sung to spoken frames, and where each note starts."""
    hurry = rng.uniform(1.0, 1.25) if manner.rapped else 1.0
    loose = 0.0 if manner.hard_tuned else 0.012
    out, anchors = 0.0, [(0.0, 0.0)]
    starts: list[int] = []
    position = 0
    for index, ((first, last), note) in enumerate(zip(spoken.cores, notes, strict=True)):
        out += (first - position) / hurry  # consonants and weak vowels before the core, unstretched
        anchors.append((out, float(first)))
        starts.append(int(out))
        following = spoken.cores[index + 1][0] if index + 1 < len(notes) else last
        core, after = last - first, (following - last) / hurry
        sixteenth = tune.sixteenth / FRAME_S
        steps = max(1, round((core / hurry + after) / sixteenth)) if manner.rapped else note.sixteenths
        wanted = steps * sixteenth + rng.normal(0.0, loose) / FRAME_S
        shortest = 0.45 * core if manner.rapped else max(SHORTEST_STRETCH * core, 8.0)
        longest = 1.6 * core if manner.rapped else LONGEST_STRETCH * core
        while wanted - after < shortest and not manner.rapped:
            wanted += sixteenth
        out += float(np.clip(wanted - after, shortest, longest))
        anchors.append((out, float(last)))
        position = last
    end = len(spoken.f0) - 1
    anchors.append((out + (end - position) / hurry, float(end)))
    times, positions = np.array(anchors).T
    return np.interp(np.arange(int(times[-1])), times, positions), starts


def _pitch(
    notes: list[Note], starts: list[int], frames: int, tune: Tune, manner: Manner, rng: np.random.Generator, shift: int
) -> NDArray[np.float64]:
    """Pitch in Hz of every frame."""
    cents = np.zeros(frames)
    depth = np.zeros(frames)
    ends = [*starts[1:], frames]
    lead = 0 if manner.hard_tuned else int(0.03 / FRAME_S)  # singers begin to move before the vowel
    for index, (note, start, end) in enumerate(zip(notes, starts, ends, strict=True)):
        here = max(0, start - lead) if index else 0
        pitch = 1200.0 * np.log2(tune.hertz(note.degree + shift))
        cents[here:] = pitch
        if note.slide is not None:
            cents[(start + 2 * end) // 3 :] = 1200.0 * np.log2(tune.hertz(note.slide + shift))
        if not manner.hard_tuned and rng.random() < 0.18:  # scooped from below
            cents[here : here + int(rng.uniform(0.04, 0.12) / FRAME_S)] -= rng.uniform(80.0, 250.0)
        onset = start + int(rng.uniform(0.18, 0.35) / FRAME_S)
        if end - onset > 0.15 / FRAME_S:
            depth[onset:end] = np.minimum(1.0, np.arange(end - onset) * FRAME_S / 0.4)
    if not manner.hard_tuned:
        omega, damping = rng.uniform(28.0, 55.0), rng.uniform(0.6, 0.95)
        step = (omega * FRAME_S) ** 2
        feedback = [1.0, -2.0 + 2.0 * damping * omega * FRAME_S + step, 1.0 - 2.0 * damping * omega * FRAME_S]
        cents = cents[0] + signal.lfilter([step], feedback, cents - cents[0])
        rate = manner.vibrato_hz * (1.0 + 0.06 * ndimage.gaussian_filter1d(rng.standard_normal(frames), 40.0) * 9.0)
        phase = 2.0 * np.pi * np.cumsum(rate) * FRAME_S
        cents += manner.vibrato_cents * ndimage.gaussian_filter1d(depth, 8.0) * np.sin(phase)
        drift = ndimage.gaussian_filter1d(rng.standard_normal(frames), 60.0) * np.sqrt(2.0 * np.sqrt(np.pi) * 60.0)
        fine = ndimage.gaussian_filter1d(rng.standard_normal(frames), 1.5) * np.sqrt(2.0 * np.sqrt(np.pi) * 1.5)
        cents += 9.0 * drift + (4.0 + 14.0 * manner.growl) * fine + rng.normal(0.0, 6.0)
    return np.asarray(2.0 ** (cents / 1200.0))
