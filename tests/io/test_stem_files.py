"""The stems of a song on disk: together or not at all, at one level, under the names that were asked for."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import pytest
import soundfile

from rtsep.errors import AudioFileError, UsageError
from rtsep.io.stem_files import CEILING, stem_files
from rtsep.io.stem_names import DEFAULT_PATTERN, NamePattern, refuse_collisions

RATE = 44_100
TraceFunction = Callable[[FrameType, str, Any], Any]


def stems(peak: float) -> dict[str, np.ndarray]:
    """Two stems of `[2, 5000]`; the louder one peaks at `peak`."""
    rng = np.random.default_rng(5)
    vocals, other = (rng.uniform(-1, 1, (2, 5000)).astype(np.float32) for _ in range(2))
    return {"vocals": vocals * np.float32(peak) / np.max(np.abs(vocals)), "other": other / 2}


def write(folder: Path, audio: dict[str, np.ndarray], ending: str, samples: str, clip: str) -> float:
    targets = {name: folder / f"{name}.{ending}" for name in audio}
    with stem_files(targets, RATE, 2, samples, clip) as files:
        for start in range(0, 5000, 700):
            for name, stem in audio.items():
                files.write(name, stem[:, start : start + 700])
    return files.gain


def read(path: Path) -> np.ndarray:
    return soundfile.read(path, dtype="float64", always_2d=True)[0].T


def test_quiet_stems_keep_their_level(tmp_path: Path) -> None:
    audio = stems(peak=0.99)
    assert write(tmp_path, audio, "wav", "int24", "rescale") == 1.0
    np.testing.assert_allclose(read(tmp_path / "vocals.wav"), audio["vocals"], atol=2**-24)


def test_rescale_turns_all_stems_down_by_the_same_gain(tmp_path: Path) -> None:
    audio = stems(peak=2.5)
    gain = write(tmp_path, audio, "flac", "int24", "rescale")
    assert gain == pytest.approx(CEILING / 2.5)
    for name, stem in audio.items():
        np.testing.assert_allclose(read(tmp_path / f"{name}.flac"), gain * stem, atol=2**-23)


def test_clamp_cuts_the_peaks_and_keeps_the_level(tmp_path: Path) -> None:
    audio = stems(peak=2.5)
    assert write(tmp_path, audio, "wav", "int24", "clamp") == 1.0
    for name, stem in audio.items():
        np.testing.assert_allclose(read(tmp_path / f"{name}.wav"), np.clip(stem, -1, 1), atol=2**-23)


def test_float_files_hold_what_is_above_full_scale(tmp_path: Path) -> None:
    audio = stems(peak=2.5)
    assert write(tmp_path, audio, "wav", "float32", "rescale") == 1.0
    np.testing.assert_array_equal(read(tmp_path / "vocals.wav"), audio["vocals"])


@pytest.mark.parametrize("clip", ["rescale", "clamp"])
def test_no_stem_appears_unless_all_are_done(tmp_path: Path, clip: str) -> None:
    targets = {name: tmp_path / f"{name}.wav" for name in ("vocals", "other")}
    with pytest.raises(KeyboardInterrupt), stem_files(targets, RATE, 2, "int16", clip) as files:
        files.write("vocals", stems(0.5)["vocals"])
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


# Interrupted while it leaves a `with`, Python hands the open file to the garbage collector, which says so.
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("clip", ["rescale", "clamp"])
def test_an_interrupt_at_any_line_leaves_no_half_written_file(tmp_path: Path, clip: str) -> None:
    """Ctrl-C comes between any two lines: raise it at the first line of the writing modules, then at the second, and so on."""
    audio = stems(peak=2.0)

    def interrupted(line: int, folder: Path) -> bool:
        seen = 0

        def tracer(frame: FrameType, event: str, _: object) -> TraceFunction | None:
            nonlocal seen
            if Path(frame.f_code.co_filename).name not in ("stem_files.py", "writers.py"):
                return None
            seen += event == "line"
            if seen == line and event == "line":
                sys.settrace(None)
                raise KeyboardInterrupt
            return tracer

        before = sys.gettrace()
        sys.settrace(tracer)
        try:
            write(folder, audio, "wav", "int16", clip)
        except KeyboardInterrupt:
            return True
        finally:
            sys.settrace(before)
        return False

    line = 1
    while interrupted(line, folder := tmp_path / str(line)):
        for path in folder.rglob("*"):
            assert path.suffix == ".wav", f"interrupted at line event {line}"
            assert soundfile.info(path).frames == 5000
        line += 1
    assert line > 100  # it went through the whole of both modules


def test_a_stem_that_cannot_be_opened_takes_the_others_with_it(tmp_path: Path) -> None:
    (tmp_path / "other.wav").mkdir()
    targets = {name: tmp_path / f"{name}.wav" for name in ("vocals", "other")}
    with pytest.raises(AudioFileError, match=r"other\.wav"), stem_files(targets, RATE, 2, "int16"):
        raise AssertionError("unreachable")
    assert [path.name for path in tmp_path.iterdir()] == ["other.wav"]


def test_the_pattern_names_every_stem(tmp_path: Path) -> None:
    song = tmp_path / "album" / "My song.v2.mp3"
    expected = {
        DEFAULT_PATTERN: "My song.v2/vocals.flac",
        "{folder}/{track}.{suffix}/{stem}.{ext}": "album/My song.v2.mp3/vocals.flac",
        "{stem}": "vocals.flac",
        "{model}-{tier}/{stem}_{track}": "net-46ms/vocals_My song.v2.flac",
    }
    for pattern, name in expected.items():
        targets = NamePattern(pattern, tmp_path / "out").targets(song, ["vocals"], "flac", "net", "46ms")
        assert targets == {"vocals": tmp_path / "out" / name}


@pytest.mark.parametrize(
    ("pattern", "sentence"),
    [
        ("{trak}/{stem}.{ext}", r'no placeholder "\{trak\}"\. Did you mean "track"'),
        ("{track}.{ext}", r"needs \{stem\}"),
        ("{track/{stem}", "is no pattern|no placeholder"),
        ("{stem", "is no pattern"),
        ("{}/{stem}", r'no placeholder "\{\}"'),
        ("{stem.__class__}", "no placeholder"),
        ("{stem!r}", "placeholders stand alone"),
        ("{stem:>999999999}", "placeholders stand alone"),
    ],
)
def test_a_bad_pattern_is_a_sentence(tmp_path: Path, pattern: str, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        NamePattern(pattern, tmp_path)


@pytest.mark.parametrize("pattern", ["../{stem}.{ext}", "/tmp/{stem}.{ext}", "a/../../{stem}.{ext}"])  # noqa: S108
def test_no_pattern_leads_out_of_the_folder(tmp_path: Path, pattern: str) -> None:
    with pytest.raises(UsageError, match="outside"):
        NamePattern(pattern, tmp_path / "out").targets(Path("a.wav"), ["vocals"], "wav", "m", "t")


def test_two_songs_never_share_a_file_and_no_song_is_written_over() -> None:
    with pytest.raises(UsageError, match=r"a/x\.wav and b/x\.mp3 would both write"):
        refuse_collisions({Path("a/x.wav"): {"vocals": Path("o/x.wav")}, Path("b/x.mp3"): {"vocals": Path("o/x.wav")}})
    with pytest.raises(UsageError, match="is one of the songs"):
        refuse_collisions({Path("vocals.wav"): {"vocals": Path("./vocals.wav")}})
