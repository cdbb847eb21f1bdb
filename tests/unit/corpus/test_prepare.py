from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from rhapsody_lib.corpus import reading
from rhapsody_lib.corpus.prepare import CorpusSummary, prepare_corpus
from rhapsody_lib.corpus.schema import SONGS_SCHEMA, TRACKS_SCHEMA
from rhapsody_lib.corpus.sources import open_source
from rhapsody_lib.corpus.tables import read_songs
from rhapsody_lib.errors import InputError, MissingExtraError, SourceError
from rhapsody_lib.music.midi import midi_to_score
from rhapsody_lib.settings import CorpusSettings
from tests.unit.corpus.corpus_samples import WORDS, midi_bytes, pack_mxl, songbook_text, sung_measures, xml_score

FILES = {"songs.parquet", "tracks.parquet", "rejects.parquet", "summary.json"}
ANY = CorpusSettings(language="any")
GERMAN = "Am Brunnen vor dem Tore da steht ein Lindenbaum\nIch träumt in seinem Schatten so manchen süßen Traum"


def _prepare(folder: Path, out: Path, settings: CorpusSettings = ANY, seed: int = 0) -> CorpusSummary:
    return prepare_corpus([str(folder)], out, settings, seed=seed)


def _tracks(out: Path) -> list[dict[str, Any]]:
    return pq.read_table(out / "tracks.parquet").to_pylist()


def _rejects(out: Path) -> dict[str, str]:
    return {row["path"]: row["reason"] for row in pq.read_table(out / "rejects.parquet").to_pylist()}


def test_songs_tracks_rejects_and_summary_agree(songbook_folder: Path, tmp_path: Path) -> None:
    summary = _prepare(songbook_folder, tmp_path / "out")
    songs, tracks = list(read_songs(tmp_path / "out")), _tracks(tmp_path / "out")
    assert {path.name for path in (tmp_path / "out").iterdir()} == FILES
    assert [song["song_id"] for song in songs] == [f"mysongs/song-{number}" for number in range(5)]
    assert [track["song_id"] for track in tracks] == [song["song_id"] for song in songs]
    assert set(songs[0]) == set(SONGS_SCHEMA.names)
    assert set(tracks[0]) == set(TRACKS_SCHEMA.names)
    assert _rejects(tmp_path / "out") == {"broken.txt": "bad_songbook"}
    assert (summary.songs, summary.tracks, summary.rejects) == (5, 5, {"bad_songbook": 1})
    assert summary.sources == {"mysongs": {"songs": 5, "rejects": 1}}
    assert summary.words == sum(len(line.split()) for song in songs for line in song["lyrics"].split("\n")[1:])
    assert summary.notes == sum(track["notes"] for track in tracks)
    assert math.isclose(summary.seconds, sum(track["seconds"] for track in tracks), abs_tol=0.01)
    assert summary.splits == {side: sum(song["split"] == side for song in songs) for side in ("heldout", "train")}
    assert min(summary.splits.values()) >= 1
    assert json.loads((tmp_path / "out" / "summary.json").read_text(encoding="utf-8"))["songs"] == 5


def test_tracks_hold_midi_that_reads_back(songbook_folder: Path, tmp_path: Path) -> None:
    _prepare(songbook_folder, tmp_path / "out")
    for track in _tracks(tmp_path / "out"):
        score = midi_to_score(track["midi"], track["track_id"])
        assert (score.key.name, track["time_signature"]) == (track["key"], "4/4") == ("G major", "4/4")
        assert math.isclose(score.duration_s, track["seconds"], abs_tol=0.01)


def test_the_same_recipe_gives_the_same_bytes(songbook_folder: Path, tmp_path: Path) -> None:
    for out in ("one", "two"):
        _prepare(songbook_folder, tmp_path / out)
    for name in FILES:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes(), name


def test_both_splits_have_songs_and_every_song_is_in_one(songbook_folder: Path, tmp_path: Path) -> None:
    _prepare(songbook_folder, tmp_path / "out")
    sides = {side: {song["song_id"] for song in read_songs(tmp_path / "out", side)} for side in ("train", "heldout")}
    assert all(sides.values())
    assert not sides["train"] & sides["heldout"]
    assert sides["train"] | sides["heldout"] == {song["song_id"] for song in read_songs(tmp_path / "out")}


