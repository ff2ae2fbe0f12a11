"""Drum patterns on a grid of sixteenths, varied, with fills, cymbals at borders and hand percussion.

Lines of sixteen characters: `x` a stroke, `X` an accent, `o` a ghost stroke, `.` nothing. Each family lists kicks and snares that
go together with any of its time keepers; strokes are dropped, added and weighted at random, so no two songs share a beat.
"""

from __future__ import annotations

from collections.abc import Sequence

from score import Note, Rng

KICK, STICK, SNARE, CLAP, CLOSED, PEDAL, OPEN = 36, 37, 38, 39, 42, 44, 46
LOW_TOM, MIDDLE_TOM, HIGH_TOM, CRASH, RIDE, CHINA, BELL = 43, 47, 50, 49, 51, 52, 53
TAMBOURINE, COWBELL, HIGH_CONGA, LOW_CONGA, SHAKER, CLAVES, BONGO, TIMBALE = 54, 56, 63, 64, 70, 75, 60, 65
STRENGTH = {"x": 92, "X": 116, "o": 38}

BEATS: dict[str, dict[str, tuple[str, ...]]] = {
    "rock": {
        "kick": (
            "X.......X.......",
            "X.....x.X.......",
            "X.x.....X.x.....",
            "X..x....X.x....x",
            "X......xX..x....",
            "X.....xxX.......",
            "X.x..x..x.X.....",
        ),
        "snare": ("....X.......X...", "....X..o.o..X...", "....X.......X..o", "....X.......X.xx"),
        "time": (
            "42:x.x.x.x.x.x.x.x.",
            "42:X.x.X.x.X.x.X.x.",
            "46:X.x.x.x.X.x.x.x.",
            "51:X.x.x.x.X.x.x.x.",
            "46:X...X...X...X...",
            "42:xxxxxxxxxxxxxxxx",
            "49:X...X...X...X...",
            "43:X.x.X.x.X.x.X.x.",
        ),
    },
    "half": {
        "kick": ("X.....x.........", "X..x.......x....", "X.........x.....", "X.xx......x..x.."),
        "snare": ("........X.......", "........X.....o.", "....o...X......o"),
        "time": ("42:X.x.X.x.X.x.X.x.", "46:X...X...X...X...", "51:X.x.X.x.X.x.X.x.", "42:x.xxx.x.x.xxx.x."),
    },
    "punk": {
        "kick": ("X...X...X...X...", "X.....x.X.x.....", "X..xx...X..xx..."),
        "snare": ("..X...X...X...X.", "....X.......X...", "..X...X...X...Xx"),
        "time": ("42:X.x.X.x.X.x.X.x.", "46:X.X.X.X.X.X.X.X.", "51:X.X.X.X.X.X.X.X."),
    },
    "metal": {
        "kick": (
            "XxxxXxxxXxxxXxxx",
            "X.xxX.xxX.xxX.xx",
            "XX..XX..XX..XX..",
            "X..xX..xX..xX..x",
            "X.x.X.x.X.x.X.x.",
            "XxX..xXxX..xXx..",
        ),
        "snare": ("....X.......X...", "........X.......", ".x.x.x.x.x.x.x.x", "..X...X...X...X."),
        "time": (
            "46:X...X...X...X...",
            "51:X...X...X...X...",
            "52:X...X...X...X...",
            "42:X.x.X.x.X.x.X.x.",
            "53:X...X...X...X...",
            "51:X.X.X.X.X.X.X.X.",
        ),
    },
    "house": {
        "kick": ("X...X...X...X...", "X...X...X...X..x"),
        "snare": ("....X.......X...", "....X..o....X...", "................", "....X.......X.o."),
        "time": (
            "46:..X...X...X...X.",
            "42:x.Xxx.Xxx.Xxx.Xx",
            "42:..X...X...X...X.",
            "42:xxXxxxXxxxXxxxXx",
            "46:..X...X...X..xX.",
        ),
    },
    "breaks": {
        "kick": ("X.x.......x.....", "X.........x.....", "X.x.......xx....", "X..x..x...x....."),
        "snare": ("....X..o.o..X...", "....X.......X...", "....X..o.o....X.", "....X.....o.X..o"),
        "time": ("42:x.x.x.x.x.x.x.x.", "51:X.x.X.x.X.x.X.x.", "42:xxxxxxxxxxxxxxxx"),
    },
    "trap": {
        "kick": ("X.....x...x.....", "X..x......x..x..", "X.........x.....", "X......x..x....x"),
        "snare": ("........X.......", "........X.....o.", "........X..x...."),
        "time": ("42:x.x.x.x.x.xxx.x.", "42:xxx.xxx.xxx.xxxx", "42:x.x.xxx.x.x.xxxx", "42:x..x..x.x..x..x."),
    },
    "hiphop": {
        "kick": ("X......x..X.....", "X.x.......X..x..", "X..x..x...X.....", "X.......x.X....x"),
        "snare": ("....X.......X...", "....X..o.o..X...", "....X.......X..o"),
        "time": ("42:x.x.x.x.x.x.x.x.", "42:X.xxX.x.X.xxX.x.", "46:..x...x...x...x."),
    },
    "funk": {
        "kick": ("X.x....x..x..x..", "X..x..x...x.....", "X.xx......x..x..", "X.....x..xx....."),
        "snare": ("....X..o.o.oX..o", "....X..o.o..X.o.", "..o.X.oo.o..X..o", "....X..X.o..X..o"),
        "time": ("42:XxxxXxxxXxxxXxxx", "42:X.x.X.x.X.x.X.x.", "42:xxXxxxXxxxXxxxXx", "51:X.x.X.x.X.x.X.x."),
    },
    "reggae": {
        "kick": ("........X.......", "X.......X.......", "X...X...X...X..."),
        "snare": ("........X.......", "........X..o..o.", "....X.......X..."),
        "time": ("42:..x...x...x...x.", "42:x.x.x.x.x.x.x.x.", "42:x..xx..xx..xx..x"),
    },
    "latin": {
        "kick": ("X..xX..xX..xX..x", "X.....x.X.....x.", "X..x....X..x....", "...x..x....x..x."),
        "snare": ("x..x..x...x..x..", "..x..x..x..x..x.", "...x..x....x..x.", "x..x...x..x.x..."),
        "time": ("42:xxxxxxxxxxxxxxxx", "51:X.xxX.xxX.xxX.xx", "42:x.x.x.x.x.x.x.x.", "53:X.X.X.xxX.X.X.xx"),
    },
    "train": {
        "kick": ("X...X...X...X...", "X.......X......."),
        "snare": ("ooXoooXoooXoooXo", "oxXooxXooxXooxXx", "..X...X...X...X."),
        "time": ("44:..x...x...x...x.", "42:..x...x...x...x."),
    },
}

