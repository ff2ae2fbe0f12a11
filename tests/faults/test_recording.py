"""Recording while live: aligned to the sample, never in the way of audio, and valid whatever dies."""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from rtsep.engine.session import Engine
from rtsep.errors import AudioFileError, UsageError
from rtsep.io import recording_process
from rtsep.io.flac_stream import FlacStream
from rtsep.io.null import NullBackend
from rtsep.io.recorder import Recorder
from rtsep.io.recording import TRACKS
from rtsep.io.wav_stream import WavStream
from rtsep.realtime import layout as at
from rtsep.stems import STEMS
from tests.faults.running_command import RunningCommand, children_of
from tests.faults.test_process_faults import eventually
from tests.faults.virtual_stage import counting

RATE = 44_100


class LiveEngine:
    """Numbered noise in real time through `passthrough`, ready to be recorded."""

    def __init__(self) -> None:
        self.noise = counting(1, 512 * 344)  # 24 bits do not hold the full scale of frame 0
        self.backend = NullBackend(RATE, 512, loop=self.noise)
        self.engine = Engine(self.backend.open(), model="passthrough")
        self.header = self.engine.segment.header
        self.backend.start(self.engine)
        self.engine.start()
        self.told: list[str] = []

    def recorder(self, folder: Path, format_name: str = "float") -> Recorder:
        return Recorder(self.engine, folder, format_name=format_name, on_event=self.told.append)

    def wait_frames(self, frames: int) -> None:
        until = int(self.header[at.OUT_POS]) + frames
        assert eventually(lambda: int(self.header[at.OUT_POS]) >= until)

    def stop(self) -> None:
        self.backend.stop()
        self.engine.stop()


@pytest.fixture
def live() -> Iterator[LiveEngine]:
    one = LiveEngine()
    assert eventually(lambda: one.header[at.SEPARATED] == 1 and one.header[at.HOPS] > 50)
    yield one
    one.stop()


def read(folder: Path, ending: str = "wav") -> dict[str, np.ndarray]:
    return {track: soundfile.read(folder / f"{track}.{ending}", dtype="float32", always_2d=True)[0].T for track in TRACKS}


def place_of(part: np.ndarray, loop: np.ndarray) -> int:
    """Where in a looped signal of unlike samples a recording begins."""
    matches = np.flatnonzero(loop[0] == part[0, 0])
    return next(int(m) for m in matches if loop[0, (m + 1) % loop.shape[1]] == part[0, 1])


def test_stems_add_up_to_the_mix_and_every_track_is_the_input_of_the_same_frame_bit_by_bit(
    live: LiveEngine, tmp_path: Path
) -> None:
    recorder = live.recorder(tmp_path)
    recorder.start()
    live.wait_frames(2 * RATE)
    recorder.stop()
    assert recorder.folder
    tracks = read(recorder.folder)
    source = tracks["input"]
    frames = source.shape[1]
    assert frames >= 2 * RATE
    start = place_of(source, live.noise)
    expected = live.noise[:, (start + np.arange(frames)) % live.noise.shape[1]]
    assert np.array_equal(source, expected)
    assert np.array_equal(tracks["mix"], expected)
    total = ((tracks["other"] + tracks["bass"]) + tracks["drums"]) + tracks["vocals"]
    assert np.array_equal(total, expected)


