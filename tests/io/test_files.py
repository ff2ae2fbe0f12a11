"""Reading songs: every supported type decodes, every broken file is one sentence."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from rtsep.errors import AudioFileError
from rtsep.io import ffmpeg
from rtsep.io.files import open_audio

RATE = 44_100


@pytest.fixture(scope="module")
def song() -> np.ndarray:
    """Two seconds of stereo with a tone and noise, `[2, frames]`, below full scale."""
    t = np.arange(2 * RATE) / RATE
    noise = np.random.default_rng(3).normal(0, 0.05, (2, t.size))
    return (0.3 * np.sin(2 * np.pi * np.array([[220.0], [330.0]]) * t) + noise).astype(np.float32)


def write(path: Path, audio: np.ndarray, rate: int = RATE, subtype: str | None = None) -> Path:
    """Write in small blocks: libsndfile's Vorbis encoder wants it so."""
    with soundfile.SoundFile(path, "w", rate, audio.shape[0], subtype) as file:
        for start in range(0, audio.shape[1], 4096):
            file.write(audio[:, start : start + 4096].T)
    return path


def read(path: Path, frames: int = 16384) -> np.ndarray:
    with open_audio(path) as file:
        return np.concatenate(list(file.blocks(frames)), axis=1)


def cut(path: Path, share: float = 0.6) -> Path:
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    return path


def run_ffmpeg(*words: str | Path) -> None:
    subprocess.run(["ffmpeg", "-nostdin", "-v", "error", "-y", *words], check=True)


@pytest.mark.parametrize(
    ("name", "subtype", "error"),
    [
        ("a.wav", "PCM_16", 2**-15),
        ("a.wav", "PCM_24", 2**-23),
        ("a.wav", "FLOAT", 0.0),
        ("a.flac", "PCM_24", 2**-23),
        ("a.aiff", "PCM_16", 2**-15),
        ("a.w64", "FLOAT", 0.0),
        ("a.ogg", None, None),
        ("a.mp3", None, None),
    ],
)
def test_every_type_gives_the_song_at_its_rate_and_length(
    tmp_path: Path, song: np.ndarray, name: str, subtype: str | None, error: float | None
) -> None:
    path = write(tmp_path / name, song, subtype=subtype)
    with open_audio(path) as file:
        assert (file.rate, file.channels, file.frames) == (RATE, 2, song.shape[1])
    decoded = read(path)
    assert decoded.dtype == np.float32
    assert decoded.shape == song.shape
    if error is None:  # lossy: the same music, not the same samples
        assert np.corrcoef(decoded[0], song[0])[0, 1] > 0.95
    else:
        assert np.max(np.abs(decoded - song)) <= error  # the encoder rounds down: one step of the sample format


def test_aac_is_read_through_ffmpeg_at_its_exact_length(tmp_path: Path, song: np.ndarray) -> None:
    run_ffmpeg("-i", write(tmp_path / "a.wav", song), "-c:a", "aac", tmp_path / "a.m4a")
    decoded = read(tmp_path / "a.m4a")
    assert decoded.shape == song.shape
    assert np.corrcoef(decoded[1], song[1])[0, 1] > 0.9


@pytest.mark.parametrize("loud_end", ["first", "last"])
def test_an_mp3_without_a_length_tag_is_read_to_its_end(tmp_path: Path, loud_end: str) -> None:
    # Its first frame's bit rate says nothing about the rest: libsndfile alone would give 22 % or promise 330 %.
    noise = np.random.default_rng(0).normal(0, 0.1, (2, 4 * RATE)).astype(np.float32)
    silence = np.zeros((2, 12 * RATE), np.float32)
    parts = [noise, silence] if loud_end == "first" else [silence, noise]
    source = write(tmp_path / "a.wav", np.concatenate(parts, axis=1))
    run_ffmpeg("-i", source, "-c:a", "libmp3lame", "-q:a", "2", "-write_xing", "0", tmp_path / "a.mp3")
    assert read(tmp_path / "a.mp3").shape[1] == pytest.approx(16 * RATE, abs=3000)


def test_missing_ffmpeg_is_a_sentence_with_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.m4a").write_bytes(b"\0\0\0\x20ftypM4A ")
    monkeypatch.setattr(ffmpeg.shutil, "which", lambda name: None)
    with pytest.raises(AudioFileError, match="apt install ffmpeg"):
        read(tmp_path / "a.m4a")


@given(block=st.integers(1, 100_000))
def test_any_block_size_gives_the_same_samples(tmp_path_factory: pytest.TempPathFactory, block: int) -> None:
    ramp = np.arange(7001, dtype=np.float32)[None] / 8192
    path = tmp_path_factory.getbasetemp() / "ramp.wav"
    if not path.exists():
        write(path, ramp, subtype="FLOAT")
    with open_audio(path) as file:
        blocks = list(file.blocks(block))
    assert all(b.shape[1] == block for b in blocks[:-1])
    np.testing.assert_array_equal(np.concatenate(blocks, axis=1), ramp)