def test_a_mixed_folder_gives_songs_of_every_kind(tmp_path: Path) -> None:
    folder = tmp_path / "mixed"
    folder.mkdir()
    (folder / "a.txt").write_text(
        songbook_text("Tune", ["The lamps are lit along the road", "My father brings the evening home"]),
        encoding="utf-8",
    )
    (folder / "b.mid").write_bytes(midi_bytes(WORDS))
    pack_mxl(folder / "c.mxl", xml_score(sung_measures("a very different set of words to sing about the moon tonight")))
    (folder / "d.mid").write_bytes(b"broken")
    (folder / "e.mid").write_bytes(midi_bytes(WORDS))
    (folder / "f.mid").write_bytes(midi_bytes(WORDS.replace("little ", "")))
    (folder / "g.mid").write_bytes(midi_bytes("too short"))
    (folder / "manifest.csv").write_text(
        "stem,title,authors,year,genres\nb,Real Title,Ann Lee,1921,Folk:3; Pop:1\n", encoding="utf-8"
    )
    summary = _prepare(folder, tmp_path / "out", CorpusSettings(language="any", near_duplicate_similarity=0.6))
    assert _rejects(tmp_path / "out") == {
        "d.mid": "bad_midi",
        "e.mid": "duplicate",
        "f.mid": "near_duplicate",
        "g.mid": "too_short",
    }
    assert summary.songs == 3
    song = next(song for song in read_songs(tmp_path / "out") if song["song_id"] == "mixed/b.mid")
    assert (song["title"], song["artist"], song["year"], song["genres"]) == (
        "Real Title",
        "Ann Lee",
        1921,
        ["Folk", "Pop"],
    )


def test_other_languages_are_left_out_and_any_keeps_them(tmp_path: Path) -> None:
    folder = tmp_path / "songs"
    folder.mkdir()
    for name, words in (("english", WORDS), ("german", GERMAN)):
        (folder / f"{name}.mid").write_bytes(midi_bytes())
        (folder / f"{name}.txt").write_text(words * 2, encoding="utf-8")
    assert _prepare(folder, tmp_path / "out", CorpusSettings()).languages == {"en": 1}
    assert _rejects(tmp_path / "out") == {"german.mid": "other_language"}
    assert _prepare(folder, tmp_path / "any").songs == 2


