"""Names, titles, years and genres as people and programs write them into tables and JSON lines."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rhapsody_lib.corpus.fields import MAX_GENRES, genres_of, name_of, title_of, year_of
from rhapsody_lib.corpus.found import Job, ParsedSong
from rhapsody_lib.corpus.records import read_records


@pytest.mark.parametrize(
    ("text", "year"),
    [
        ("1999", 1999), (" 1999-05-01", 1999), ("1999.0", 1999), ("19991", 0), ("99999999999", 0), ("2999", 0),
        ("0999", 0), ("-1999", 0), ("199", 0), ("", 0), ("nan", 0), ("٢٠٠٠", 0), ("1000", 1000), ("2199", 2199),
    ],
)  # fmt: skip
def test_a_year_has_four_digits_and_may_be_one_of_a_song(text: str, year: int) -> None:
    assert year_of(text) == year


@pytest.mark.parametrize("text", ["nan", "NaN", "NAN", "N/A", "n/a", "null", "NULL", "None", " none "])
def test_a_value_that_is_missing_is_no_artist_and_no_genre(text: str) -> None:
    assert (name_of(text), genres_of(text), genres_of(f"{text};Folk")) == ("", (), ("Folk",))


def test_only_what_programs_write_is_no_title() -> None:
    assert [title_of(text) for text in ("nan", "NaN", "null", "None", "Nan", "NULL")] == [
        "",
        "",
        "",
        "None",
        "Nan",
        "NULL",
    ]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Simon &amp; Garfunkel", "Simon & Garfunkel"),
        ("Guns N&#39; Roses", "Guns N' Roses"),
        ("Beyonc&eacute;", "Beyoncé"),
        ("A &amp;amp; B", "A & B"),
        ("AT&T", "AT&T"),
        ("Love&notes", "Love&notes"),
        ("a&#0;b&#99999999999999;", "a\ufffdb&#99999999999999;"),
    ],
)
def test_references_of_html_are_what_they_stand_for(text: str, name: str) -> None:
    assert name_of(text) == title_of(text) == name


@pytest.mark.parametrize(
    ("text", "genres"),
    [
        ("['rock', 'pop']", ("rock", "pop")),
        ('["drum\'n\'bass", "R&amp;B"]', ("drum'n'bass", "R&B")),
        ("[rock, hip hop]", ("rock", "hip hop")),
        ("['rock', nan]", ("rock",)),
        ("[]", ()),
        ("R&amp;B; Pop/Rock|Folk;Folk", ("R&B", "Pop/Rock", "Folk")),
    ],
)
def test_genres_are_parted_as_they_are_written(text: str, genres: tuple[str, ...]) -> None:
    assert genres_of(text) == genres


def test_a_song_has_few_genres_however_many_are_listed() -> None:
    assert len(genres_of(str([f"g{number}" for number in range(900)]))) == MAX_GENRES


def _song(path: Path, kind: str, text: str) -> ParsedSong:
    path.write_text(text, encoding="utf-8")
    ((_, song),) = read_records(Job(kind, str(path), path.name))  # type: ignore[arg-type]
    assert isinstance(song, ParsedSong)
    return song


def test_tables_and_json_lines_are_read_with_them(tmp_path: Path) -> None:
    line = {"title": "A &amp; B", "artist": "NaN", "year": 1999.0, "genres": ["rock", "pop"], "text": "la la"}
    poem = _song(tmp_path / "a.jsonl", "jsonl", json.dumps(line))
    header, row = "title,artist,year,genres,lyrics", """A &amp; B,NaN,1999.0,"['rock', 'pop']",la la"""
    lyrics = _song(tmp_path / "a.csv", "table", f"{header}\n{row}\n")
    for song in (poem, lyrics):
        assert (song.title, song.artist, song.year, song.genres) == ("A & B", "", 1999, ("rock", "pop"))
