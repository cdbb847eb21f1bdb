"""Songs of a prepared corpus as streams of tokens, and streams as batches for truncated backpropagation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq

from rhapsody_lib.corpus.schema import SONGS_FILE
from rhapsody_lib.errors import SourceError
from rhapsody_lib.lyrics.vocabulary import Tokens
from rhapsody_lib.words.document import Lyrics, parse_lyrics

#: Rows of the table in memory at once.
_ROWS = 256


@dataclass(frozen=True)
class Batch:
    """`inputs` and `targets` are int32 [streams x steps]; `weights` float32, 0 where padded."""

    inputs: Tokens
    targets: Tokens
    weights: npt.NDArray[np.float32]


class Stream(Protocol):
    """One long stream of tokens: an array, or a file's songs in some order, read where it is asked for."""

    def __len__(self) -> int: ...

    def __getitem__(self, cut: slice, /) -> Tokens: ...


def read_lyrics(corpus: Path, split: str) -> Iterator[Lyrics]:
    """Lyrics of one split, in the table's order, a few rows of the table in memory at a time.

    Raises:
        SourceError: the folder holds no readable table of songs.
    """
    path = corpus / SONGS_FILE
    try:
        table = pq.ParquetFile(path)
        missing = {"title", "lyrics", "split"} - set(table.schema_arrow.names)
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error
    if missing:
        table.close()
        raise _unreadable(path, f"it has no column {', '.join(sorted(missing))}")
    return _songs_of(table, path, split)


def _songs_of(table: Any, path: Path, split: str) -> Iterator[Lyrics]:
    with table:
        try:
            for rows in table.iter_batches(batch_size=_ROWS, columns=["title", "lyrics", "split"]):
                for row in rows.to_pylist():
                    song = parse_lyrics(row["lyrics"] or "", row["title"] or "") if row["split"] == split else None
                    if song is not None and song.lines:
                        yield song
        except (OSError, ValueError) as error:
            raise _unreadable(path, error) from error


def _unreadable(path: Path, reason: object) -> SourceError:
    return SourceError(f"{path}: cannot be read ({reason}). Prepare the corpus again.")


def batches(stream: Stream, streams: int, steps: int) -> Iterator[Batch]:
    """Cut one long stream into `streams` that run side by side, `steps` at a time.

    Row r of a batch goes on where row r of the batch before it stopped, so that the network's state can be carried
    over. The last batch is padded with weight 0.
    """
    targets = len(stream) - 1
    length = -(-targets // (streams * steps)) * steps
    for start in range(0, length, steps):
        firsts = np.arange(streams) * length + start
        cells = np.zeros((streams, steps + 1), dtype=np.int32)
        for row, first in enumerate(firsts.tolist()):
            found = stream[first : first + steps + 1]
            cells[row, : len(found)] = found
        weights = (firsts[:, None] + np.arange(steps) < targets).astype(np.float32)
        yield Batch(cells[:, :-1], cells[:, 1:], weights)


def joined(songs: Sequence[Tokens]) -> Tokens:
    """Songs as one stream."""
    return np.concatenate(songs)
