"""Reading what retrieval needs of a prepared corpus, a batch of songs at a time."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from rhapsody_lib.corpus.schema import SONGS_FILE, TRACKS_FILE
from rhapsody_lib.errors import DamagedArtifactError, SourceError
from rhapsody_lib.words.document import Lyrics, parse_lyrics

_COLUMNS = ["song_id", "title", "lyrics"]
_SONG_FACTS = ("song_id", "title", "artist", "language", "genres", "year", "licence")
_TRACK_FACTS = ("track_id", "tempo_bpm", "key", "time_signature")
_ROWS_A_BATCH = 4096


@dataclass(frozen=True)
class CorpusSong:
    """A row of the `songs` table; `artist` is the song's id where none is named, for it is then of one of its own."""

    song_id: str
    artist: str
    lyrics: Lyrics


@dataclass(frozen=True)
class RawSong:
    """A song as it stands in the table, its words not yet parsed; `words` is the digest of its title and words."""

    song_id: str
    title: str
    text: str

    @property
    def words(self) -> bytes:
        """Digest [16 bytes] of all that decides which stanzas the song has."""
        return hashlib.blake2b(f"{self.title}\0{self.text}".encode("utf-8", "replace"), digest_size=16).digest()

    @property
    def lyrics(self) -> Lyrics:
        """The parsed words."""
        return parse_lyrics(self.text, self.title)


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
        CorpusSong(
            row["song_id"], row["artist"] or row["song_id"], parse_lyrics(row["lyrics"] or "", row["title"] or "")
        )
        for row in table.to_pylist()
    ]


def _raw_songs(table: pa.Table | pa.RecordBatch) -> list[RawSong]:
    columns = (table.column(name).to_pylist() for name in ("song_id", "title", "lyrics"))
    return [RawSong(song_id, title or "", text or "") for song_id, title, text in zip(*columns, strict=True)]


def read_songs(corpus: Path, batch_size: int = 256) -> Iterator[list[CorpusSong]]:
    """Songs of a corpus folder in their order, at most `batch_size` at a time."""
    with _open(corpus / SONGS_FILE) as file:
        for batch in file.iter_batches(batch_size, columns=[*_COLUMNS, "artist"]):
            yield _songs(batch)


def read_raw_songs(corpus: Path) -> Iterator[RawSong]:
    """Songs of a corpus folder in their order, not parsed."""
    with _open(corpus / SONGS_FILE) as file:
        for batch in file.iter_batches(_ROWS_A_BATCH, columns=_COLUMNS):
            yield from _raw_songs(batch)


def read_song_rows(corpus: Path, start: int, stop: int) -> list[RawSong]:
    """Songs of a corpus folder in rows `start` to `stop` (excluded); the row groups beside them are not read."""
    with _open(corpus / SONGS_FILE) as file:
        counts = [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)]
        firsts = [0, *itertools.accumulate(counts)]
        groups = [group for group in range(len(counts)) if firsts[group] < stop and firsts[group + 1] > start]
        table = file.read_row_groups(groups, columns=_COLUMNS)
        return _raw_songs(table.slice(start - firsts[groups[0]] if groups else 0, stop - start))


def song_ids(corpus: Path) -> list[str]:
    """The id of every song of a corpus folder, in order."""
    with _open(corpus / SONGS_FILE) as file:
        return [str(song_id) for song_id in file.read(columns=["song_id"]).column("song_id").to_pylist()]


def songs_digest(songs: Iterable[RawSong]) -> str:
    """SHA-256 in hex of the ids, titles and words of songs."""
    digest = hashlib.sha256()
    for song in songs:
        digest.update(song.song_id.encode("utf-8", "replace") + b"\0" + song.words)
    return digest.hexdigest()


def song_facts(corpus: Path) -> pa.Table:
    """A row a song, in order: what the corpus says of it and of its track; of several, the first by `track_id`."""
    with _open(corpus / SONGS_FILE) as file, _open(corpus / TRACKS_FILE) as tracks_file:
        songs = file.read(columns=list(_SONG_FACTS))
        tracks = tracks_file.read(columns=[*_TRACK_FACTS, "song_id"])
    tracks = tracks.sort_by([("track_id", "ascending")]).combine_chunks()
    # Of equal values `index_in` finds the first.
    rows = pc.index_in(songs.column("song_id"), value_set=tracks.column("song_id"))
    for name in _TRACK_FACTS:
        songs = songs.append_column(name, tracks.column(name).take(rows))
    return songs
