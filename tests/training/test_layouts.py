"""Each layout finds what lies there, and nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from rtsep.errors import ConfigError
from rtsep.paths import configs
from rtsep.training.corpus import ACCOMPANIMENT, Source, load_corpus, load_pcm
from rtsep.training.layouts import read_layout
from rtsep.training.recipe import list_data, load_recipe, parse_recipe


def wav(path: Path, rate: int = 44100, channels: int = 2, frames: int = 4410) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    tone = 0.5 * np.sin(2 * np.pi * 441.0 * np.arange(frames) / rate)
    soundfile.write(path, np.repeat(tone[:, None], channels, 1), rate)


def test_a_stems_folder_is_read_song_by_song(tmp_path: Path) -> None:
    for path in ("a/vocals.wav", "a/drums.wav", "valid/b/bass.wav", "a/mixture.wav"):
        wav(tmp_path / path)
    songs = {song.name: song for song in read_layout("stems", tmp_path).songs}
    assert set(songs) == {"a", "valid/b"}
    assert set(songs["a"].stems) == {"vocals", "drums"}
    assert (songs["a"].split, songs["valid/b"].split) == ("train", "valid")


def test_musdb_wav_keeps_its_validation_songs_apart(tmp_path: Path) -> None:
    for song in ("train/ANiMAL - Rockshow", "train/Someone - Song", "test/Other - Song"):
        for stem in ("vocals", "drums", "bass", "other", "mixture"):
            wav(tmp_path / song / f"{stem}.wav")
    splits = {song.name: song.split for song in read_layout("musdb", tmp_path).songs}
    assert splits == {"ANiMAL - Rockshow": "valid", "Someone - Song": "train", "Other - Song": "test"}


def test_musdb_stem_files_name_their_streams(tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "Someone - Song.stem.mp4").touch()
    (song,) = read_layout("musdb", tmp_path).songs
    assert {stem: source.stream for stem, source in song.stems.items()} == {"drums": 1, "bass": 2, "other": 3, "vocals": 4}


def test_a_stem_file_is_decoded_stream_by_stream() -> None:
    stempeg = pytest.importorskip("stempeg")
    from rtsep.training.corpus import decode_file

    path = Path(stempeg.example_stem_path())
    vocals, rate = decode_file(Source(path, 4))
    drums, _ = decode_file(Source(path, 1))
    assert rate == 44100
    assert vocals.shape == drums.shape
    assert vocals.shape[1] == 2
    assert np.abs(vocals - drums).max() > 0.1


def test_the_pack_is_read_by_its_manifest(tmp_path: Path) -> None:
    rows = [
        "path,class,song_id,stem,source,licence,attribution,origin,split",
        "songs/s/vocals.wav,vocals,s,vocals,x,CC0 1.0,Someone,here,train",
        "songs/s/drums.wav,drums,s,drums,x,CC0 1.0,Someone,here,train",
        "songs/s/other.wav,other,s,other,x,CC0 1.0,Someone,here,train",
        "bass/one.wav,bass,,,x,CC BY 4.0,Else,there,train",
        "vocals/held.wav,vocals,,,x,CC0 1.0,Someone,here,valid",
    ]
    (tmp_path / "manifest.csv").write_text("\n".join(rows) + "\n")
    for row in rows[1:]:
        wav(tmp_path / row.split(",")[0])
    listing = read_layout("pack", tmp_path)
    (song,) = listing.songs
    assert song.merged == ("bass", "other")
    assert listing.sources == {"Someone (CC0 1.0; here)", "Else (CC BY 4.0; there)"}
    corpus = load_corpus(listing, "train", tmp_path / "cache", 44100)
    # `other` may hold the bass of that song, so it is no example of either.
    assert {stem: len(pool) for stem, pool in corpus.clips.items()} == {"vocals": 1, "drums": 1, "bass": 1}


def test_accompaniment_takes_what_was_fetched_and_can_leave_out_tracks(tmp_path: Path) -> None:
    rows = ["package,path,seconds,licence,attribution", "p,/usr/a.wav,1,MIT,A", "p,/usr/b.wav,1,MIT,B", "p,/usr/c.wav,1,MIT,C"]
    (tmp_path / "accompaniment.csv").write_text("\n".join(rows) + "\n")
    wav(tmp_path / "usr/a.wav")
    wav(tmp_path / "usr/b.wav")
    clips = read_layout("accompaniment", tmp_path, without=("b.wav",)).clips
    assert [(clip.stem, clip.source.path.name) for clip in clips] == [(ACCOMPANIMENT, "a.wav")]


def test_clips_are_resampled_once_and_then_mapped(tmp_path: Path) -> None:
    wav(tmp_path / "a.wav", rate=22050, channels=1)
    first = load_pcm(Source(tmp_path / "a.wav"), tmp_path, 44100)
    assert first.shape == (8820, 1)
    (cached,) = tmp_path.glob("*.npy")
    written = cached.stat().st_mtime_ns
    again = load_pcm(Source(tmp_path / "a.wav"), tmp_path, 44100)
    assert cached.stat().st_mtime_ns == written
    assert np.array_equal(first, again)


def test_the_fingerprint_changes_with_the_files(tmp_path: Path) -> None:
    wav(tmp_path / "a/vocals.wav")
    before = read_layout("stems", tmp_path).fingerprint()
    assert read_layout("stems", tmp_path).fingerprint() == before
    wav(tmp_path / "a/vocals.wav", frames=4411)
    assert read_layout("stems", tmp_path).fingerprint() != before


def test_favoured_material_is_drawn_more_often_but_validated_once(tmp_path: Path) -> None:
    for path in ("real one/vocals.wav", "rendered/vocals.wav", "valid/real two/vocals.wav"):
        wav(tmp_path / path)
    listing = read_layout("stems", tmp_path)
    listing.favour("real", 3)
    assert sorted(song.name for song in listing.songs) == ["real one", "real one", "real one", "rendered", "valid/real two"]


@pytest.mark.parametrize(("layout", "says"), [("musdb18", 'Did you mean "musdb"'), ("stems", "nothing that the layout")])
def test_what_cannot_be_read_is_said(tmp_path: Path, layout: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        read_layout(layout, tmp_path)


@pytest.mark.parametrize("path", sorted((configs() / "training").glob("*.toml")), ids=lambda path: path.stem)
def test_the_recipes_that_ship_can_be_read(path: Path) -> None:
    recipe = load_recipe(path)
    assert recipe.name == path.stem
    assert recipe.training.lanes % recipe.training.processes == 0
    assert recipe.model.bins - recipe.model.masked_bins == 1


def test_a_recipe_without_its_data_says_which_variable_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RTSEP_MUSDB", raising=False)
    with pytest.raises(ConfigError, match="export RTSEP_MUSDB="):
        list_data(load_recipe(configs() / "training" / "bandnet23-musdb18hq.toml"), configs())


def test_a_misspelt_key_of_a_recipe_is_named_with_its_path() -> None:
    with pytest.raises(ConfigError, match="lernrate"):
        parse_recipe('name = "x"\n[model]\n[[data]]\nlayout = "stems"\nfolder = "."\n[training]\nlernrate = 1.0\n', "x.toml")
