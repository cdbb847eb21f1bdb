from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rhapsody_lib.corpus import tables
from rhapsody_lib.corpus.schema import SONGS_FILE
from rhapsody_lib.corpus.tables import TableWriter, read_songs

SCHEMA = pa.schema([("name", pa.string()), ("data", pa.binary()), ("split", pa.string())])


def _write(path: Path, rows: list[dict[str, Any]], pieces: list[int]) -> bytes:
    """The file of these rows, given as tables of so many rows in turn and one by one after them."""
    start = 0
    with TableWriter(path, SCHEMA) as writer:
        for length in pieces:
            writer.write_table(pa.Table.from_pylist(rows[start : start + length], schema=SCHEMA))
            start += length
        for row in rows[start:]:
            writer.write(row)
    return path.read_bytes()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(st.lists(st.integers(0, 60), max_size=40), st.lists(st.integers(0, 9), max_size=6))
def test_the_same_rows_give_the_same_bytes_however_they_come(tmp_path, monkeypatch, sizes, pieces) -> None:
    monkeypatch.setattr(tables, "ROWS_PER_GROUP", 7)
    monkeypatch.setattr(tables, "BYTES_PER_GROUP", 100)
    rows = [
        {"name": f"é{number}" * (number % 3), "data": b"x" * size or None, "split": "train"}
        for number, size in enumerate(sizes)
    ]
    path = tmp_path / SONGS_FILE
    assert _write(path, rows, pieces) == _write(path, rows, [])
    assert list(read_songs(tmp_path, "train")) == rows


def test_a_row_group_has_bounded_rows_and_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "ROWS_PER_GROUP", 7)
    monkeypatch.setattr(tables, "BYTES_PER_GROUP", 100)
    _write(tmp_path / "t", [{"name": "a", "data": b"x" * size, "split": ""} for size in [1] * 20 + [60] * 5], [])
    file = pq.ParquetFile(tmp_path / "t").metadata
    assert [file.row_group(index).num_rows for index in range(file.num_row_groups)] == [7, 7, 7, 2, 2]
