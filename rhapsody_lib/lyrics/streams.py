"""Songs of a prepared corpus as streams of tokens, and streams as batches for truncated backpropagation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq

from rhapsody_lib.corpus.schema import SONGS_FILE
from rhapsody_lib.errors import SourceError
from rhapsody_lib.lyrics.vocabulary import Tokens
from rhapsody_lib.words.document import Lyrics, parse_lyrics


@dataclass(frozen=True)
class Batch:
    """`inputs` and `targets` are int32 [streams x steps]; `weights` float32, 0 where padded."""

    inputs: Tokens
    targets: Tokens
    weights: npt.NDArray[np.float32]


def read_lyrics(corpus: Path, split: str) -> list[Lyrics]:
    """Lyrics of one split, in the table's order.

    Raises:
        SourceError: the folder holds no readable table of songs.
    """
    path = corpus / SONGS_FILE
    try:
        table = pq.read_table(path, columns=["title", "lyrics", "split"])
    except (OSError, ValueError) as error:
        raise SourceError(f"{path}: cannot be read ({error}). Prepare the corpus again.") from error
    rows = zip(*(table.column(name).to_pylist() for name in ("title", "lyrics", "split")), strict=True)
    songs = [parse_lyrics(lyrics or "", title or "") for title, lyrics, kept in rows if kept == split]
    return [song for song in songs if song.lines]


def batches(stream: Tokens, streams: int, steps: int) -> Iterator[Batch]:
    """Cut one long stream into `streams` that run side by side, `steps` at a time.

    Row r of a batch goes on where row r of the batch before it stopped, so that the network's state can be carried
    over. The last batch is padded with weight 0.
    """
    targets = len(stream) - 1
    length = -(-targets // (streams * steps)) * steps
    padded = np.zeros(streams * length + 1, dtype=np.int32)
    padded[: len(stream)] = stream
    weights = (np.arange(streams * length) < targets).astype(np.float32).reshape(streams, length)
    inputs, outputs = padded[:-1].reshape(streams, length), padded[1:].reshape(streams, length)
    for start in range(0, length, steps):
        cut = slice(start, start + steps)
        yield Batch(inputs[:, cut], outputs[:, cut], weights[:, cut])


def joined(songs: Sequence[Tokens], order: npt.NDArray[np.int64] | None = None) -> Tokens:
    """Songs as one stream, in the given order."""
    return np.concatenate([songs[index] for index in (range(len(songs)) if order is None else order)])
