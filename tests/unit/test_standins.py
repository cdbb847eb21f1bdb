"""The stand-ins of the real corpora: their formats, their defects, the same bytes from the same seed."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import random
import sqlite3
import zipfile
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from rhapsody_lib.music.midi import midi_to_score
from tests.benchmarks.standins_kaggle import write_kaggle
from tests.benchmarks.standins_lakh import write_lakh
from tests.benchmarks.standins_music import make_song, midi_of, npz_of, read_bases

ROWS, SONGS, TRACKS = 1500, 40, 300


def digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def kaggle(datasets: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_kaggle(tmp_path_factory.mktemp("kaggle"), datasets, ROWS)


@pytest.fixture(scope="module")
def lakh(datasets: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_lakh(tmp_path_factory.mktemp("lakh"), datasets, SONGS, tracks=TRACKS)


def rows_of(table: Path) -> list[dict[str, str]]:
    with table.open(encoding="utf-8", errors="replace", newline="") as stream:
        return list(csv.DictReader(stream))


def test_a_kaggle_table_has_the_published_columns_and_songs_that_differ(kaggle: Path) -> None:
    rows = rows_of(kaggle)
    assert list(rows[0]) == ["ALink", "SName", "SLink", "Lyric", "language"]
    assert len(rows) >= ROWS - 3
    texts = [row["Lyric"] for row in rows if row["Lyric"] not in {"", "Instrumental"}]
    assert 0.95 * len(texts) < len(set(texts)) < len(texts)  # covers, but few
    assert {"en", "pt"} < {row["language"] for row in rows}
    artists = {row["Link"]: row for row in rows_of(kaggle.with_name("artists-data.csv"))}
    assert {row["ALink"] for row in rows} <= artists.keys()


def test_a_larger_kaggle_table_begins_with_the_smaller_one(kaggle: Path, datasets: Path, tmp_path: Path) -> None:
    smaller = write_kaggle(tmp_path, datasets, 200)
    assert kaggle.read_bytes().startswith(smaller.read_bytes())


def test_the_older_release_folds_lines_and_repeats_artists(datasets: Path, tmp_path: Path) -> None:
    rows = rows_of(write_kaggle(tmp_path, datasets, 400, older=True))
    assert list(rows[0])[-1] == "Idiom"
    assert not any("\n" in row["Lyric"] for row in rows)
    artists = rows_of(tmp_path / "artists-data.csv")
    assert len(artists) > len({row["Link"] for row in artists})


def test_a_lakh_tree_has_the_published_layout(lakh: Path) -> None:
    pairs = [line.split("    ") for line in (lakh / "cleansed_ids.txt").read_text().splitlines()]
    assert len(pairs) == SONGS
    for md5, track in pairs:
        place = Path(track[2], track[3], track[4], track)
        assert (lakh / "lpd_5_cleansed" / place / f"{md5}.npz").is_file()
        midi = (lakh / "lmd_matched" / place / f"{md5}.mid").read_bytes()
        assert hashlib.md5(midi, usedforsecurity=False).hexdigest() == md5
    scores = json.loads((lakh / "match_scores.json").read_text())
    assert {track: max(found, key=found.get) for track, found in scores.items()} == {track: md5 for md5, track in pairs}
    with closing(sqlite3.connect(lakh / "track_metadata.db")) as table:
        assert TRACKS - 5 <= table.execute("SELECT count(*) FROM songs").fetchone()[0] <= TRACKS
        known = {row[0] for row in table.execute("SELECT track_id FROM songs")}
    assert len(known & {track for _, track in pairs}) >= SONGS - 3
    words = [row["Lyrics"] for row in rows_of(lakh / "matched_lyrics.csv")]
    assert "" in words
    assert any(text.endswith("NOT for Commercial use *******") for text in words)


def test_the_same_seed_gives_the_same_tree(lakh: Path, datasets: Path, tmp_path: Path) -> None:
    assert digests(write_lakh(tmp_path, datasets, SONGS, tracks=TRACKS)) == digests(lakh)


def test_a_song_is_the_same_music_as_midi_and_as_piano_roll(datasets: Path) -> None:
    bases = read_bases(datasets)
    song = make_song(random.Random(5), bases)
    score = midi_to_score(midi_of(song), "song")
    data = npz_of(song, "x")
    arrays = np.load(io.BytesIO(data), allow_pickle=False)
    steps = {int(arrays[f"pianoroll_{number}_csc_shape"][0]) for number in range(5)}
    assert steps <= {0, len(arrays["tempo"])}
    sounding = [number for number in range(5) if len(arrays[f"pianoroll_{number}_csc_data"])]
    assert sounding == [number for number, rows in enumerate(song.families) if len(rows)]
    assert sum(map(len, score.parts.values())) > 50
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert json.loads(archive.read("info.json"))["beat_resolution"] == 24
