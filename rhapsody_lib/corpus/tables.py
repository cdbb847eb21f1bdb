"""The tables of a prepared corpus, written and read a row group at a time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from rhapsody_lib.corpus.schema import SONGS_FILE

ROWS_PER_GROUP = 256


class TableWriter:
    """Rows into a Parquet file, `ROWS_PER_GROUP` to a row group. The same rows give the same bytes."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._schema = schema
        self._writer = pq.ParquetWriter(path, schema, compression="zstd")
        self._rows: list[dict[str, Any]] = []

    def __enter__(self) -> TableWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._flush()
        self._writer.close()

    def write(self, row: dict[str, Any]) -> None:
        """Add one row."""
        self._rows.append(row)
        if len(self._rows) >= ROWS_PER_GROUP:
            self._flush()

    def _flush(self) -> None:
        if self._rows:
            self._writer.write_table(pa.Table.from_pylist(self._rows, schema=self._schema))
            self._rows = []


def read_songs(folder: Path, split: str | None = None) -> Iterator[dict[str, Any]]:
    """Rows of the songs table, in order; only those of one split, if it is named."""
    with pq.ParquetFile(folder / SONGS_FILE) as table:
        for group in range(table.num_row_groups):
            for row in table.read_row_group(group).to_pylist():
                if split is None or row["split"] == split:
                    yield row
