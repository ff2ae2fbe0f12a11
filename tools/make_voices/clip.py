"""One clip of the data set: a speaker, a song, a manner and a production, all drawn from the clip's number."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from melody import Tune
from production import Stereo, Take, place, produce, takes
from singer import Manner, Score, lay_out
from speakers import Speaker
from speech import RATE, Mono, bandwidth, clean, decode, extend
from syllables import FRAME_S, Spoken, analyse
from voices import inhale, splice, vocode

SHORTEST_S = 10.0
FEWEST_SYLLABLES = 3
SYLLABLES_A_SECOND = 4.0
"""Of speech, roughly; clips are joined by it to phrases of one breath."""

Rng = np.random.Generator
Engine = Callable[[Spoken, Score, Manner, Rng], Mono]


@dataclass(frozen=True)
class Clip:
    """Finished audio `[2, samples]` and a few words on how it was made."""

    audio: Stereo
    notes: str


def spoken_phrases(speaker: Speaker, rng: Rng, seconds: float) -> list[Spoken]:
    """Draw clips of the speaker, joined to phrases of at least a few syllables, until there is enough to sing."""
    files = rng.permutation(len(speaker.files))
    pieces: list[Mono] = []
    for index in files[: max(12, int(seconds))]:
        x = clean(decode(speaker.files[index])[: 8 * RATE])
        if len(x) > 0.25 * RATE:
            pieces.append(x)
        if sum(map(len, pieces)) > seconds * RATE:
            break
    if not pieces:
        return []
    limit_hz = bandwidth(np.concatenate(pieces))
    phrases: list[Spoken] = []
    waiting: list[Mono] = []
    seconds_waiting = 0.0
    wanted = int(rng.integers(5, 11))
    for x in pieces:
        waiting.append(extend(x, limit_hz, rng))
        seconds_waiting += len(x) / RATE
        if seconds_waiting * SYLLABLES_A_SECOND >= wanted:
            phrase = analyse(np.concatenate(waiting))
            if len(phrase.cores) >= FEWEST_SYLLABLES:
                phrases.append(phrase)
            waiting, seconds_waiting, wanted = [], 0.0, int(rng.integers(5, 11))
    return phrases


def draw_manner(rng: Rng, kind: str, arrangement: str) -> Manner:
    """Draw how a clip of this kind is sung."""
    effort = {"sung": rng.uniform(0.0, 0.9), "rapped": rng.uniform(0.3, 0.8), "shouted": rng.uniform(0.8, 1.0)}[kind]
    growl = rng.uniform(0.5, 1.0) if kind == "shouted" and rng.random() < 0.7 else 0.0
    if kind == "sung" and rng.random() < 0.12:
        growl = rng.uniform(0.15, 0.6)
    return Manner(
        effort=float(effort),
        breath=float(np.clip(rng.uniform(-0.3, 0.9) * (1.2 - effort), 0.0, 1.0)),
        growl=float(growl),
        formants=float(np.exp(rng.normal(0.0, 0.07)).clip(0.88, 1.15)),
        vibrato_cents=float(rng.choice([0.0, 15.0, 30.0, 50.0, 80.0]) * rng.uniform(0.7, 1.3)),
        vibrato_hz=float(rng.uniform(4.7, 6.5)),
        hard_tuned=arrangement != "choir" and kind == "sung" and rng.random() < 0.1,
        rapped=kind == "rapped",
        pitch=float(rng.uniform(0.92, 1.18)),
    )


def make(speaker: Speaker, number: int) -> Clip | None:
    """Make the clip of this number; None where the speaker's files hold too little to sing."""
    rng = np.random.default_rng((4, number))
    kind = str(rng.choice(["sung", "rapped", "shouted"], p=[0.67, 0.2, 0.13]))
    arrangement = str(rng.choice(["single", "doubled", "harmony", "choir"], p=[0.55, 0.2, 0.17, 0.08]))
    if kind == "rapped" and arrangement in ("harmony", "choir"):
        arrangement = "doubled"
    manner = draw_manner(rng, kind, arrangement)
    dry = arrangement == "single" and rng.random() < 0.6
    engine = splice if kind == "rapped" or rng.random() < 0.45 else vocode
    target = float(rng.uniform(22.0, 42.0))
    phrases = spoken_phrases(speaker, rng, target * (0.9 if kind == "rapped" else 0.65))
    if not phrases:
        return None
    spoken_hz = float(np.median(np.concatenate([phrase.f0[phrase.f0 > 0.0] for phrase in phrases])))
    falsetto = kind == "sung" and rng.random() < 0.08
    lift = rng.uniform(11.0, 15.0) if falsetto else (rng.uniform(-1.0, 5.0) + 7.0 * manner.effort)
    if falsetto:
        manner = Manner(0.05, 0.6, 0.0, manner.formants, manner.vibrato_cents, manner.vibrato_hz, manner.hard_tuned, False)
    tonic_hz = float(np.clip(spoken_hz * 2.0 ** (lift / 12.0), 90.0, 520.0))
    tune = Tune(rng, tonic_hz, int(rng.integers(3, 6)), float(rng.choice([0.2, 0.28, 0.38, 0.5])))
    stack = _sing_all(phrases, tune, manner, takes(arrangement, rng, len(tune.scale)), engine, rng, target)
    if stack.shape[1] < SHORTEST_S * RATE:
        return None
    audio = produce(stack, rng, 4.0 * tune.sixteenth, kind == "shouted", dry)
    if arrangement == "single" and dry:
        audio = audio[:1]
    how = "falsetto" if falsetto else kind
    method = "overlap-add" if engine is splice else "WORLD"
    tuned = ", hard-tuned" if manner.hard_tuned else ""
    return Clip(audio, f"{how}{tuned}, {arrangement}, {'dry' if dry else 'with room'}; made from speech by {method}")


