"""Writing sound files: whole or not at all, and every sample where it belongs."""

from __future__ import annotations

import resource
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from rtsep.errors import AudioFileError, UsageError
from rtsep.io.writers import FORMATS, AudioWriter, sample_format

RATE = 44_100


def tone(frames: int = RATE) -> np.ndarray:
    """`[2, frames]` float32, below full scale."""
    t = np.arange(frames) / RATE
    return (0.5 * np.sin(2 * np.pi * np.array([[220.0], [330.0]]) * t)).astype(np.float32)


def write(path: Path, audio: np.ndarray, samples: str) -> None:
    with AudioWriter(path, RATE, audio.shape[0], samples) as file:
        for start in range(0, audio.shape[1], 4096):
            file.write(audio[:, start : start + 4096])


@pytest.fixture
def small_disk() -> Iterator[None]:
    """No file of this process may grow beyond 64 kB, which fails a write as a full disk does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (65_536, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.parametrize("ending", FORMATS)
def test_every_type_keeps_rate_channels_and_length(tmp_path: Path, ending: str) -> None:
    for samples in FORMATS[ending].subtypes:
        path = tmp_path / f"{samples}.{ending}"
        write(path, tone(30_001), samples)
        info = soundfile.info(path)
        assert (info.samplerate, info.channels, info.frames) == (RATE, 2, 30_001)
        assert info.subtype == FORMATS[ending].subtypes[samples]


@pytest.mark.parametrize(("samples", "bits"), [("int16", 16), ("int24", 24)])
@pytest.mark.parametrize("ending", ["wav", "flac", "aiff"])
def test_integers_are_rounded_to_the_nearest_step(tmp_path: Path, ending: str, samples: str, bits: int) -> None:
    write(tmp_path / f"a.{ending}", tone(), samples)
    read, _ = soundfile.read(tmp_path / f"a.{ending}", dtype="float64")
    assert np.max(np.abs(read.T - tone())) <= 0.5 * 2.0 ** (1 - bits)


def test_every_16_bit_sample_survives_a_round_trip(tmp_path: Path) -> None:
    every = np.arange(-32768, 32768, dtype=np.int16)
    write(tmp_path / "a.wav", (every.astype(np.float32) / 32768)[None], "int16")
    np.testing.assert_array_equal(soundfile.read(tmp_path / "a.wav", dtype="int16")[0], every)


def test_integers_saturate_and_float_keeps_what_is_above_full_scale(tmp_path: Path) -> None:
    loud = np.array([[-3.0, -1.0, 0.0, 1.0, 3.0]], np.float32)
    write(tmp_path / "a.wav", loud, "int16")
    write(tmp_path / "b.wav", loud, "float32")
    assert soundfile.read(tmp_path / "a.wav", dtype="int16")[0].tolist() == [-32768, -32768, 0, 32767, 32767]
    assert soundfile.read(tmp_path / "b.wav", dtype="float32")[0].tolist() == loud[0].tolist()


@given(sizes=st.lists(st.integers(0, 3000), max_size=6))
def test_any_block_sizes_make_one_file(tmp_path_factory: pytest.TempPathFactory, sizes: list[int]) -> None:
    path = tmp_path_factory.mktemp("blocks") / "a.wav"
    audio = tone(sum(sizes))
    with AudioWriter(path, RATE, 2, "float32") as file:
        for end, size in zip(np.cumsum(sizes), sizes, strict=True):
            file.write(audio[:, end - size : end])
    np.testing.assert_array_equal(soundfile.read(path, dtype="float32", always_2d=True)[0].T, audio)


def test_nothing_has_the_name_before_the_end(tmp_path: Path) -> None:
    with AudioWriter(tmp_path / "a.wav", RATE, 2, "int16") as file:
        file.write(tone())
        assert not (tmp_path / "a.wav").exists()
    assert [p.name for p in tmp_path.iterdir()] == ["a.wav"]


@pytest.mark.parametrize("reason", [KeyboardInterrupt, RuntimeError])
def test_an_interrupted_write_leaves_what_was_there_before(tmp_path: Path, reason: type[BaseException]) -> None:
    (tmp_path / "a.flac").write_text("the old file")
    with pytest.raises(reason), AudioWriter(tmp_path / "a.flac", RATE, 2, "int16") as file:
        file.write(tone())
        raise reason
    assert [p.name for p in tmp_path.iterdir()] == ["a.flac"]
    assert (tmp_path / "a.flac").read_text() == "the old file"


@pytest.mark.parametrize(("ending", "samples"), [("wav", "float32"), ("flac", "int24"), ("aiff", "int16")])
@pytest.mark.usefixtures("small_disk")
def test_a_full_disk_is_a_sentence_and_leaves_nothing(tmp_path: Path, ending: str, samples: str) -> None:
    noise = np.random.default_rng(0).uniform(-1, 1, (2, 100_000)).astype(np.float32)
    with pytest.raises(AudioFileError, match="Is the disk full"):
        write(tmp_path / f"a.{ending}", noise, samples)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "stems").write_text("a file where the folder should be")
    with pytest.raises(AudioFileError, match="cannot be written"), AudioWriter(tmp_path / "stems/vocals.wav", RATE, 2, "int16"):
        raise AssertionError("unreachable")


def test_a_folder_under_the_final_name_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "vocals.wav").mkdir()
    with pytest.raises(AudioFileError, match="a folder has this name"), AudioWriter(tmp_path / "vocals.wav", RATE, 2, "int16"):
        raise AssertionError("unreachable")


def test_a_rate_that_the_type_does_not_take_is_a_sentence(tmp_path: Path) -> None:
    sentence = "MP3 does not take 96000 Hz; use --format flac"
    with pytest.raises(AudioFileError, match=sentence), AudioWriter(tmp_path / "a.mp3", 96_000, 2, "lossy"):
        raise AssertionError("unreachable")
    assert list(tmp_path.iterdir()) == []


def test_what_may_pass_4_gigabytes_becomes_rf64(tmp_path: Path) -> None:
    with AudioWriter(tmp_path / "a.wav", RATE, 2, "float32", frames=2**30) as file:
        file.write(tone())
    assert (tmp_path / "a.wav").read_bytes()[:4] == b"RF64"
    assert soundfile.info(tmp_path / "a.wav").frames == RATE


def test_unknown_types_and_samples_name_what_there_is() -> None:
    assert sample_format("flac", None) == "int24"
    assert sample_format("wav", "float32") == "float32"
    with pytest.raises(UsageError, match=r'no file type "flaac"\. Did you mean "flac"'):
        sample_format("flaac", None)
    with pytest.raises(UsageError, match="FLAC cannot hold float32 samples; use --format wav or aiff"):
        sample_format("flac", "float32")
    with pytest.raises(UsageError, match="MP3 cannot hold int16"):
        sample_format("mp3", "int16")
