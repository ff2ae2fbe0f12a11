"""Accompaniment beyond the grooves of MMA: power chords, strumming, comping keys, pads, arpeggios, stabs and riffs."""

from __future__ import annotations

from collections.abc import Callable

from harmony import Span, scale_of
from score import Note, Part, Rng

Writer = Callable[[list[Span], float, str, Rng], Part]

RHYTHMS = (
    "X...X...X...X...",
    "X.x.X.x.X.x.X.x.",
    "X..x..x.X..x..x.",
    "X..x..X...x.X...",
    "....X.......X...",
    "..x...x...x...x.",
    "X...............",
    "X.......X.......",
    "X.xxX.xxX.xxX.xx",
    "x..x.x..x..x.x..",
    "X.....x...x.....",
    ".x.xx.x..x.xx.x.",
    "X..X..X.X..X..X.",
)


def _hits(span: Span, beat: float, rhythm: str, origin: float) -> list[tuple[float, float, bool]]:
    """Return `(start, seconds to the next stroke, accent)` of a rhythm of sixteenths within a span."""
    step = beat / 4
    first, last = round((span.start - origin) / step), round((span.stop - origin) / step)
    places = [at for at in range(first, last) if rhythm[at % len(rhythm)] != "."]
    ends = [*places[1:], last]
    return [
        (origin + at * step, (end - at) * step, rhythm[at % len(rhythm)] == "X") for at, end in zip(places, ends, strict=True)
    ]


def power_chords(spans: list[Span], beat: float, style: str, rng: Rng) -> Part:
    """Fifths on the low strings, muted between accents: to be played through a high-gain amplifier."""
    floor, muted = int(rng.integers(36, 43)), rng.random() < (0.8 if style == "metal" else 0.4)
    rhythms = [RHYTHMS[rng.integers(len(RHYTHMS))], RHYTHMS[rng.integers(len(RHYTHMS))], "XxxxXxxxXxxxXxxx"]
    rhythm = rhythms[rng.integers(3 if style == "metal" else 2)]
    notes = []
    for span in spans:
        root = floor + (span.chord.root - floor) % 12
        for start, until, accent in _hits(span, beat, rhythm, spans[0].start):
            length = until * 0.95 if accent or not muted else min(0.09, until * 0.8)
            shape = (0, 7, 12) if accent or not muted else (0,)
            notes += [Note(start, length, root + step, 112 if accent else 88) for step in shape]
    return Part("power", notes, 27)


def strumming(spans: list[Span], beat: float, style: str, rng: Rng) -> Part:
    """Six-string chords, strings 8 to 20 ms apart, down and up in turn."""
    rhythm, floor = RHYTHMS[rng.integers(len(RHYTHMS))], int(rng.integers(40, 46))
    spread = float(rng.uniform(0.006, 0.02))
    notes = []
    for span in spans:
        keys = [key for key in range(floor, floor + 27) if key % 12 in span.chord.classes()][:: 1 if rng.random() < 0.7 else 2][
            :6
        ]
        for index, (start, until, accent) in enumerate(_hits(span, beat, rhythm, spans[0].start)):
            order = keys if index % 2 == 0 else keys[::-1][:4]
            notes += [
                Note(start + string * spread, max(0.08, until - string * spread), key, (100 if accent else 78) - 2 * string)
                for string, key in enumerate(order)
            ]
    return Part("strum", notes, int(rng.choice([24, 25, 25, 26, 27, 28])))


def comping(spans: list[Span], beat: float, style: str, rng: Rng) -> Part:
    """Chords of the right hand in a rhythm, sometimes with a low left hand; pianos, electric pianos, clavinets, organs."""
    rhythm, centre = RHYTHMS[rng.integers(len(RHYTHMS))], int(rng.integers(57, 69))
    short, left_hand = float(rng.uniform(0.4, 1.0)), rng.random() < 0.4
    notes = []
    for span in spans:
        for start, until, accent in _hits(span, beat, rhythm, spans[0].start):
            notes += [Note(start, until * short, key, 98 if accent else 78) for key in span.chord.near(centre)]
        if left_hand:
            notes.append(Note(span.start, span.stop - span.start, 43 + (span.chord.root - 43) % 12, 84))
    organ = rng.random() < 0.25
    return Part("organ" if organ else "keys", notes, int(rng.choice([16, 17, 18] if organ else [0, 1, 2, 3, 4, 5, 4, 5, 6, 7])))


