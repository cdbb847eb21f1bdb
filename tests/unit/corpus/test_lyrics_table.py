"""Tables of lyrics: both Kaggle releases, any other with a column of lyrics, and whatever is wrong with them."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rhapsody_lib.corpus import record_stream
from rhapsody_lib.corpus.found import Found, Job, ParsedSong, Reject
from rhapsody_lib.corpus.lyrics_table import read_artists, read_table, unfolded
from rhapsody_lib.corpus.reading import read_source
from rhapsody_lib.corpus.record_stream import MAX_RECORD_CHARACTERS, Refusal
from rhapsody_lib.corpus.records import read_records
from rhapsody_lib.corpus.sources import open_source
from rhapsody_lib.corpus.table_cuts import table_parts
from rhapsody_lib.settings import CorpusSettings

HEADER = ["ALink", "SName", "SLink", "Lyric", "language"]
ROW = ["/ann-lee/", "Boats", "/ann-lee/boats.html", 'The "river" runs,\nand away\n\nto the sea', "en"]
OTHER = ["/bo/", "Moon", "/bo/moon.html", "The moon, the moon", "pt"]


def _csv(rows: Sequence[Sequence[str]], delimiter: str = ",") -> str:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter).writerows(rows)
    return text.getvalue()


def _read(path: Path, data: str | bytes, artists: Path | None = None) -> list[tuple[int, ParsedSong | str]]:
    """(number, song or code of the refusal) of each record of a table with this content."""
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    job = Job("table", str(path), path.name, artists_path=str(artists) if artists else "")
    return [
        (number, f"{item.code.value}: {item.detail}" if isinstance(item, Refusal) else item)
        for number, item in read_records(job)
    ]


def _songs(path: Path, data: str | bytes, artists: Path | None = None) -> list[ParsedSong]:
    return [item for _, item in _read(path, data, artists) if isinstance(item, ParsedSong)]


def test_the_newer_release_is_read_with_its_lines_and_its_claim_of_language(tmp_path: Path) -> None:
    song, other = _songs(tmp_path / "lyrics-data.csv", _csv([HEADER, ROW, OTHER]))
    assert (song.title, song.artist, song.lyrics) == ("Boats", "ann lee", ROW[3])
    assert (song.language, song.claimed_language, other.claimed_language) == ("", "en", "pt")
    assert (song.licence, song.track) == ("", None)


def test_the_older_release_gets_its_lines_back(tmp_path: Path) -> None:
    folded = "The river runs. Away to sea!. Nobody knows"
    (song,) = _songs(tmp_path / "l.csv", _csv([[*HEADER[:4], "Idiom"], [*ROW[:3], folded, "ENGLISH"]]))
    assert song.lyrics == "The river runs\nAway to sea!\nNobody knows"
    assert song.claimed_language == "en"
    assert unfolded("One. Two") == "One. Two"
    assert unfolded("One. Two. Three\nFour") == "One. Two. Three\nFour"


def test_an_artist_of_many_genres_does_not_multiply_songs(tmp_path: Path) -> None:
    artists = tmp_path / "artists-data.csv"
    header = ["Artist", "Songs", "Popularity", "Link", "Genre", "Genres"]
    rows = [["Ann Lee", "1", "2.0", "/ann-lee/", genre, "Folk; Pop/Rock"] for genre in ("Rock", "Pop")]
    artists.write_text(_csv([header, *rows, ["cut", "off"]]), encoding="utf-8")
    (song,) = _songs(tmp_path / "lyrics-data.csv", _csv([HEADER, ROW]), artists)
    assert (song.artist, song.genres) == ("Ann Lee", ("Folk", "Pop/Rock", "Rock", "Pop"))


@pytest.mark.parametrize("data", [b"", b"\0\0", b"a,b\n1,2\n", b"\xff\xfe\0"])
def test_a_table_of_artists_that_is_none_costs_only_their_names(tmp_path: Path, data: bytes, caplog) -> None:
    (tmp_path / "artists.csv").write_bytes(data)
    (song,) = _songs(tmp_path / "lyrics.csv", _csv([HEADER, ROW]), tmp_path / "artists.csv")
    assert song.artist == "ann lee"
    assert "artists.csv is ignored" in caplog.text


def test_a_damaged_packed_table_of_artists_costs_only_their_names(tmp_path: Path, caplog) -> None:
    names = [[f"Ann {number * 7919}", f"/ann-{number}/"] for number in range(2000)]
    packed = bytearray(gzip.compress(_csv([["Artist", "Link"], *names]).encode(), mtime=0))
    middle = len(packed) // 2
    packed[middle : middle + 400] = b"\xff" * 400
    (tmp_path / "artists.csv.gz").write_bytes(packed)
    (song,) = _songs(tmp_path / "lyrics.csv", _csv([HEADER, ROW]), tmp_path / "artists.csv.gz")
    assert song.artist == "ann lee"
    assert "Error -3" in caplog.text


def test_an_artist_has_few_genres_and_a_short_link(tmp_path: Path) -> None:
    rows = [["Ann", "/ann/", f"genre {number}"] for number in range(500)]
    path = tmp_path / "artists.csv"
    path.write_text(_csv([["Artist", "Link", "Genre"], *rows, ["Bo", f"/{'b' * 400}/", "Pop"]]), encoding="utf-8")
    artists = read_artists(path)
    assert list(artists) == ["/ann/"]
    assert len(artists["/ann/"].genres) == 32


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_other_marks_delimiters_and_line_ends_say_the_same(tmp_path, encoding, delimiter, end) -> None:
    text = _csv([["title", "artist_name", "Lyrics", "year"], ["Été", "Ann", "one, two; three", "1921-03"]], delimiter)
    (song,) = _songs(tmp_path / "any.csv", text.replace("\r\n", end).encode(encoding))
    assert (song.title, song.artist, song.lyrics, song.year) == ("Été", "Ann", "one, two; three", 1921)


@pytest.mark.parametrize("line", ["sep=;\n", "SEP=;\r\n", '"sep=;"\r'])
@pytest.mark.parametrize("rows", [1, 9000])
def test_the_line_in_which_excel_names_its_delimiter_is_passed_over(tmp_path: Path, line: str, rows: int) -> None:
    path = tmp_path / "lyrics.csv"
    path.write_text(line + _csv([HEADER, *[[*ROW[:3], "la " * 50, "en"]] * rows], ";"), encoding="utf-8", newline="")
    parts = table_parts(Job("table", str(path), path.name))
    assert (len(parts) > 1) == (rows > 1)
    read = [item for part in parts for _, item in read_records(part)]
    assert len(read) == rows
    assert {isinstance(item, ParsedSong) and item.title for item in read} == {"Boats"}


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ('/a/,S,/a/s.html,"",en\n', "no_lyrics: has no lyrics"),
        ("/a/,S,/a/s.html,  ,en\n", "no_lyrics"),
        ("/a/,S\n", "bad_table: has 2 fields instead of 5"),
        ("/a/,S,/a/s.html,words,en,more,more\n", "bad_table: has 7 fields"),
        ('/a/,S,/a/s.html,"words" more,en\n', "bad_table: has broken quoting"),
        (b"/a/,S,/a/s.html,caf\xe9,en\n", "bad_text"),
        (b"/a/,S,/a/s.html,wo\0rds,en\n", "bad_text"),
        (f'/a/,S,/a/s.html,"{"x" * 400_000}",en\n', "too_large"),
        ('/a/,S,/a/s.html,"' + "long line\n" * 40_000 + '",en\n', "too_large"),
    ],
)
def test_a_bad_row_is_one_refusal_and_its_neighbours_are_read(tmp_path: Path, row: str | bytes, reason: str) -> None:
    row = row.encode() if isinstance(row, str) else row
    first, bad, last = _read(tmp_path / "l.csv", _csv([HEADER, ROW]).encode() + row + _csv([OTHER]).encode())
    assert isinstance(first[1], ParsedSong)
    assert isinstance(bad[1], str)
    assert bad[1].startswith(reason)
    assert isinstance(last[1], ParsedSong)
    assert [first[0], bad[0], last[0]] == [1, 2, 3]


def test_a_quote_that_is_never_closed_costs_its_row_alone(tmp_path: Path) -> None:
    open_quote = '/a/,S,/a/s.html,"The quote, that, is, never,\nclosed, en\n'
    rows = _read(tmp_path / "l.csv", _csv([HEADER]) + open_quote + _csv([ROW, OTHER, ROW]))
    assert [isinstance(item, ParsedSong) for _, item in rows] == [False, True, True, True]
    assert [item.title for _, item in rows if isinstance(item, ParsedSong)] == ["Boats", "Moon", "Boats"]


def test_without_links_reading_goes_on_at_a_line_that_could_be_a_row(tmp_path: Path) -> None:
    broken = 'S,"The quote is never\nclosed and, then, there\n'
    rows = _read(tmp_path / "l.csv", "title,lyrics\n" + broken + _csv([["A", 'say "a"'], ["B", "b"], ["C", "c"]]))
    assert [item.title for _, item in rows if isinstance(item, ParsedSong)][-2:] == ["B", "C"]
    assert sum(isinstance(item, str) for _, item in rows) == 1


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "bad_table: has no header"),
        (b"SLink,source_file\na,b\n", "bad_table: has no column of lyrics"),
        (b"x" * 400_000, "bad_table: has no header"),
        (b"Lyric\n", "no_lyrics: holds no songs"),
    ],
)
def test_a_file_that_is_no_table_of_lyrics_is_one_reject_with_a_reason(tmp_path, data: bytes, reason: str) -> None:
    ((number, refused),) = _read(tmp_path / "l.csv", data)
    assert number == 0
    assert isinstance(refused, str)
    assert refused.startswith(reason)


def test_a_file_of_nothing_but_broken_rows_is_given_up(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(record_stream, "MAX_BROKEN", 5)
    rows = _read(tmp_path / "l.csv", _csv([HEADER, ROW]) + "a,b\n" * 50)
    assert len(rows) == 1 + 5 + 1
    assert rows[-1][0] == 0
    assert "given up here" in str(rows[-1][1])


def test_a_packed_table_is_read_and_one_that_breaks_off_ends_in_a_reject(tmp_path: Path) -> None:
    packed = gzip.compress(_csv([HEADER, *[ROW] * 400]).encode(), mtime=0)
    assert len(_songs(tmp_path / "l.csv.gz", packed)) == 400
    *rows, last = _read(tmp_path / "cut.csv.gz", packed[: len(packed) - 20])
    assert all(isinstance(item, ParsedSong) for _, item in rows)
    assert last[0] == 0
    assert str(last[1]).startswith("bad_table: cannot be read to its end")
    ((_, refused),) = _read(tmp_path / "none.csv.gz", b"no gzip at all")
    assert str(refused).startswith("bad_table: cannot be read")


def test_a_packed_bomb_is_refused(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(record_stream, "MAX_UNPACKED_BYTES", 100_000)
    bomb = gzip.compress(_csv([HEADER]).encode() + b"/a/,S,/a/s.html,words words,en\n" * 60_000, mtime=0)
    *rows, last = _read(tmp_path / "bomb.csv.gz", bomb)
    assert str(last[1]).startswith("too_large: unpacks too far")
    assert len(rows) * 30 <= max(100_000, 100 * len(bomb)) + 200_000


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    import tracemalloc

    path = tmp_path / "l.csv"
    path.write_text(_csv([HEADER, *[ROW] * 12_000]), encoding="utf-8")
    tracemalloc.start()
    count = sum(1 for _ in read_table(path, "l.csv", None))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 12_000
    assert peak < 500_000 < path.stat().st_size


def test_in_a_folder_the_artists_belong_to_their_table(tmp_path: Path) -> None:
    folder = tmp_path / "kaggle"
    folder.mkdir()
    (folder / "lyrics-data.csv").write_text(_csv([HEADER, ROW, [*ROW[:3], "", "en"]]), encoding="utf-8")
    (folder / "artists-data.csv").write_text(
        _csv([["Artist", "Genres", "Songs", "Popularity", "Link"], ["Ann Lee", "Folk", "1", "1", "/ann-lee/"]]),
        encoding="utf-8",
    )
    (folder / "provenance.csv").write_text("SLink,source_file\na,b\n", encoding="utf-8")
    for named in (folder, folder / "lyrics-data.csv"):
        items = [item for _, item in read_source(open_source(str(named)), CorpusSettings(), workers=1)]
        found = [item for item in items if isinstance(item, Found)]
        assert [item.song.artist for item in found] == ["Ann Lee"]
        assert [item.song_id for item in found] == [f"{named.name}/lyrics-data.csv#1"]
        rejects = {item.path: item.code.value for item in items if isinstance(item, Reject)}
        expected = {"lyrics-data.csv#2": "no_lyrics"} | ({"provenance.csv": "bad_table"} if named == folder else {})
        assert rejects == expected


@pytest.mark.parametrize(
    ("lyrics", "artists"),
    [
        ("LYRICS-DATA.CSV", "ARTISTS-DATA.CSV"),
        ("lyrics-data.csv.gz", "artists-data.csv"),
        ("Lyrics.csv", "artists.csv.GZ"),
        ("lyrics-data.csv.gz", "artists-data.csv.gz"),
    ],
)
def test_artists_are_found_in_any_case_packed_or_not(tmp_path: Path, lyrics: str, artists: str) -> None:
    for name, rows in ((lyrics, [HEADER, ROW]), (artists, [["Artist", "Link"], ["Ann Lee!", "/ann-lee/"]])):
        data = _csv(rows).encode()
        (tmp_path / name).write_bytes(gzip.compress(data) if name.lower().endswith(".gz") else data)
    for named in (tmp_path, tmp_path / lyrics):
        (found,) = (item for _, item in read_source(open_source(str(named)), CorpusSettings(), workers=1))
        assert isinstance(found, Found) and found.song.artist == "Ann Lee!"


def test_rows_of_artists_that_are_no_text_are_counted(tmp_path: Path, caplog) -> None:
    (tmp_path / "artists.csv").write_bytes("Artist,Link\nBeyoncé,/beyonce/\nAnn,/ann/\n".encode("cp1252"))
    assert list(read_artists(tmp_path / "artists.csv")) == ["/ann/"]
    assert "1 rows are left out" in caplog.text


_CELLS = st.text(alphabet=st.sampled_from('ab é,;"\n\r\t\0/'), max_size=12) | st.text(max_size=8)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(_CELLS, min_size=1, max_size=6), max_size=6))
def test_rows_written_by_the_csv_module_are_read_as_written(tmp_path: Path, rows: list[list[str]]) -> None:
    kept = [
        row for row in rows if not any("\0" in cell or "\ud800" <= max(cell, default="") <= "\udfff" for cell in row)
    ]
    table = [[f"/a{number}/", row[0], "/x", "\n".join(row) + "!", "en"] for number, row in enumerate(kept)]
    text = _csv([HEADER, *table])
    songs = _songs(tmp_path / "l.csv", text.encode("utf-8", "replace"))
    assert [song.lyrics.encode() for song in songs] == [row[3].encode("utf-8", "replace") for row in table]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200) | _CELLS.map(lambda text: text.encode("utf-8", "replace")), st.booleans())
def test_any_bytes_are_songs_or_refusals(tmp_path: Path, data: bytes, headed: bool) -> None:
    start = _csv([HEADER, ROW]).encode() if headed else b""
    for number, item in _read(tmp_path / "l.csv", start + data):
        assert number >= 0
        assert isinstance(item, ParsedSong) or item
    assert csv.field_size_limit() > MAX_RECORD_CHARACTERS


def test_every_broken_table_of_the_data_sets_is_read_or_rejected(datasets: Path) -> None:
    expected = {
        "made_lyrics_duplicates.csv": 4, "made_lyrics_empty.csv": 0, "made_lyrics_huge_field.csv": 0,
        "made_lyrics_nul.csv": 0, "made_lyrics_ok.csv": 1, "made_lyrics_ragged.csv": 1, "made_lyrics_semicolon.csv": 1,
        "made_lyrics_unclosed_quote.csv": 1, "made_lyrics_utf16.csv": 1, "made_lyrics_wrong_language.csv": 2,
    }  # fmt: skip
    folder = datasets / "bad_inputs" / "csv"
    items = [item for _, item in read_source(open_source(str(folder)), CorpusSettings(), workers=1)]
    songs = [item.path.partition("#")[0] for item in items if isinstance(item, Found)]
    assert {name: songs.count(name) for name in expected} == expected
    assert all(item.detail for item in items if isinstance(item, Reject))
