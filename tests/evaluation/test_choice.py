"""What `rtsep doctor` chose is the default of live commands: under options and rigs, over what is built in, where it holds."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import msgspec
import pytest

from rtsep.cli import main
from rtsep.commands import play as play_command
from rtsep.commands import run as run_command
from rtsep.commands.rig_options import rig_from
from rtsep.config import EngineTable
from rtsep.evaluation import choice, tier_checks
from rtsep.evaluation.choice import Choice, Circumstances
from rtsep.models import registry
from tests.evaluation.figures import measured
from tests.jack_server import StartServer

HERE = {
    "tier": "116ms",
    "runtime": "torch",
    "threads": 2,
    "on_overload": "tier",
}
"""What is chosen in these tests; nothing of it is built in."""


@pytest.fixture(autouse=True)
def _home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RTSEP_HOME", str(tmp_path))


def chosen(model: str = "spleeter-2stems", **other: Any) -> Choice:
    """Write a choice for this machine."""
    made = Choice(model=model, rate=44_100, period=128, measured_on=choice.circumstances(model), **(HERE | other))
    choice.keep(made)
    return made


def engine_of(command: Any, *words: str) -> EngineTable:
    """`[engine]` as a command sees it."""
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return rig_from(parser.parse_args(words), live=command is run_command).engine


def silent(text: str) -> None:
    raise AssertionError(text)


def test_what_is_kept_is_recalled() -> None:
    made = chosen()
    assert choice.recall(silent) == made
    assert choice.path().read_text().startswith("# What rtsep doctor measured here.")


def test_without_a_choice_nothing_is_said_and_the_defaults_are_built_in() -> None:
    assert choice.recall(silent) is None
    assert engine_of(run_command) == EngineTable()


def test_the_choice_is_the_default_where_nothing_is_said() -> None:
    chosen()
    assert engine_of(run_command) == EngineTable(model="spleeter-2stems", **HERE)


@pytest.mark.parametrize(
    ("key", "in_rig", "option", "value"),
    [
        ("tier", "46ms", "--tier", "70ms"),
        ("runtime", "onnx", "--runtime", "torch"),
        ("threads", 3, "--threads", 4),
        ("on_overload", "grow", "--on-overload", "dry"),
    ],
)
def test_an_option_beats_the_rig_which_beats_the_choice_which_beats_what_is_built_in(
    key: str, in_rig: str | int, option: str, value: str | int, tmp_path: Path
) -> None:
    rig = tmp_path / "rig.toml"
    rig.write_text(f"[engine]\n{key} = {in_rig!r}\n")
    assert getattr(engine_of(run_command), key) == getattr(EngineTable(), key)
    chosen()
    assert getattr(engine_of(run_command), key) == HERE[key]
    assert getattr(engine_of(run_command, str(rig)), key) == in_rig
    assert getattr(engine_of(run_command, str(rig), option, str(value)), key) == value


def test_a_song_is_looked_at_ahead_so_its_tier_is_not_the_live_one() -> None:
    chosen()
    engine = engine_of(play_command, "song.wav")
    assert engine.tier == ""
    assert (engine.model, engine.runtime, engine.threads) == ("spleeter-2stems", "torch", 2)


@pytest.mark.parametrize("words", [("--model", "bandnet"), ("--tier", "23ms")])
def test_for_another_model_the_choice_says_nothing(words: tuple[str, str]) -> None:
    chosen()
    engine = engine_of(run_command, *words)
    assert (engine.runtime, engine.threads, engine.on_overload) == ("auto", 0, "auto")
    assert engine.model in ("", "bandnet")


@pytest.mark.parametrize("field", Circumstances.__struct_fields__)
def test_a_choice_for_other_circumstances_is_left_out_with_a_sentence(field: str) -> None:
    made = chosen()
    there = 96 if field in ("cores", "gpus") else "another"
    choice.keep(msgspec.structs.replace(made, measured_on=msgspec.structs.replace(made.measured_on, **{field: there})))
    said: list[str] = []
    assert choice.recall(said.append) is None
    (sentence,) = said
    assert "Choose anew with: rtsep doctor" in sentence
    assert ("the model's card" if field == "model" else field) in sentence


@pytest.mark.parametrize("text", ["tier = ", "", 'model = "nobody"', "colour = 1"])
def test_a_damaged_choice_is_left_out_with_a_sentence(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    choice.path().write_text(text)
    assert engine_of(run_command) == EngineTable()
    assert "is left out" in capsys.readouterr().err


def test_a_tier_that_is_gone_is_left_out_with_a_sentence() -> None:
    chosen(tier="45ms")
    said: list[str] = []
    assert choice.recall(said.append) is None
    assert "has no tier" in said[0]


def test_doctor_forgets_it(capsys: pytest.CaptureFixture[str]) -> None:
    chosen()
    assert main(["doctor", "--forget"]) == 0
    assert choice.recall(silent) is None
    assert main(["doctor", "--forget"]) == 0
    assert "Nothing had been chosen." in capsys.readouterr().out


def test_a_live_command_plays_what_was_chosen(capsys: pytest.CaptureFixture[str]) -> None:
    chosen("passthrough", tier="46ms")
    assert main(["run", "--backend", "null", "--seconds", "0.5"]) == 0
    assert "passthrough 46ms" in capsys.readouterr().err


def test_the_latency_that_is_printed_is_that_of_the_choice(capsys: pytest.CaptureFixture[str]) -> None:
    chosen()
    assert main(["latency"]) == 0
    assert "spleeter-2stems 116ms" in capsys.readouterr().out


def figures(slow: tuple[str, ...] = ()) -> Any:
    """A measurement that takes no time; wall-clock figures of a busy machine would decide by luck."""

    def measure(model: str, tier: str, *, seconds: float, runtime: str, threads: int = 1) -> Any:
        late = 500 if tier in slow or model in slow else 0
        return measured(tier, model=model, runtime=runtime, threads=threads, late_hops=late, wake_late_ms=1.0)

    return measure


def test_doctor_keeps_what_it_measured_and_says_what_to_type(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tier_checks, "measure", figures(slow=("70ms",)))
    assert main(["doctor"]) == 0
    kept = choice.recall(silent)
    assert kept is not None
    assert (kept.model, kept.tier, kept.threads, kept.on_overload, kept.period) == ("spleeter-2stems", "116ms", 1, "grow", 128)
    said = capsys.readouterr().out
    by_hand = "rtsep run --model spleeter-2stems --tier 116ms --runtime onnx --threads 1 --on-overload grow"
    for typed in (by_hand, "jackd -d alsa -r 44100 -p 128", "clock.force-quantum 128", "clock.force-rate 44100"):
        assert typed in said


def test_where_no_tier_of_the_default_model_holds_another_model_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tier_checks, "measure", figures(slow=(registry.DEFAULT_MODEL,)))
    (kept,) = [result for result in tier_checks.benchmark() if isinstance(result, Choice)]
    assert kept.model == "bandnet"


def test_where_nothing_holds_nothing_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tier_checks, "measure", figures(slow=tuple(card.name for card in registry.catalogue())))
    *_, last = tier_checks.benchmark()
    assert not isinstance(last, Choice)
    assert "no tier of spleeter-2stems holds" in last.text


@pytest.mark.jack
@pytest.mark.parametrize(
    ("rate", "period", "status", "typed"),
    [
        (48_000, 256, "warn", "Start it again: jackd -d alsa -r 44100 -p 128"),
        (44_100, 64, "warn", "jack_bufsize 128"),
        (44_100, 128, "ok", ""),
        (44_100, 1024, "ok", ""),
    ],
)
def test_a_running_jack_server_is_compared_with_the_choice(
    jack_server: StartServer, rate: int, period: int, status: str, typed: str
) -> None:
    jack_server(rate=rate, period=period)
    (line,) = [finding for finding in tier_checks.advice(chosen()) if finding.what == "JACK period"]
    assert (line.status, line.advice) == (status, typed)
