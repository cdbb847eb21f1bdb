"""Reading what retrieval needs of a prepared corpus, a batch of songs at a time.

Songs without words (`lyrics` empty: music alone) are passed over: nothing can be found by them, and they cost nothing.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from rhapsody_lib.corpus.schema import SONGS_FILE, TRACKS_FILE
from rhapsody_lib.errors import DamagedArtifactError, RhapsodyError, SourceError
from rhapsody_lib.words.document import Lyrics, parse_lyrics

_COLUMNS = ["song_id", "title", "lyrics"]
_SONG_FACTS = ("song_id", "title", "artist", "language", "genres", "year", "licence")
_TRACK_FACTS = ("track_id", "tempo_bpm", "key", "time_signature")
_ROWS_A_BATCH = 16_384
#: Whether each of some songs of a corpus has a melody.
Melodies = Callable[[Sequence[str]], Mapping[str, bool]]


@dataclass(frozen=True)
class CorpusSong:
    """A row of the `songs` table; `artist` is the song's id where none is named, for it is then of one of its own."""

    song_id: str
    artist: str
    lyrics: Lyrics


@dataclass(frozen=True)
class RawSong:
    """A song as it stands in the table, its words not yet parsed; `words` is the digest of its title and words.

    `track` is the digest of its music, empty without any.
    """

    song_id: str
    title: str
    text: str
    track: str = ""

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
    state = path.stat()
    try:
        return pq.ParquetFile(path, metadata=_metadata(path, (state.st_mtime_ns, state.st_size)))
    except pa.ArrowException as error:
        raise DamagedArtifactError(f"{path}: is not a Parquet file ({error}). Prepare the corpus again.") from error


@lru_cache(maxsize=2)
def _metadata(path: Path, _changed: tuple[int, int]) -> pq.FileMetaData:
    """The footer of a table: with many songs it takes as long to read as a row group, and each shard needs both."""
    return pq.read_metadata(path)


def count_songs(corpus: Path) -> int:
    """Number of songs in a corpus folder, with words or without.

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
        CorpusSong(row["song_id"], row["artist"] or row["song_id"], parse_lyrics(row["lyrics"], row["title"] or ""))
        for row in table.to_pylist()
        if row["lyrics"]
    ]


def read_songs(corpus: Path, batch_size: int = 256) -> Iterator[list[CorpusSong]]:
    """Songs of a corpus folder in their order, at most `batch_size` at a time."""
    with _open(corpus / SONGS_FILE) as file:
        for batch in file.iter_batches(batch_size, columns=[*_COLUMNS, "artist"]):
            yield _songs(batch)


def read_song_rows(corpus: Path, start: int, stop: int) -> list[RawSong]:
    """Songs in rows `start` to `stop` (excluded) of the table; the row groups beside them are not read."""
    with _open(corpus / SONGS_FILE) as file:
        firsts = _first_rows(file)
        groups = [group for group in range(file.num_row_groups) if firsts[group] < stop and firsts[group + 1] > start]
        table = file.read_row_groups(groups, columns=_COLUMNS)
    table = table.slice(start - firsts[groups[0]] if groups else 0, stop - start)
    tracks = tracks_of(corpus, table.column("song_id")).column("sha256")
    rows = zip(*(table.column(name).to_pylist() for name in _COLUMNS), tracks.to_pylist(), strict=True)
    return [RawSong(song_id, title or "", text, track or "") for song_id, title, text, track in rows if text]


def take_songs(corpus: Path, wanted: pa.ChunkedArray, columns: Sequence[str]) -> pa.Table:
    """Rows of the table of songs, for each of some ids; only the row groups that they are in are read."""
    with _open(corpus / SONGS_FILE) as file:
        ids = file.read(columns=["song_id"]).column("song_id").combine_chunks()
        rows = pc.index_in(wanted, value_set=ids).to_numpy()
        firsts, order = _first_rows(file), np.argsort(rows, kind="stable")
        places = np.searchsorted(rows[order], firsts)
        parts = []
        for group in np.flatnonzero(np.diff(places)).tolist():
            inside = rows[order[places[group] : places[group + 1]]] - firsts[group]
            parts.append(file.read_row_group(group, columns=list(columns)).take(inside))
    return pa.concat_tables(parts).take(np.argsort(order, kind="stable"))


def _first_rows(file: pq.ParquetFile) -> list[int]:
    """The first row of each row group, and the number of rows."""
    counts = (file.metadata.row_group(group).num_rows for group in range(file.num_row_groups))
    return [0, *itertools.accumulate(counts)]


def song_ids(corpus: Path) -> list[str]:
    """The id of every row of the table of songs, in order, with words or without."""
    with _open(corpus / SONGS_FILE) as file:
        return [str(song_id) for song_id in file.read(columns=["song_id"]).column("song_id").to_pylist()]


def run_digests(corpus: Path, runs: Sequence[range]) -> list[str]:
    """SHA-256 in hex, for each of some runs of rows that follow one another, of the ids, words and tracks of its songs.

    The words are not made Python strings of: of a million songs that would take longer than all else.
    """
    digests, left, row = [_Digest() for _ in runs], list(enumerate(runs)), 0
    with _open(corpus / SONGS_FILE) as file:
        ids = file.read(columns=["song_id"]).column("song_id")
        tracks = tracks_of(corpus, ids).column("sha256")
        for batch in _ahead(file.iter_batches(_ROWS_A_BATCH, columns=_COLUMNS)):
            columns, start = [batch.column(name) for name in _COLUMNS], 0
            while start < batch.num_rows:
                number, run = left[0]
                count = min(run.stop - row, batch.num_rows - start)
                digests[number].update([*(part.slice(start, count) for part in columns), tracks.slice(row, count)])
                start, row = start + count, row + count
                if row == run.stop:
                    del left[0]
    return [digest.hexdigest() for digest in digests]


def _ahead(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The same, each read while the one before is worked on."""
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(next, batches, None)
        while (batch := coming.result()) is not None:
            coming = pool.submit(next, batches, None)
            yield batch


