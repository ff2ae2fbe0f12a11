"""`rtsep separate`, from the words typed to the files on disk. `passthrough` is the model: its stems are known exactly."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from rtsep.cli import main
from rtsep.io.demo_song import demo_song
from rtsep.models.passthrough import SHARES
from rtsep.stems import STEMS

RATE = 44_100


def noise(channels: int = 2, frames: int = 30_011) -> np.ndarray:
    return np.random.default_rng(channels).uniform(-0.9, 0.9, (channels, frames)).astype(np.float32)


def song(path: Path, audio: np.ndarray | None = None, rate: int = RATE) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, (noise() if audio is None else audio).T, rate, subtype="FLOAT" if path.suffix == ".wav" else None)
    return path


def read(path: Path) -> np.ndarray:
    return soundfile.read(path, dtype="float32", always_2d=True)[0].T


def separate(*words: str | Path) -> int:
    return main(["separate", "-m", "passthrough", *map(str, words)])


@pytest.mark.parametrize("channels", [1, 2])
def test_every_stem_has_the_rate_length_and_channels_of_the_song(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], channels: int
) -> None:
    audio = noise(channels)
    assert separate(song(tmp_path / "a.wav", audio), "-o", tmp_path / "out", "--float32") == 0
    written = capsys.readouterr().out.split()
    assert written == [str(tmp_path / "out" / "a" / f"{stem}.wav") for stem in STEMS]
    for path in map(Path, written):
        assert soundfile.info(path).samplerate == RATE
        np.testing.assert_array_equal(read(path), SHARES[path.stem] * audio)


@pytest.mark.parametrize(("flag", "subtype"), [((), "PCM_24"), (("--int16",), "PCM_16"), (("--float32",), "FLOAT")])
def test_samples_are_written_as_asked(tmp_path: Path, flag: tuple[str, ...], subtype: str) -> None:
    separate(song(tmp_path / "a.wav"), "-o", tmp_path, *flag)
    assert soundfile.info(tmp_path / "a" / "vocals.wav").subtype == subtype


def test_chosen_stems_and_types(tmp_path: Path) -> None:
    separate(
        song(tmp_path / "a.wav"),
        "-o",
        tmp_path / "out",
        "--stems",
        "bass,vocals",
        "--format",
        "flac",
        "--filename",
        "{stem}-{track}-{model}",
    )
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["bass-a-passthrough.flac", "vocals-a-passthrough.flac"]


def test_two_stems_add_up_to_the_song(tmp_path: Path) -> None:
    separate(song(tmp_path / "a.wav"), "-o", tmp_path, "--two-stems", "drums", "--float32")
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == ["drums.wav", "no_drums.wav"]
    np.testing.assert_allclose(read(tmp_path / "a/drums.wav") + read(tmp_path / "a/no_drums.wav"), noise(), atol=2e-7)


def test_a_folder_is_searched_and_earlier_stems_are_not_songs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    song(tmp_path / "album/1.wav")
    song(tmp_path / "album/disc 2/2.flac")
    song(tmp_path / "album/.hidden.wav")
    (tmp_path / "album/cover.jpg").write_bytes(b"picture")
    for _ in range(2):
        assert separate(tmp_path / "album", "-o", tmp_path / "album/stems", "--stems", "vocals", "--json", "--overwrite") == 0
        done = json.loads(capsys.readouterr().out)
        assert [Path(entry["song"]).name for entry in done] == ["1.wav", "2.flac"]


def test_files_that_are_there_are_kept_unless_overwriting(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = song(tmp_path / "a.wav")
    vocals, bass = (tmp_path / "a" / name for name in ("vocals.wav", "bass.wav"))
    vocals.parent.mkdir()
    vocals.write_text("my own vocals")
    assert separate(given, "-o", tmp_path, "--stems", "vocals,bass") == 0
    assert capsys.readouterr().out.split() == [str(bass)]
    assert separate(given, "-o", tmp_path, "--stems", "vocals,bass") == 0
    said = capsys.readouterr()
    assert (said.out, "--overwrite" in said.err) == ("", True)
    assert vocals.read_text() == "my own vocals"
    assert separate(given, "-o", tmp_path, "--stems", "vocals,bass", "--overwrite") == 0
    assert read(vocals).shape == noise().shape


def test_one_bad_song_does_not_stop_the_others(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "bad.wav").write_bytes(b"")
    good = [song(tmp_path / name) for name in ("a.wav", "c.wav")]
    assert separate(good[0], tmp_path / "bad.wav", good[1], "-o", tmp_path, "--json") == 1
    said = capsys.readouterr()
    assert "bad.wav is empty" in said.err
    done = json.loads(said.out)
    assert ["error" in entry for entry in done] == [False, True, False]
    assert done[2]["frames"] == 30_011
    assert all(Path(path).is_file() for path in done[2]["files"].values())


def test_a_song_that_breaks_half_way_leaves_no_stems(tmp_path: Path) -> None:
    broken = noise(2, 200_000)
    broken[0, 150_000] = np.nan
    assert separate(song(tmp_path / "a.wav", broken), "-o", tmp_path / "out") == 1
    assert [path for path in (tmp_path / "out").rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_stopped_leaves_no_file(tmp_path: Path, how: signal.Signals) -> None:
    given = song(tmp_path / "a.wav", np.tile(demo_song().mix, 20))  # minutes of work
    words = ["separate", str(given), "-m", "spleeter-2stems", "--tier", "46ms", "-o", str(tmp_path / "out")]
    # A shell that starts jobs in the background makes them deaf to Ctrl-C; this one shall hear it.
    listen = "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); from rtsep.cli import main; "
    process = subprocess.Popen([sys.executable, "-c", f"{listen} sys.exit(main({words!r}))"])
    try:
        while process.poll() is None and not list((tmp_path / "out").rglob("*.part")):
            time.sleep(0.02)
        process.send_signal(how)
        assert process.wait() == 130
    finally:
        process.kill()
        process.wait()
    assert [path for path in (tmp_path / "out").rglob("*") if path.is_file()] == []


def test_stems_above_full_scale_are_turned_down_together_and_it_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    loud = song(tmp_path / "a.wav", 4 * noise())
    assert separate(loud, "-o", tmp_path, "--json") == 0
    said = capsys.readouterr()
    gain_db = json.loads(said.out)[0]["gain_db"]
    assert gain_db == pytest.approx(-20 * np.log10(0.5 * np.max(np.abs(4 * noise()))), abs=0.01)
    assert f"all stems turned down by {-gain_db:.1f} dB" in said.err
    ratio = np.abs(read(tmp_path / "a/bass.wav")).max() / np.abs(read(tmp_path / "a/vocals.wav")).max()
    assert ratio == pytest.approx(SHARES["bass"] / SHARES["vocals"], abs=1e-4)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("-m", "passthrou"), 'Did you mean "passthrough"'),
        (("--tier", "12"), "has no tier"),
        (("--stems", "vocal"), 'Did you mean "vocals"'),
        (("--stems", ","), "names no stem"),
        (("--two-stems", "piano"), 'no stem "piano"'),
        (("--format", "wave"), 'Did you mean "wav"'),
        (("--format", "mp3", "--int16"), "cannot hold int16"),
        (("--filename", "{song}/{stem}"), "no placeholder"),
        (("--filename", "../{stem}"), "outside"),
    ],
)
def test_a_mistyped_request_is_one_sentence_and_exit_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], sentence: str
) -> None:
    assert separate(song(tmp_path / "a.wav"), "-o", tmp_path / "out", *words) == 2
    said = capsys.readouterr()
    assert sentence in said.err
    assert len(said.err.splitlines()) == 1
    assert (said.out, (tmp_path / "out").exists()) == ("", False)


def test_a_folder_without_songs_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert separate(tmp_path) == 2
    assert "holds no songs" in capsys.readouterr().err


@pytest.mark.parametrize("rate", [8_000, 48_000, 192_000])
def test_a_song_at_another_rate_keeps_its_rate_and_length(tmp_path: Path, rate: int) -> None:
    t = np.arange(int(0.7 * rate) + 13) / rate
    audio = np.stack([np.sin(2 * np.pi * 440 * t), np.sin(2 * np.pi * 300 * t)]).astype(np.float32) / 2
    assert separate(song(tmp_path / "a.wav", audio, rate), "-o", tmp_path, "--float32") == 0
    for stem in STEMS:
        path = tmp_path / "a" / f"{stem}.wav"
        assert soundfile.info(path).samplerate == rate
        # Aligned to the frame and at its level; the edges are where the resamplers' filters see silence.
        middle = slice(int(0.1 * rate), int(0.6 * rate))
        np.testing.assert_allclose(read(path)[:, middle], SHARES[stem] * audio[:, middle], atol=1e-3)
