"""A table cut into parts says what the whole table says, whatever is wrong with it, and appended rows move no cut."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rhapsody_lib.corpus import record_stream, table_cuts
from rhapsody_lib.corpus.found import Job
from rhapsody_lib.corpus.record_stream import Record
from rhapsody_lib.corpus.records import read_records
from rhapsody_lib.corpus.table_cuts import table_parts

HEADER = "ALink,SName,SLink,Lyric,language\n"


def _row(number: int, words: str = "The river runs,\n\naway to sé") -> str:
    text = io.StringIO()
    csv.writer(text).writerow([f"/ann-{number % 7}/", f"Song {number}", "/x.html", f"{words} {number}", "en"])
    return text.getvalue()


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_cuts, "LEAST_BYTES", 1)
    monkeypatch.setattr(table_cuts, "PART_ROWS", 4)


def _job(path: Path, data: bytes) -> Job:
    path.write_bytes(data)
    return Job("table", str(path), path.name)


def _read_parts(parts: list[Job]) -> list[Record]:
    before = [0 if job.part is None else job.part.before for job in parts]
    return [
        (number and number + first, item)
        for job, first in zip(parts, before, strict=True)
        for number, item in read_records(job)
    ]


pieces = st.one_of(
    st.integers(0, 99).map(_row),
    st.integers(0, 99).map(lambda number: _row(number).replace("\r\n", "\n")),
    st.sampled_from(
        ["\n", "\r", '"', 'a"b,c\n', '/ann/,"x" y,z,w,en\n', "/ann/,a,b\n", '/b/,t,l,"open\n', "\0,", "é\n"]
    ),
    st.text('"\n\r,a/', max_size=12),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(
    st.lists(pieces, max_size=40),
    st.sampled_from([b"", b"\xff", b"\xe9,"]),
    st.sampled_from([b"", b"\xef\xbb\xbf"]),
    st.sampled_from([3, 1000]),
)
def test_the_parts_say_what_the_table_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: list[str], odd: bytes, mark: bytes, most_broken: int
) -> None:
    for module in (record_stream, table_cuts):
        monkeypatch.setattr(module, "MAX_BROKEN", most_broken)
    middle = len(rows) // 2
    text = HEADER.encode() + "".join(rows[:middle]).encode() + odd + "".join(rows[middle:]).encode()
    job = _job(tmp_path / "t.csv", mark + text)
    parts = table_parts(job)
    assert _read_parts(parts) == list(read_records(job))
    if len(parts) > 1:
        bounds = [(job.part.start, job.part.stop) for job in parts if job.part is not None]
        assert [stop for _, stop in bounds] == [*(start for start, _ in bounds[1:]), len(mark + text)]


def test_a_damaged_table_is_cut_around_its_damage(tmp_path: Path) -> None:
    text = HEADER + "".join(map(_row, range(30))) + '/x/,"broken" quote,a,b,en\n' + "".join(map(_row, range(30, 60)))
    job = _job(tmp_path / "t.csv", text.encode())
    parts = table_parts(job)
    assert len(parts) > 8
    assert _read_parts(parts) == list(read_records(job))


def test_appended_and_inserted_rows_leave_the_other_parts_as_they_are(tmp_path: Path) -> None:
    rows = [_row(number) for number in range(100)]

    def contents(rows: list[str]) -> list[bytes]:
        data = (HEADER + "".join(rows)).encode()
        jobs = table_parts(_job(tmp_path / "t.csv", data))
        return [data[job.part.start : job.part.stop] for job in jobs if job.part is not None]

    before = contents(rows)
    grown = contents([*rows, _row(100), _row(101)])
    assert grown[: len(before) - 2] == before[:-2]
    assert len(set(contents([*rows[:50], _row(500), *rows[50:]])) - set(before)) <= 3


def test_a_part_carries_the_artists_of_its_rows_alone(tmp_path: Path) -> None:
    names = "".join(f"Ann {number},/ann-{number}/\n" for number in range(9))
    (tmp_path / "artists.csv").write_text("Artist,Link\n" + names, encoding="utf-8")
    job = _job(tmp_path / "lyrics.csv", (HEADER + "".join(map(_row, range(40)))).encode())
    job = replace(job, artists_path=str(tmp_path / "artists.csv"))
    parts = table_parts(job)
    assert _read_parts(parts) == list(read_records(job))
    carried = [{link for link, _, _ in part.part.artists} for part in parts if part.part is not None]
    assert set().union(*carried) == {f"/ann-{number}/" for number in range(7)}
    assert any(len(links) < 7 for links in carried)
    assert [Job.from_message(part.message()) for part in parts] == parts


@pytest.mark.parametrize(("name", "mark"), [("t.csv", b"\xff\xfe"), ("t.csv.gz", b"\x1f\x8b"), ("none.csv", b"")])
def test_what_cannot_be_cut_stays_whole(tmp_path: Path, name: str, mark: bytes) -> None:
    job = _job(tmp_path / name, mark + b"a,b\n" * 9)
    assert table_parts(job) == [job]