@pytest.mark.parametrize("name", ["a.wav", "a.aiff", "a.flac", "a.ogg", "a.opus", "a.mp3", "a.w64"])
def test_a_cut_file_is_refused(tmp_path: Path, song: np.ndarray, name: str) -> None:
    path = tmp_path / name
    if name == "a.opus":
        run_ffmpeg("-i", write(tmp_path / "b.wav", song), path)
    else:
        write(path, song)
    assert read(path).shape[1] > 0  # whole, it reads
    with pytest.raises(AudioFileError, match="cut off"):
        read(cut(path))


def test_a_cut_m4a_is_refused(tmp_path: Path, song: np.ndarray) -> None:
    path = tmp_path / "a.m4a"
    run_ffmpeg("-i", write(tmp_path / "a.wav", song), "-c:a", "aac", "-movflags", "+faststart", path)
    with pytest.raises(AudioFileError, match="cut off"):
        read(cut(path))


def test_a_wav_that_was_streamed_through_a_pipe_is_whole(tmp_path: Path, song: np.ndarray) -> None:
    source = write(tmp_path / "a.wav", song, subtype="PCM_16")
    piped = subprocess.run(
        ["ffmpeg", "-nostdin", "-v", "error", "-i", source, "-f", "wav", "-"], check=True, capture_output=True
    ).stdout
    (tmp_path / "piped.wav").write_bytes(piped)
    np.testing.assert_array_equal(read(tmp_path / "piped.wav"), read(source))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_sample_that_is_no_number_is_refused_with_its_place(tmp_path: Path, song: np.ndarray, value: float) -> None:
    broken = song.copy()
    broken[1, 66_150] = value
    path = write(tmp_path / "a.wav", broken, subtype="FLOAT")
    with pytest.raises(AudioFileError, match=re.escape("at 0:01.50, frame 66150, channel 2")):
        read(path)


@pytest.mark.parametrize("channels", [3, 6])
def test_more_than_two_channels_are_refused_with_advice(tmp_path: Path, channels: int) -> None:
    path = write(tmp_path / "a.wav", np.zeros((channels, 1000), np.float32))
    with pytest.raises(AudioFileError, match=f"{channels} channels.*-ac 2"):
        read(path)


@pytest.mark.parametrize("rate", [7_999, 192_001, 384_000])
def test_rates_outside_the_range_are_refused(tmp_path: Path, rate: int) -> None:
    path = write(tmp_path / "a.wav", np.zeros((1, 1000), np.float32), rate=rate)
    with pytest.raises(AudioFileError, match=f"{rate} Hz; rtsep takes 8000 to 192000 Hz"):
        read(path)


@pytest.mark.parametrize("rate", [8_000, 192_000])
def test_rates_at_the_edges_are_read(tmp_path: Path, rate: int) -> None:
    path = write(tmp_path / "a.wav", np.ones((1, 1000), np.float32) / 4, rate=rate)
    assert read(path).shape == (1, 1000)


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("a.wav", b"", "is empty"),
        ("a.wav", b"RIFF", "cannot be read as audio"),
        ("a.mp3", b"not music at all, only words " * 40, "cannot be read as audio"),
        ("a.m4a", b"not music at all, only words " * 40, "cannot be read as audio"),
        ("a.txt", b"not music", "cannot be read as audio"),
    ],
)
def test_what_is_no_song_is_one_sentence(tmp_path: Path, name: str, content: bytes, sentence: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(AudioFileError, match=sentence):
        read(tmp_path / name)


def test_a_header_without_frames_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", np.zeros((2, 0), np.float32))
    with pytest.raises(AudioFileError, match="no sound"):
        read(path)


def test_a_header_with_no_channels_is_refused(tmp_path: Path, song: np.ndarray) -> None:
    path = write(tmp_path / "a.wav", song, subtype="PCM_16")
    data = bytearray(path.read_bytes())
    at = data.index(b"fmt ") + 10
    data[at : at + 2] = b"\0\0"
    path.write_bytes(data)
    with pytest.raises(AudioFileError, match="cannot be read as audio"):
        read(path)


def test_a_misspelt_name_suggests_the_file_beside_it(tmp_path: Path, song: np.ndarray) -> None:
    write(tmp_path / "Summer.wav", song)
    with pytest.raises(AudioFileError, match=r'There is no file .*sumer\.wav\. Did you mean "Summer\.wav"'):
        read(tmp_path / "sumer.wav")


def test_a_folder_is_no_song(tmp_path: Path) -> None:
    with pytest.raises(AudioFileError, match="is a directory"):
        read(tmp_path)