def test_a_stem_that_is_muted_is_missing_in_the_mix_and_still_recorded(live: LiveEngine, tmp_path: Path) -> None:
    live.engine.segment.params[at.MUTE + STEMS.index("vocals")] = 1.0
    live.wait_frames(RATE // 2)
    recorder = live.recorder(tmp_path)
    recorder.start()
    live.wait_frames(RATE)
    recorder.stop()
    assert recorder.folder
    tracks = read(recorder.folder)
    assert np.array_equal(tracks["vocals"], tracks["input"] / 2)
    assert np.abs(tracks["mix"] - tracks["input"] / 2).max() < 1e-6


@pytest.mark.parametrize(("format_name", "ending"), [("wav", "wav"), ("flac", "flac")])
def test_24_bit_files_hold_the_nearest_step_of_every_sample(
    live: LiveEngine, tmp_path: Path, format_name: str, ending: str
) -> None:
    recorder = live.recorder(tmp_path, format_name)
    recorder.start()
    live.wait_frames(RATE)
    recorder.stop()
    assert recorder.folder
    assert soundfile.info(recorder.folder / f"mix.{ending}").subtype == "PCM_24"
    tracks = read(recorder.folder, ending)
    start = place_of(tracks["input"], live.noise)
    expected = live.noise[:, (start + np.arange(tracks["input"].shape[1])) % live.noise.shape[1]]
    assert np.array_equal(tracks["mix"], expected)  # 24-bit noise


@pytest.mark.parametrize("format_name", ["wav", "float", "flac"])
def test_a_recording_process_that_is_killed_leaves_valid_files_up_to_the_last_second(
    live: LiveEngine, tmp_path: Path, format_name: str
) -> None:
    recorder = live.recorder(tmp_path, format_name)
    recorder.start()
    assert eventually(lambda: recorder.frames > 2 * RATE)
    heard_of = recorder.frames
    assert recorder.pid
    os.kill(recorder.pid, signal.SIGKILL)
    assert eventually(lambda: not recorder.recording)
    cycles = int(live.header[at.CYCLES])
    assert eventually(lambda: int(live.header[at.CYCLES]) > cycles + 20)
    recorder.stop()
    assert recorder.folder
    tracks = read(recorder.folder, "flac" if format_name == "flac" else "wav")
    assert all(track.shape[1] >= heard_of - 4096 for track in tracks.values())
    common = min(track.shape[1] for track in tracks.values())
    assert np.array_equal(tracks["mix"][:, :common], tracks["input"][:, :common])


@pytest.mark.parametrize("kind", [WavStream, FlacStream])
def test_less_than_a_second_of_what_was_written_is_ever_unsafe(tmp_path: Path, kind: type[WavStream | FlacStream]) -> None:
    file = kind(tmp_path / "mix", RATE, 2, "int24")
    disk = recording_process.DiskWriter([file], RATE)
    noise = counting(1, RATE // 20)  # as much as is read from the rings at a time
    for seconds in range(1, 6):
        for _ in range(20):
            disk.put(noise[None])
        assert eventually(lambda seconds=seconds: disk.safe > (seconds - 1) * RATE)
        safe = disk.safe
        assert soundfile.info(tmp_path / "mix").frames >= safe - 4096  # a block of FLAC
    disk.finish()


def test_a_full_disk_ends_the_recording_with_a_sentence_and_files_of_one_length_while_audio_goes_on(
    live: LiveEngine, tmp_path: Path
) -> None:
    recorder = live.recorder(tmp_path)
    recorder.start()
    assert recorder.pid
    resource.prlimit(recorder.pid, resource.RLIMIT_FSIZE, (700_000, 700_000))  # the kernel refuses what lies beyond
    assert eventually(lambda: bool(recorder.error))
    assert eventually(lambda: not recorder.recording)
    cycles = int(live.header[at.CYCLES])
    assert eventually(lambda: int(live.header[at.CYCLES]) > cycles + 20)
    recorder.stop()
    assert "The recording has ended" in live.told[-1]
    assert "Audio goes on" in live.told[-1]
    assert recorder.folder
    tracks = read(recorder.folder)
    assert len({track.shape[1] for track in tracks.values()}) == 1
    assert tracks["mix"].shape[1] > 0
    assert np.array_equal(tracks["mix"], tracks["input"])


def test_recording_can_be_switched_off_and_on_each_time_into_a_folder_of_its_own(live: LiveEngine, tmp_path: Path) -> None:
    recorder = live.recorder(tmp_path)
    folders = []
    for _ in range(2):
        recorder.start()
        live.wait_frames(RATE // 2)
        recorder.stop()
        folders.append(recorder.folder)
    assert len(set(folders)) == 2
    assert all(soundfile.info(folder / "mix.wav").frames >= RATE // 2 for folder in folders if folder)


def test_an_engine_that_is_killed_while_recording_leaves_finished_files(tmp_path: Path) -> None:
    run = RunningCommand("--backend", "null", "--no-restart", "--record", str(tmp_path))
    try:
        assert run.says("Recording to")
        folder = next(tmp_path.iterdir())
        assert eventually(lambda: (folder / "mix.wav").exists() and soundfile.info(folder / "mix.wav").frames > RATE)
        children = children_of(run.process.pid)
        run.process.kill()
        assert eventually(lambda: not any(Path(f"/proc/{child}").exists() for child in children))
        assert len({soundfile.info(folder / f"{track}.wav").frames for track in TRACKS}) == 1
    finally:
        run.end()


@pytest.mark.parametrize("samples", ["int24", "float32"])
def test_a_file_that_outgrows_32_bits_becomes_rf64_in_place_and_keeps_every_sample(tmp_path: Path, samples: str) -> None:
    noise = counting(1, 5000)
    stream = WavStream(tmp_path / "long.wav", RATE, 2, samples, largest_riff=20_000)
    for start in range(0, 5000, 999):
        stream.append(noise[:, start : start + 999])
        stream.sync()
        information = soundfile.info(tmp_path / "long.wav")
        assert information.frames == stream.frames
    stream.close()
    assert information.format == "RF64"
    assert np.array_equal(soundfile.read(tmp_path / "long.wav", dtype="float32")[0].T, noise)


def test_a_recording_of_more_than_4_gib_states_its_true_length(tmp_path: Path) -> None:
    path = tmp_path / "huge.wav"
    stream = WavStream(path, RATE, 2, "float32")
    frames = 2**32 // 8 + 1000
    stream.append(np.zeros((2, 10), np.float32))
    stream.frames = frames - 10  # the hole between takes no disk
    stream.append(np.full((2, 10), 0.5, np.float32))
    stream.close()
    with soundfile.SoundFile(path) as file:
        assert file.frames == frames
        file.seek(frames - 10)
        assert np.all(file.read() == 0.5)


def test_a_folder_that_cannot_be_written_is_refused_with_a_sentence(live: LiveEngine, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(AudioFileError, match="cannot be put into"):
        live.recorder(tmp_path / "file").start()


def test_an_unknown_format_is_refused_with_the_nearest_known_one(live: LiveEngine, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match='Did you mean "flac"'):
        live.recorder(tmp_path, "flak")