def pad(spans: list[Span], beat: float, style: str, rng: Rng) -> Part:
    """Held chords of strings, synthesisers or, rarely, a choir."""
    centre = int(rng.integers(55, 71))
    notes = [
        Note(span.start, (span.stop - span.start) * 0.99, key, int(rng.integers(66, 92)))
        for span in spans
        for key in span.chord.near(centre)
    ]
    programs = [48, 48, 49, 50, 51, 88, 89, 90, 91, 92, 93, 94, 95, 61, 19, 21]
    if rng.random() < 0.3:
        programs += [52, 53, 54]
    return Part("pad", notes, int(rng.choice(programs)))


def arpeggio(spans: list[Span], beat: float, style: str, rng: Rng) -> Part:
    """Chord notes one by one over one to three octaves in eighths, triplets or sixteenths."""
    divide, octaves = int(rng.choice([2, 3, 4, 4])), int(rng.integers(1, 4))
    centre, part = int(rng.integers(55, 70)), float(rng.uniform(0.4, 1.5))
    order = int(rng.integers(4))
    notes = []
    for span in spans:
        keys = [key + 12 * octave for octave in range(octaves) for key in span.chord.near(centre)]
        keys = (keys, keys[::-1], keys + keys[-2:0:-1], [keys[i] for i in rng.permutation(len(keys))])[order]
        count = round((span.stop - span.start) / beat * divide)
        notes += [
            Note(
                span.start + index * beat / divide,
                beat / divide * part,
                keys[index % len(keys)],
                96 if index % divide == 0 else 80,
            )
            for index in range(count)
        ]
    return Part("arp", notes, int(rng.choice([0, 4, 6, 8, 9, 11, 12, 24, 25, 27, 45, 46, 80, 81, 87, 98, 99, 104, 108])))


def stabs(spans: list[Span], beat: float, style: str, rng: Rng) -> Part:
    """Short chords of brass, strings or synthesisers that come and go."""
    rhythm, centre = RHYTHMS[rng.integers(len(RHYTHMS))], int(rng.integers(58, 71))
    notes = []
    for index, span in enumerate(spans):
        if (index // 2) % 2 == 0 or rng.random() < 0.2:
            for start, until, accent in _hits(span, beat, rhythm, spans[0].start):
                notes += [Note(start, min(until, 0.3), key, 112 if accent else 94) for key in span.chord.near(centre)]
    return Part("brass", notes, int(rng.choice([61, 61, 62, 63, 56, 55, 90, 81, 48])))


def riff(spans: list[Span], beat: float, style: str, rng: Rng) -> Part:
    """A figure of single notes of the scale, repeated over every chord: guitar or synthesiser."""
    low = int(rng.choice([40, 45, 52, 57]))
    figure = [(at, int(rng.integers(6))) for at in range(16) if rng.random() < 0.45] or [(0, 0)]
    notes = []
    for span in spans:
        scale = sorted(low + (pc - low) % 12 for pc in scale_of(span.chord, style))
        for at, degree in figure:
            start = span.start + at * beat / 4
            if start < span.stop - 0.05:
                notes.append(
                    Note(start, beat / 4 * float(rng.uniform(0.6, 1.8)), scale[degree % len(scale)], int(rng.integers(80, 112)))
                )
    driven = style in ("rock", "metal", "blues") or rng.random() < 0.2
    return Part("power" if driven else "arp", notes, 27 if driven else int(rng.choice([27, 28, 81, 80, 4, 7, 11, 105])))


WRITERS: dict[str, tuple[Writer, ...]] = {
    "pop": (strumming, comping, pad, arpeggio, stabs, riff),
    "rock": (power_chords, power_chords, strumming, riff, comping, pad),
    "metal": (power_chords, power_chords, riff, pad),
    "blues": (comping, strumming, riff, stabs),
    "jazz": (comping, comping, strumming, stabs, pad),
    "funk": (comping, strumming, stabs, riff, pad),
    "latin": (comping, strumming, stabs, arpeggio),
    "reggae": (comping, strumming, stabs, pad),
    "country": (strumming, strumming, arpeggio, comping),
    "dance": (pad, arpeggio, arpeggio, stabs, riff, comping),
    "ballad": (pad, comping, arpeggio, strumming),
}


def compose(spans: list[Span], beat: float, style: str, rng: Rng) -> list[Part]:
    """Write two to four parts that suit a style, each of another kind; heavy styles begin with the guitars."""
    writers = WRITERS[style]
    first = [writers[0]] if style in ("rock", "metal") and rng.random() < 0.85 else []
    order = [*first, *(writers[index] for index in rng.permutation(len(writers)))]
    chosen = list(dict.fromkeys(order))[: int(rng.integers(2, 5))]
    return [writer(spans, beat, style, rng) for writer in chosen]