class _Digest:
    """Digest of columns of strings, the same in whatever pieces they come; null is an empty string."""

    def __init__(self) -> None:
        self._parts = [(hashlib.sha256(), hashlib.sha256()) for _ in range(len(_COLUMNS) + 1)]

    def update(self, columns: Sequence[pa.Array | pa.ChunkedArray]) -> None:
        for (lengths, contents), column in zip(self._parts, columns, strict=True):
            for chunk in column.chunks if isinstance(column, pa.ChunkedArray) else [column]:
                values = pc.fill_null(chunk, "")
                _, offsets, data = values.buffers()
                ends = np.frombuffer(offsets, np.int32)[values.offset : values.offset + len(values) + 1]
                lengths.update(np.diff(ends).tobytes())
                if data is not None and len(ends):
                    contents.update(memoryview(data)[ends[0] : ends[-1]])

    def hexdigest(self) -> str:
        parts = (part.digest() for pair in self._parts for part in pair)
        return hashlib.sha256(b"".join(parts)).hexdigest()


@lru_cache(maxsize=1)
def _first_tracks(path: Path, _changed: tuple[int, int]) -> pa.Table:
    with _open(path) as file:
        tracks = file.read(columns=[*_TRACK_FACTS, "sha256", "song_id"])
    tracks = tracks.append_column("row", pa.array(np.arange(len(tracks))))
    return tracks.sort_by([("track_id", "ascending")]).combine_chunks()


def first_tracks(corpus: Path) -> pa.Table:
    """What is known of tracks without their music, by `track_id`, with the `row` of each; read once while it stays."""
    path = corpus / TRACKS_FILE
    state = path.stat() if path.is_file() else None
    return _first_tracks(path, (state.st_mtime_ns, state.st_size) if state else (0, 0))


def tracks_of(corpus: Path, song_ids: pa.ChunkedArray) -> pa.Table:
    """A row for each of some songs: what is known of its track, of several the first by `track_id`; null of none."""
    tracks = first_tracks(corpus)
    tracks = tracks.filter(pc.is_in(tracks.column("song_id"), value_set=song_ids))
    # Of equal values `index_in` finds the first.
    return tracks.take(pc.index_in(song_ids, value_set=tracks.column("song_id").combine_chunks()))


def _read_midi(corpus: Path, song_ids: Sequence[str]) -> Iterator[tuple[str, bytes | None]]:
    """Id and canonical MIDI of the track of each of some songs that have one, in no order."""
    tracks = tracks_of(corpus, pa.chunked_array([song_ids], pa.string())).sort_by("row")
    tracks = tracks.filter(tracks.column("row").is_valid())
    rows, names = tracks.column("row").to_numpy(), tracks.column("song_id").to_pylist()
    with _open(corpus / TRACKS_FILE) as file:
        firsts = _first_rows(file)
        cuts = np.searchsorted(rows, firsts)
        for group in np.flatnonzero(np.diff(cuts)).tolist():
            column = file.read_row_group(group, columns=["midi"]).column("midi")
            for place in range(cuts[group], cuts[group + 1]):
                yield names[place], column[int(rows[place]) - firsts[group]].as_py()


def melodies_in(corpus: Path) -> Melodies:
    """Reads whether songs of a corpus have a melody, from their music."""

    def read(song_ids: Sequence[str]) -> dict[str, bool]:
        from rhapsody_lib.music.midi import midi_to_score

        found = {}
        for song_id, midi in _read_midi(corpus, song_ids):
            try:
                found[song_id] = bool(midi) and bool(midi_to_score(midi or b"", song_id).parts["melody"])
            except RhapsodyError:
                found[song_id] = False
        return found

    return read


def song_facts(corpus: Path, song_ids: pa.ChunkedArray) -> pa.Table:
    """A row for each of some songs, in the corpus's order: what it says of them and of their first tracks by id."""
    with _open(corpus / SONGS_FILE) as file:
        songs = file.read(columns=list(_SONG_FACTS))
    if not songs.column("song_id").equals(song_ids):
        songs = songs.filter(pc.is_in(songs.column("song_id"), value_set=song_ids))
    tracks = tracks_of(corpus, song_ids)
    for name in _TRACK_FACTS:
        songs = songs.append_column(name, tracks.column(name))
    return songs
