"""The tables of a prepared corpus, written and read a row group at a time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from rhapsody_lib.corpus.schema import SONGS_FILE

#: A row group holds so many rows, or fewer where these have more bytes than `BYTES_PER_GROUP`.
ROWS_PER_GROUP = 1024
BYTES_PER_GROUP = 4 << 20
_ROWS_AT_ONCE = 128


def _row_bytes(table: pa.Table) -> npt.NDArray[np.int64]:
    """Bytes of the texts and blobs of each row."""
    total = np.zeros(table.num_rows, dtype=np.int64)
    for column in table.columns:
        if pa.types.is_string(column.type) or pa.types.is_binary(column.type):
            total += pc.fill_null(pc.binary_length(column), 0).to_numpy().astype(np.int64)
    return total


class TableWriter:
    """Rows into a Parquet file, in row groups of bounded size. The same rows give the same bytes, however they come."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._schema = schema
        self._writer = pq.ParquetWriter(path, schema, compression="zstd")
        self._rows: list[dict[str, Any]] = []
        self._tables: list[pa.Table] = []
        self._held_rows, self._held_bytes = 0, 0

    def __enter__(self) -> TableWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._take_rows()
            self._write_group()
        self._writer.close()

    def write(self, row: dict[str, Any]) -> None:
        """Add one row."""
        self._rows.append(row)
        if len(self._rows) >= _ROWS_AT_ONCE:
            self._take_rows()

    def write_table(self, table: pa.Table) -> None:
        """Add rows that have the schema."""
        self._take_rows()
        self._take(table)

    def _take_rows(self) -> None:
        if self._rows:
            table = pa.Table.from_pylist(self._rows, schema=self._schema)
            self._rows = []
            self._take(table)

    def _take(self, table: pa.Table) -> None:
        """Hold the rows, and write each group that they fill: it ends with the row that reaches a bound."""
        sizes, start = np.cumsum(_row_bytes(table)), 0
        while start < table.num_rows:
            before = int(sizes[start - 1]) if start else 0
            filled = int(np.searchsorted(sizes, before + BYTES_PER_GROUP - self._held_bytes)) + 1
            stop = min(table.num_rows, filled, start + ROWS_PER_GROUP - self._held_rows)
            self._tables.append(table.slice(start, stop - start))
            self._held_rows += stop - start
            self._held_bytes += int(sizes[stop - 1]) - before
            if self._held_rows >= ROWS_PER_GROUP or self._held_bytes >= BYTES_PER_GROUP:
                self._write_group()
            start = stop

    def _write_group(self) -> None:
        if self._tables:
            # In one piece: the bytes of a page would depend on the pieces.
            self._writer.write_table(pa.concat_tables(self._tables).combine_chunks())
        self._tables, self._held_rows, self._held_bytes = [], 0, 0


def read_songs(folder: Path, split: str | None = None) -> Iterator[dict[str, Any]]:
    """Rows of the songs table, in order; only those of one split, if it is named."""
    with pq.ParquetFile(folder / SONGS_FILE) as table:
        for group in range(table.num_row_groups):
            for row in table.read_row_group(group).to_pylist():
                if split is None or row["split"] == split:
                    yield row