PERCUSSION = (
    {SHAKER: "XoxoXoxoXoxoXoxo"},
    {SHAKER: "..x...x...x...x."},
    {TAMBOURINE: "....X.......X..."},
    {TAMBOURINE: "x.X.x.X.x.X.x.X."},
    {CLAP: "....X.......X..."},
    {COWBELL: "X...X...X...X..."},
    {HIGH_CONGA: "x..x..x.x..x....", LOW_CONGA: "......x.......xx"},
    {BONGO: "X.oxX.oxX.oxX.ox"},
    {CLAVES: "X..X..X...X.X..."},
    {TIMBALE: "..........x..x.x", COWBELL: "x.x.xx.x.x.xx.xx"},
)

SUITED = {
    "pop": ("rock", "half", "house", "funk"),
    "rock": ("rock", "rock", "punk", "half"),
    "metal": ("metal", "metal", "punk", "half"),
    "blues": ("rock", "half", "train"),
    "jazz": ("funk", "latin", "hiphop"),
    "funk": ("funk", "funk", "hiphop", "breaks"),
    "latin": ("latin", "latin", "reggae"),
    "reggae": ("reggae",),
    "country": ("train", "rock"),
    "dance": ("house", "house", "breaks", "trap", "hiphop", "half"),
    "ballad": ("half", "rock", "hiphop"),
}
"""Families of beats by style; a repeated one is likelier."""


def _pick(choices: Sequence[str], rng: Rng) -> str:
    return choices[int(rng.integers(len(choices)))]


def _bar(rng: Rng, family: str) -> dict[int, str]:
    """One bar: strokes by drum."""
    beat = BEATS[family]
    key, time = _pick(beat["time"], rng).split(":")
    return {int(key): time, KICK: _pick(beat["kick"], rng), SNARE: _pick(beat["snare"], rng)}


def _fill(rng: Rng, start: float, step: float) -> list[Note]:
    """Half a bar of snare and toms, downwards."""
    order = [SNARE, HIGH_TOM, MIDDLE_TOM, LOW_TOM]
    strokes = sorted(rng.choice(8, size=int(rng.integers(4, 9)), replace=False))
    return [
        Note(start + (8 + int(at)) * step, 0.2, order[min(3, int(at) // 2 + int(rng.integers(2)))], int(rng.integers(75, 122)))
        for at in strokes
    ]


def compose(style: str, bars: int, bar_seconds: float, section: int, rng: Rng) -> list[Note]:
    """Compose the drums of a song of `bars` bars in four; every `section` bars begin with a cymbal, mostly after a fill."""
    families = SUITED[style]
    family = _pick(families, rng)
    step = bar_seconds / 16.0
    swing = float(rng.choice([0.0, 0.0, 0.12, 0.3])) * step if family not in ("metal", "house", "punk") else 0.0
    shapes = [_bar(rng, family) for _ in range(3)]
    percussion = dict(PERCUSSION[rng.integers(len(PERCUSSION))]) if rng.random() < 0.45 else {}
    backbeat = {SNARE: int(rng.choice([SNARE, SNARE, 40, CLAP])) if family in ("house", "trap", "hiphop", "half") else SNARE}
    if family in ("latin", "reggae") or style == "ballad":
        backbeat[SNARE] = int(rng.choice([SNARE, STICK]))
    notes: list[Note] = []
    for bar in range(bars):
        start = bar * bar_seconds
        shape = dict(shapes[bar // section % 3])
        last = bar % section == section - 1
        filling = last and rng.random() < 0.8
        if bar % 2 and rng.random() < 0.5:
            shape[KICK] = _pick(BEATS[family]["kick"], rng)
        for key, line in (shape | (percussion if rng.random() < 0.9 else {})).items():
            for at, sign in enumerate(line):
                skipped = filling and at >= 8 and key not in percussion and key != KICK
                if sign == "." or skipped or (sign == "o" and rng.random() < 0.3):
                    continue
                late = swing if at % 2 else 0.0
                notes.append(
                    Note(start + at * step + late, 0.2, backbeat.get(key, key), STRENGTH[sign] + int(rng.integers(-8, 9)))
                )
        if filling:
            notes += _fill(rng, start, step)
        if bar % section == 0 and rng.random() < 0.75:
            notes.append(Note(start, 1.5, int(rng.choice([CRASH, 57, CRASH, CHINA])), int(rng.integers(95, 124))))
    return sorted(notes, key=lambda note: note.start)
