"""`rtsep eval` on songs made here, with the exact fractions of the passthrough model as estimates of known SDR."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from rtsep.cli import main
from rtsep.evaluation import references
from rtsep.evaluation.sdr import utterance_sdr
from rtsep.evaluation.songs import TrueSong, find_songs, load_song
from rtsep.stems import STEMS

RATE = 44100


def wave(stem: str, seconds: float, seed: int) -> np.ndarray:
    rng = np.random.default_rng((seed, STEMS.index(stem)))
    time = np.arange(int(seconds * RATE)) / RATE
    tone = np.sin(2 * np.pi * {"vocals": 700.0, "drums": 5000.0, "bass": 60.0, "other": 2000.0}[stem] * time)
    return np.stack([tone, tone * rng.uniform(0.5, 1.0)], 1) * 0.15


@pytest.fixture
def songs(tmp_path: Path) -> Path:
    for seed, name in enumerate(("one", "valid/two", "valid/three")):
        for stem in STEMS:
            path = tmp_path / "songs" / name / f"{stem}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, wave(stem, 2.5, seed), RATE, subtype="FLOAT")
    return tmp_path / "songs"


def evaluate(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, object]:
    assert main(["eval", *words, "--json", "--no-spleeter"]) == 0
    report: dict[str, object] = json.loads(capsys.readouterr().out)
    return report


def test_the_scores_of_known_estimates_are_their_algebra(songs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = evaluate(capsys, str(songs), "--model", "passthrough:46ms", "--no-bsseval")
    assert report["songs"] == ["valid/three", "valid/two"]
    for row in report["scores"]:  # type: ignore[attr-defined]
        if row["method"] != "passthrough:46ms":
            continue
        song = load_song(next(s for s in find_songs(songs, "stems", "valid") if s.name == row["song"]), RATE)
        share = {"vocals": 1 / 2, "drums": 1 / 4, "bass": 1 / 8, "other": 1 / 8}[row["stem"]]
        expected = utterance_sdr(song.stems[row["stem"]], (share * song.mix).astype(np.float32))
        # The 1024 frames of delay are taken out by the engine; if they were not, the error would be that of two unrelated tones.
        assert row["utterance_sdr_db"] == pytest.approx(expected, abs=1e-3)


def test_mixture_and_oracle_stand_beside_the_model(songs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = evaluate(capsys, str(songs), "--model", "passthrough", "--no-bsseval")
    means = report["utterance_sdr_db"]
    assert set(means) == {"mixture", "ideal ratio mask", "passthrough:12ms"}  # type: ignore[call-overload]
    assert means["mixture"]["mean"] < 0 < 15 < means["ideal ratio mask"]["mean"]  # type: ignore[index]


def test_bsseval_agrees_with_museval_called_by_hand(songs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    museval = pytest.importorskip("museval")
    report = evaluate(capsys, str(songs), "--model", "passthrough", "--songs", "1")
    song = load_song(find_songs(songs, "stems", "valid")[0], RATE)
    shares = np.array([1 / 2, 1 / 4, 1 / 8, 1 / 8])[:, None, None]
    truth = np.stack([song.stems[stem].T for stem in STEMS]).astype(float)
    sdr = museval.evaluate(truth, shares * song.mix.T[None], win=RATE, hop=RATE)[0]
    found = report["bsseval_sdr_db"]["passthrough:12ms"]  # type: ignore[index]
    for stem, row in zip(STEMS, sdr, strict=True):
        assert found[stem] == pytest.approx(np.nanmedian(row), abs=0.01)


def test_reports_and_pictures_are_written(songs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("matplotlib")
    out = tmp_path / "report"
    evaluate(capsys, str(songs), "--model", "passthrough", "--no-bsseval", "--output", str(out), "--plots", "1")
    with (out / "scores.csv").open() as lines:
        assert len(list(csv.DictReader(lines))) == 2 * 3 * 4
    assert json.loads((out / "report.json").read_text())["machine"]
    assert {path.name for path in out.glob("*.png")} == {"01 passthrough 12ms.png", "songs.png"}


def test_the_other_of_a_two_stem_model_is_judged_as_the_accompaniment() -> None:
    stems = {stem: wave(stem, 0.5, 0).T.astype(np.float32) for stem in STEMS}
    mix = np.sum(list(stems.values()), axis=0)
    truth = TrueSong("song", RATE, mix, stems).truth(("vocals", "other"))
    assert list(truth) == ["vocals", "accompaniment"]
    assert np.allclose(truth["accompaniment"], mix - stems["vocals"])


def test_the_oracle_is_aligned_and_adds_up() -> None:
    stems = {stem: wave(stem, 0.7, 3).T.astype(np.float32) for stem in STEMS}
    mix = np.sum(list(stems.values()), axis=0)
    estimates = references.ideal_ratio_mask(mix, stems)
    assert np.abs(np.sum(list(estimates.values()), axis=0) - mix).max() < 1e-4
    assert all(utterance_sdr(stems[stem], estimates[stem]) > 20 for stem in STEMS)


def test_a_stem_that_is_merged_into_another_is_not_scored(songs: Path) -> None:
    from dataclasses import replace

    (files,) = [song for song in find_songs(songs, "stems", None) if song.name == "one"]
    merged = replace(files, stems={k: v for k, v in files.stems.items() if k != "bass"}, merged=("bass", "other"))
    assert set(load_song(merged, RATE).truth(STEMS)) == {"vocals", "drums"}


def test_an_absent_stem_is_silence_and_others_are_still_scored(songs: Path) -> None:
    (songs / "one" / "bass.wav").unlink()
    song = load_song(find_songs(songs, "stems", "train")[0], RATE)
    assert not song.stems["bass"].any()
    assert np.allclose(song.mix, song.stems["vocals"] + song.stems["drums"] + song.stems["other"], atol=1e-6)


@pytest.mark.parametrize(
    ("words", "says"),
    [(["--split", "nonsense"], "split"), (["--plots", "1"], "--output"), (["--model", "pasthrough"], "Did you mean")],
)
def test_what_cannot_be_done_is_said(songs: Path, words: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["eval", str(songs), *words, "--no-spleeter"]) == 2
    assert says in capsys.readouterr().err