def _sing_all(
    phrases: list[Spoken], tune: Tune, manner: Manner, parts: list[Take], engine: Engine, rng: Rng, target: float
) -> Stereo:
    """Sing phrase after phrase, all takes of each, with breaths between, for about `target` seconds: `[2, samples]`."""
    total = int((target + 20.0) * RATE)
    stack = np.zeros((2, total), np.float32)
    beat = 4.0 * tune.sixteenth
    start = 0.1
    turn = 0
    breathes = rng.random() < 0.5
    while start < target:
        if (turn >= len(phrases) and rng.random() < 0.5) or turn >= 2 * len(phrases):
            break
        phrase = phrases[turn % len(phrases)]  # a second round sings the words to other notes
        notes = tune.phrase(len(phrase.cores))
        longest = 0.0
        if breathes and turn:
            breath = inhale(float(rng.uniform(0.18, 0.45)), rng) * 10.0 ** (rng.uniform(-34.0, -22.0) / 20.0)
            first = max(0, int((start - 0.06) * RATE) - len(breath))
            stack[:, first : first + len(breath)] += breath.astype(np.float32)
        for take in parts:
            own = replace(manner, formants=manner.formants * take.formants)
            score = lay_out(phrase, notes, tune, own, rng, take.shift)
            if len(score.source) * FRAME_S > total / RATE - start - 1.0:
                break
            y = engine(phrase, score, own, rng)
            late = 0.0 if take is parts[0] else abs(float(rng.normal(0.0, 0.014)))
            first = int((start + late) * RATE)
            stack[:, first : first + len(y)] += place(y, take)[:, : total - first]
            longest = max(longest, len(y) / RATE)
        start += longest + float(rng.uniform(0.3, 1.6))
        start = np.ceil(start / beat) * beat if beat < 0.6 else start
        turn += 1
    last = int(np.flatnonzero(np.abs(stack).max(0) > 1e-4).max(initial=0))
    return stack[:, : last + RATE // 2]
