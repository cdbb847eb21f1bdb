"""Reading what retrieval needs of a prepared corpus, a batch of songs at a time."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from rhapsody_lib.corpus.schema import SONGS_FILE, TRACKS_FILE
from rhapsody_lib.errors import DamagedArtifactError, SourceError
from rhapsody_lib.words.document import Lyrics, parse_lyrics

_COLUMNS = ["song_id", "title", "lyrics", "split"]


@dataclass(frozen=True)
class CorpusSong:
    """A row of the `songs` table."""

    song_id: str
    split: str
    lyrics: Lyrics


def _open(path: Path) -> pq.ParquetFile:
    if not path.is_file():
        raise SourceError(f"{path}: there is no such table. Prepare a corpus first: rhapsody prepare SOURCE")
    try:
        return pq.ParquetFile(path)
    except pa.ArrowException as error:
        raise DamagedArtifactError(f"{path}: is not a Parquet file ({error}). Prepare the corpus again.") from error


def count_songs(corpus: Path) -> int:
    """Number of songs in a corpus folder.

    Raises:
        SourceError: there is no table of songs, or no song in it.
        DamagedArtifactError: the table cannot be read.
    """
    with _open(corpus / SONGS_FILE) as file:
        count = int(file.metadata.num_rows)
    if not count:
        raise SourceError(f"{corpus}: holds no song. Prepare a corpus from a source that has lyrics.")
    return count


def _songs(table: pa.Table | pa.RecordBatch) -> list[CorpusSong]:
    return [
        CorpusSong(row["song_id"], row["split"] or "", parse_lyrics(row["lyrics"] or "", row["title"] or ""))
        for row in table.to_pylist()
    ]


def read_songs(corpus: Path, batch_size: int = 256) -> Iterator[list[CorpusSong]]:
    """Songs of a corpus folder in their order, at most `batch_size` at a time."""
    with _open(corpus / SONGS_FILE) as file:
        for batch in file.iter_batches(batch_size, columns=_COLUMNS):
            yield _songs(batch)


def read_song_rows(corpus: Path, start: int, stop: int) -> list[CorpusSong]:
    """Songs of a corpus folder in rows `start` to `stop` (excluded); the row groups beside them are not read."""
    with _open(corpus / SONGS_FILE) as file:
        counts = [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)]
        firsts = [0, *itertools.accumulate(counts)]
        groups = [group for group in range(len(counts)) if firsts[group] < stop and firsts[group + 1] > start]
        table = file.read_row_groups(groups, columns=_COLUMNS)
        return _songs(table.slice(start - firsts[groups[0]] if groups else 0, stop - start))


def song_ids(corpus: Path) -> list[str]:
    """The id of every song of a corpus folder, in order."""
    with _open(corpus / SONGS_FILE) as file:
        return [str(song_id) for song_id in file.read(columns=["song_id"]).column("song_id").to_pylist()]


def track_of_song(corpus: Path) -> dict[str, str]:
    """The track of each song that has one; of several, the first by `track_id`."""
    with _open(corpus / TRACKS_FILE) as file:
        table = file.read(columns=["track_id", "song_id"])
    pairs = sorted(
        zip(*(table.column(name).to_pylist() for name in ("track_id", "song_id")), strict=True), reverse=True
    )
    return {song_id: track_id for track_id, song_id in pairs}