def test_a_source_in_which_nothing_is_usable_leaves_nothing_behind(tmp_path: Path) -> None:
    folder = tmp_path / "songs"
    folder.mkdir()
    (folder / "a.mid").write_bytes(b"broken")
    (folder / "b.mid").write_bytes(midi_bytes())
    with pytest.raises(SourceError, match=r"bad_midi 1.*no_lyrics 1.*docs/data\.md"):
        _prepare(folder, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["songs"]


def test_a_language_that_nobody_knows_is_refused_before_any_file_is_read(tmp_path: Path) -> None:
    from rhapsody_lib.operations.recipes import corpus_recipe
    from rhapsody_lib.settings import Settings

    unknown = CorpusSettings(language="zz")
    with pytest.raises(InputError, match=r"corpus\.language: 'zz'"):
        _prepare(tmp_path / "nowhere", tmp_path / "out", unknown)
    with pytest.raises(InputError, match=r"corpus\.language: 'zz'"):
        corpus_recipe(Settings(corpus=unknown), [str(tmp_path / "nowhere")])


def test_a_single_song_is_trained_on(tmp_path: Path) -> None:
    folder = tmp_path / "songs"
    folder.mkdir()
    (folder / "a.mid").write_bytes(midi_bytes(WORDS))
    settings = CorpusSettings(language="any", heldout_share=0.49)
    splits = [_prepare(folder, tmp_path / f"out{seed}", settings, seed=seed).splits for seed in range(5)]
    assert splits == [{"train": 1}] * 5


@pytest.mark.parametrize("sources", [[], ["nowhere"]])
def test_missing_sources_are_an_error(tmp_path: Path, sources: list[str]) -> None:
    with pytest.raises(SourceError):
        prepare_corpus([str(tmp_path / name) for name in sources], tmp_path / "out", ANY, seed=0)
    assert not (tmp_path / "out").exists()


def test_a_failure_midway_keeps_what_was_there(songbook_folder: Path, tmp_path: Path, monkeypatch) -> None:
    _prepare(songbook_folder, tmp_path / "out")
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    real, calls = reading._read_one, []

    def failing(*arguments: object):
        calls.append(1)
        if len(calls) == 4:
            raise MissingExtraError("install it")
        return real(*arguments)

    monkeypatch.setattr(reading, "_read_one", failing)
    with pytest.raises(MissingExtraError):
        _prepare(songbook_folder, tmp_path / "out", seed=1)
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mysongs", "out"]


def test_progress_reaches_the_end_and_never_goes_back(songbook_folder: Path, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    prepare_corpus(
        [str(songbook_folder)],
        tmp_path / "out",
        ANY,
        seed=0,
        progress=lambda done, total, note="": seen.append((done, total)),
    )
    assert seen == sorted(seen)
    assert seen[-1] == (6, 6)


def test_the_same_songs_under_two_names_are_duplicates(songbook_folder: Path, tmp_path: Path) -> None:
    summary = prepare_corpus([str(songbook_folder)] * 2, tmp_path / "out", ANY, seed=0)
    assert summary.sources["mysongs-2"] == {"songs": 0, "rejects": 6}
    assert summary.rejects["duplicate"] == 5


@pytest.mark.parametrize("text", ["", "stem\nb", "no,commas\n\x00", "stem,title\nb", '"unclosed', "title,stem\n,b\n"])
def test_a_manifest_that_is_none_is_ignored(tmp_path: Path, text: str) -> None:
    (tmp_path / "b.mid").write_bytes(midi_bytes(WORDS))
    (tmp_path / "manifest.csv").write_text(text, encoding="utf-8")
    found = [item for _, item in reading.read_source(open_source(str(tmp_path)), ANY)]
    assert [item.song.title for item in found] == ["Boats"]


def test_the_embedded_songbook_is_read_in_process_as_english_cc0(monkeypatch) -> None:
    monkeypatch.setattr(reading, "Sandbox", None)
    _, first = next(reading.read_source(open_source("songbook"), CorpusSettings(), workers=1))
    assert (first.song.language, first.song.licence, first.source) == ("en", "CC0-1.0", "songbook")
    assert first.song.track is not None
    assert first.song.track.notes > 200


def test_a_songbook_line_that_cannot_be_sung_in_its_bars_is_a_reject(songbook_folder: Path, tmp_path: Path) -> None:
    (songbook_folder / "dense.txt").write_text(songbook_text("Dense", ["la " * 5000] * 2), encoding="utf-8")
    _prepare(songbook_folder, tmp_path / "out")
    assert _rejects(tmp_path / "out")["dense.txt"] == "bad_songbook"


def test_music_without_words_is_kept_where_it_is_asked_for_and_once(tmp_path: Path) -> None:
    folder = tmp_path / "mixed"
    folder.mkdir()
    (folder / "a.mid").write_bytes(midi_bytes(WORDS))
    (folder / "b.mid").write_bytes(midi_bytes())
    (folder / "c.mid").write_bytes(midi_bytes())
    (folder / "d.mid").write_bytes(midi_bytes("la la"))
    kept = CorpusSettings(instrumentals=True)
    summary = _prepare(folder, tmp_path / "out", kept)
    assert _rejects(tmp_path / "out")["c.mid"] == "duplicate"
    songs = {song["song_id"]: song for song in read_songs(tmp_path / "out")}
    assert (songs["mixed/b.mid"]["lyrics"], songs["mixed/b.mid"]["language"]) == ("", "und")
    assert songs["mixed/a.mid"]["lyrics"] != ""
    assert len(_tracks(tmp_path / "out")) == summary.songs == len(songs)
    assert _prepare(folder, tmp_path / "words").songs == 1
