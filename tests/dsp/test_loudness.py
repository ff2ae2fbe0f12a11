"""Loudness against the standard's own test tones and against FFmpeg's meter; true peaks against a tone whose peak is known."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from rtsep.dsp.loudness import SILENT_LUFS, LoudnessMeter, TruePeakMeter

Array = NDArray[np.float32]


def tone(level_dbfs: float, seconds: float, rate: int, frequency: float = 1000.0) -> Array:
    wave = 10 ** (level_dbfs / 20) * np.sin(2 * np.pi * frequency * np.arange(round(seconds * rate)) / rate)
    return np.stack([wave, wave]).astype(np.float32)


def measured(mix: Array, rate: int, piece: int = 1600) -> LoudnessMeter:
    meter = LoudnessMeter(rate)
    for start in range(0, mix.shape[1], piece):
        meter.feed(mix[:, start : start + piece])
    return meter


@pytest.mark.parametrize("rate", [44_100, 48_000, 96_000])
def test_a_stereo_tone_at_minus_23_dbfs_measures_minus_23_lufs(rate: int) -> None:
    meter = measured(tone(-23.0, 5.0, rate), rate)  # EBU Tech 3341, case 1
    for level in (meter.momentary, meter.short_term, meter.integrated):
        assert abs(level + 23.0) < 0.1


def test_the_gate_leaves_quiet_passages_out() -> None:
    rate = 48_000  # EBU Tech 3341, case 3, shortened
    parts = [tone(level, seconds, rate) for level, seconds in ((-36.0, 5.0), (-23.0, 20.0), (-36.0, 5.0))]
    assert abs(measured(np.concatenate(parts, axis=1), rate).integrated + 23.0) < 0.1


def test_silence_has_no_loudness() -> None:
    meter = measured(np.zeros((2, 96_000), np.float32), 48_000)
    assert (meter.momentary, meter.integrated) == (SILENT_LUFS, SILENT_LUFS)


def test_any_pieces_give_the_same_loudness() -> None:
    mix = np.random.default_rng(0).standard_normal((2, 48_000)).astype(np.float32) * np.float32(0.1)
    assert measured(mix, 48_000, 7).momentary == pytest.approx(measured(mix, 48_000, 48_000).momentary)


@pytest.mark.skipif(not shutil.which("ffmpeg"), reason="needs the Debian package ffmpeg")
def test_ffmpeg_measures_the_same(tmp_path: Path) -> None:
    rate, rng = 44_100, np.random.default_rng(1)
    envelope = np.repeat(10 ** (rng.uniform(-50, -10, 40) / 20), rate // 2)
    mix = (rng.standard_normal((2, len(envelope))) * envelope).clip(-1, 1).astype(np.float32)
    soundfile.write(tmp_path / "mix.wav", mix.T, rate, subtype="FLOAT")
    command = ["ffmpeg", "-nostats", "-i", str(tmp_path / "mix.wav"), "-af", "ebur128=peak=true", "-f", "null", "-"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    summary = said[said.rindex("Summary") :]
    integrated, peak = (float(re.search(rf"{word}:\s+(-?[\d.]+)", summary)[1]) for word in ("I", "Peak"))  # type: ignore[index]
    true_peak = TruePeakMeter(2)
    true_peak.feed(mix)
    assert abs(measured(mix, rate).integrated - integrated) <= 0.11  # FFmpeg prints one digit
    assert abs(20 * np.log10(true_peak.take().max()) - peak) < 0.4


def test_the_true_peak_of_a_tone_lies_between_its_samples() -> None:
    rate = 48_000
    wave = np.sin(2 * np.pi * rate / 4 * np.arange(rate) / rate + np.pi / 4)  # samples reach -3 dB only
    meter = TruePeakMeter(1)
    for start in range(0, rate, 999):
        meter.feed(wave[None, start : start + 999].astype(np.float32))
    assert np.abs(wave).max() < 0.71
    assert 20 * np.log10(meter.take()[0]) == pytest.approx(0.0, abs=0.3)
    assert not meter.take().any()
