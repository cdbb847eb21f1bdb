from __future__ import annotations

import logging
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rhapsody_lib.corpus import reading
from rhapsody_lib.corpus.fields import MAX_GENRES
from rhapsody_lib.corpus.found import Found
from rhapsody_lib.corpus.reading import read_manifest, read_source
from rhapsody_lib.corpus.sources import open_source
from rhapsody_lib.settings import CorpusSettings
from tests.unit.corpus.corpus_samples import WORDS, midi_bytes

MANIFEST = "manifest.csv"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "b.mid").write_bytes(midi_bytes(WORDS))
    return tmp_path


def _song(folder: Path) -> Found:
    ((_, found),) = read_source(open_source(str(folder)), CorpusSettings(language="any"), workers=1)
    assert isinstance(found, Found)
    return found


@pytest.mark.parametrize(
    ("year", "expected"),
    [("1921-03-04", 1921), ("²²²²", 0), ("١٩٢١", 0), ("-921", 0), ("", 0), ("c. 1921", 0), ("19211", 0)],
)
def test_only_plain_digits_are_a_year(folder: Path, year: str, expected: int) -> None:
    (folder / MANIFEST).write_text(f"stem,title,year\nb,Real Title,{year}\n", encoding="utf-8")
    song = _song(folder).song
    assert (song.title, song.year) == ("Real Title", expected)


@pytest.mark.parametrize("text", ["stem;title\nb;One, Two\n", "sep=\t\nstem\ttitle\nb\tOne, Two\n"])
def test_a_manifest_may_be_parted_by_semicolons_and_tabs(folder: Path, text: str) -> None:
    (folder / MANIFEST).write_text(text, encoding="utf-8")
    assert _song(folder).song.title == "One, Two"


def test_texts_of_a_manifest_are_plain_lines_of_bounded_length(folder: Path) -> None:
    genres = ";".join(f"g{number}\x07" for number in range(900))
    (folder / MANIFEST).write_text(f"stem,title,genres\nb,{'long ' * 9000},{genres}\n", encoding="utf-8")
    song = _song(folder).song
    assert len(song.title) == 300
    assert song.genres == tuple(f"g{number}" for number in range(MAX_GENRES))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ("stem,title\nb,Café\n".encode("cp1252"), "utf-8"),
        ("stem,title\nb,Real Title\n".encode("utf-16"), "utf-8"),
        (b"stem,title\nb," + b"x" * 200_000, "field larger"),
        (b"name,words\nb,Real Title\n", "no column 'title'"),
        (b"title,artist\nReal Title,Ann\n", "none of 'stem' and 'file'"),
        (b"\0\0\0", ""),
        (b"", "no column"),
    ],
)
def test_a_manifest_of_no_use_is_ignored_with_a_warning(
    folder: Path, data: bytes, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    (folder / MANIFEST).write_bytes(data)
    with caplog.at_level(logging.WARNING):
        assert _song(folder).song.title == "Boats"
    (record,) = caplog.records
    assert MANIFEST in record.getMessage()
    assert reason in record.getMessage()


def test_a_manifest_that_is_too_large_is_ignored_unread(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(reading, "MAX_MANIFEST_BYTES", 10)
    (folder / MANIFEST).write_text("stem,title\nb,Real Title\n", encoding="utf-8")
    assert read_manifest(open_source(str(folder))) == {}
    assert "larger" in caplog.text


def test_rows_and_columns_about_nothing_here_are_not_kept(folder: Path) -> None:
    header = "stem,title," + ",".join(f"c{number}" for number in range(2000))
    strangers = "".join(f"s{number}\n" for number in range(2000))
    (folder / MANIFEST).write_text(f"{header}\n{strangers}b,First,x\nb,Second\n", encoding="utf-8")
    assert read_manifest(open_source(str(folder))) == {"b": {"stem": "b", "title": "First"}}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=60), st.sampled_from([b"", b"stem,title,year,genres\nb,", b"file,title\n"]))
def test_any_bytes_are_rows_or_none(folder: Path, data: bytes, start: bytes) -> None:
    (folder / MANIFEST).write_bytes(start + data)
    assert read_manifest(open_source(str(folder))).keys() <= {"b"}
