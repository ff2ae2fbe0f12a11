"""`rtsep doctor` and `rtsep bench`: every line says how a thing stands, and figures come from the real engine."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rtsep.cli import main
from rtsep.evaluation import callbacks, load, startup
from rtsep.evaluation.callbacks import MissedCycles
from rtsep.evaluation.tier_checks import finding
from tests.evaluation.figures import measured


@pytest.mark.parametrize(
    ("figures", "verdict"),
    [
        ({}, "holds"),
        ({"p99_ms": 23.0}, "tight"),
        ({"late_hops": 1}, "tight"),
        ({"late_hops": 21}, "too slow"),
        ({"real_time_factor": 1.0}, "too slow"),
    ],
)
def test_a_tier_is_judged_by_its_deadlines(figures: dict[str, Any], verdict: str) -> None:
    assert measured("46ms", **figures).verdict == verdict
    assert finding(measured("46ms", **figures)).status == ("ok" if verdict == "holds" else "warn")


def test_doctor_looks_at_everything_and_says_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--quick", "--json"]) == 0
    findings = json.loads(capsys.readouterr().out)
    looked_at = {one["what"] for one in findings}
    for what in ("Python", "Packages", "libportaudio2", "libjack", "ffmpeg", "Audio", "MIDI", "Real-time priority"):
        assert what in looked_at
    for what in ("Locked memory", "CPU governor", "Processor", "CUDA", "Weights of passthrough", "Default"):
        assert what in looked_at
    assert all(one["status"] in ("ok", "warn") for one in findings)
    packages = next(one["text"] for one in findings if one["what"] == "Packages")
    assert "numpy 2." in packages


def test_damaged_weights_fail_the_check_up(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setenv("RTSEP_HOME", str(tmp_path))
    folder = tmp_path / "cache" / "models" / "spleeter-2stems"
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text('{"fingerprint": ')
    assert main(["doctor", "--quick"]) == 1
    said = capsys.readouterr().out
    assert "fail" in said
    assert "rtsep models pull spleeter-2stems --force" in said


def test_a_measurement_runs_the_real_engine() -> None:
    result = load.measure("passthrough", "12ms", seconds=1.0)
    assert result.hops >= 40
    assert 0 < result.p50_ms <= result.p99_ms <= result.max_ms
    assert result.real_time_factor > 0
    assert result.model_process_mb > 10
    assert result.audio_process_mb > 10


def test_start_up_is_measured_from_outside() -> None:
    times = startup.measure("passthrough", "12ms")
    assert 0 < times.help_s < times.stems_s
    assert 0 < times.dry_s <= times.stems_s


def test_bench_prints_a_row_per_tier_and_the_start(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "--model", "passthrough", "--tier", "3ms", "--seconds", "0.5", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert [row["tier"] for row in printed["tiers"]] == ["3ms"]
    assert printed["tiers"][0]["verdict"] in ("holds", "tight", "too slow")
    assert set(printed["start_up"]) == {"passthrough 3ms"}
    assert printed["machine"]["cores"] >= 1


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--tier", "offline"], "takes the whole file"),
        (["--seconds", "0"], "positive"),
        (["--callbacks", "--model", "passthrough"], "same for every model"),
        (["--model", "passtrough"], 'Did you mean "passthrough"?'),
    ],
)
def test_bench_refuses_what_it_cannot_measure(words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", *words]) == 2
    assert sentence in capsys.readouterr().err


def test_the_ratio_is_ours_over_theirs() -> None:
    missed = MissedCycles(128, {"compiled": 1000, "python": 2000}, {"compiled": 10, "python": 1000})
    assert missed.share("compiled") == 0.01
    assert missed.ratio == pytest.approx(0.02)


@pytest.mark.jack
def test_a_burning_gil_costs_the_python_callback_cycles_that_the_compiled_one_serves() -> None:
    missed = callbacks.compare(128, 4.0)
    assert min(missed.cycles.values()) > 500
    # Measured 0.000 … 0.02; a busy machine without real-time priority delays both kinds alike.
    assert missed.share("python") > 0.02
    assert missed.ratio < 0.5
