"""Releases are measured on songs that neither has learnt from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rhapsody_lib.corpus.schema import SONGS_FILE, SONGS_SCHEMA, TRACKS_FILE, TRACKS_SCHEMA
from rhapsody_lib.errors import DamagedArtifactError
from rhapsody_lib.lyrics.copying import COPY_WORDS
from rhapsody_lib.lyrics.overlap import words_of
from rhapsody_lib.lyrics.runs import RunFilter, run_hashes, word_hashes
from rhapsody_lib.operations import heldout
from rhapsody_lib.operations.heldout import choose_songs, training_lyrics, without_known


def write(folder: Path, train: range, held: range, source: str = "a") -> Path:
    """A corpus whose song number n has the title and the words of n, whatever the source is called."""
    folder.mkdir()
    rows: list[dict[str, Any]] = [
        {
            "song_id": f"{source}/{number}",
            "title": f"Song {number}",
            "artist": "",
            "lyrics": f"word{number} is sung\nand sung word{number}\n",
            "split": "train" if number in train else "heldout",
        }
        for number in (*train, *held)
    ]
    pq.write_table(pa.Table.from_pylist(rows, SONGS_SCHEMA), folder / SONGS_FILE)
    tracks = [{"track_id": f"{source}/{n}#1", "song_id": f"{source}/{n}", "midi": b"no music"} for n in held]
    pq.write_table(pa.Table.from_pylist(tracks, TRACKS_SCHEMA), folder / TRACKS_FILE)
    return folder


def titles(chosen: heldout.Heldout) -> set[str]:
    return {song.title for song in chosen.songs}


def test_songs_that_the_live_release_was_trained_on_are_left_out(tmp_path: Path) -> None:
    corpus = write(tmp_path / "new", range(20), range(20, 40))
    live = write(tmp_path / "old", range(15, 30), range(30, 35), source="b")
    chosen = choose_songs(corpus, live)
    assert titles(chosen) == {f"Song {number}" for number in range(30, 40)}
    assert chosen.notes == ("10 of 20 held-out songs were trained on by the live release and were left out.",)
    assert {song.title for song in chosen.others} == {f"Song {number}" for number in range(20)}
    assert {song.title for song in training_lyrics(corpus)} == {song.title for song in chosen.others}


@pytest.mark.parametrize(("learnt", "note"), [(15, "the 5 that are left tell little"), (20, "none is left to measure")])
def test_no_song_that_the_live_release_has_learnt_is_ever_measured_on(tmp_path: Path, learnt: int, note: str) -> None:
    corpus = write(tmp_path / "new", range(10), range(10, 20))
    live = write(tmp_path / "old", range(10, learnt), range(9), source="b")
    chosen = choose_songs(corpus, live)
    assert titles(chosen) == {f"Song {number}" for number in range(learnt, 20)}
    assert note in chosen.notes[0]
    # An encoder that is taken as it is has learnt no song, so any held-out one may be looked for.
    assert {song.title for song in chosen.queries} == {f"Song {number}" for number in range(10, 20)}
    assert choose_songs(corpus, live, live_tuned=True).queries == chosen.songs


def test_songs_that_either_base_model_has_read_are_left_out(tmp_path: Path) -> None:
    chosen = choose_songs(write(tmp_path / "corpus", range(5), range(5, 20)), None)
    read = [RunFilter.of_size(100) for _ in range(2)]
    for song, runs in zip(chosen.songs, read, strict=False):
        runs.add(run_hashes(word_hashes(words_of(song)), COPY_WORDS))
    left = without_known(chosen, read)
    assert left.songs == chosen.songs[2:]
    assert left.queries == chosen.queries
    assert "2 of 15 held-out songs were read by a base model" in left.notes[-1]
    assert without_known(chosen, []) == chosen


def test_the_same_words_under_another_title_are_known_again(tmp_path: Path) -> None:
    corpus = write(tmp_path / "new", range(5), range(5, 20))
    live = write(tmp_path / "old", range(5, 7), range(1))
    table = pq.read_table(live / SONGS_FILE).to_pylist()
    renamed = [{**row, "title": "Another", "song_id": "x"} for row in table]
    pq.write_table(pa.Table.from_pylist(renamed, SONGS_SCHEMA), live / SONGS_FILE)
    assert titles(choose_songs(corpus, live)) == {f"Song {number}" for number in range(7, 20)}


def test_large_corpora_are_sampled_always_alike(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heldout, "MAX_SONGS", 5)
    monkeypatch.setattr(heldout, "MAX_OTHERS", 3)
    corpus = write(tmp_path / "corpus", range(10), range(10, 30))
    first, second = choose_songs(corpus, None), choose_songs(corpus, None)
    assert (len(first.songs), len(first.others)) == (5, 3)
    assert first == second
    assert first.notes == ("Measured on 5 of 20 held-out songs.",)


def test_music_is_found_beyond_the_songs_whose_words_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heldout, "MAX_SONGS", 2)
    monkeypatch.setattr(heldout, "MAX_TRACKS", 3)
    heard: list[str] = []
    monkeypatch.setattr(heldout, "midi_to_score", lambda midi, name: heard.append(name))
    corpus = write(tmp_path / "new", range(5), range(5, 20))
    live = write(tmp_path / "old", range(5, 10), range(5), source="b")
    read = {song.title for song in choose_songs(corpus, live).songs}
    assert len(read) == 2
    assert len(heard) == 3
    assert {int(name[2:-2]) for name in heard} <= set(range(10, 20))  # none that the live release has learnt


def test_nothing_held_out_is_said(tmp_path: Path) -> None:
    chosen = choose_songs(write(tmp_path / "corpus", range(3), range(0)), None)
    assert (chosen.songs, chosen.scores) == ((), ())
    assert "No song is held out" in chosen.notes[0]


@pytest.mark.parametrize("count", [4, 7, 8])
def test_few_songs_held_out_are_said_to_tell_little(tmp_path: Path, count: int) -> None:
    chosen = choose_songs(write(tmp_path / "corpus", range(10, 20), range(count)), None)
    assert len(chosen.songs) == count
    few = (f"Only {count} songs are held out: so few tell little of words and music.",)
    assert chosen.notes == (few if count < 8 else ())


def test_a_table_that_cannot_be_read_is_damage(tmp_path: Path) -> None:
    (tmp_path / SONGS_FILE).write_bytes(b"damaged")
    with pytest.raises(DamagedArtifactError, match=r"songs\.parquet"):
        choose_songs(tmp_path, None)
