"""The rows of a shard of songs: what was read of each file, and what tells the merge about it, in a Parquet file."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from rhapsody_lib.corpus.examine import words_of
from rhapsody_lib.corpus.found import Found, ParsedSong, Reject, Track
from rhapsody_lib.corpus.schema import RejectCode
from rhapsody_lib.corpus.signatures import KEY_BYTES, PERMUTATIONS, music_key, shingles, signature, words_key
from rhapsody_lib.corpus.split import UNTITLED, song_group

FILES_FILE = "files.parquet"
#: A row a file (or a song of a file of many), in order: a song found, or a reject with its `reason`. `digest` is of all
#: that the row is made from. The last five columns are what `merge` asks of a song: a digest of its MIDI (`sha256`),
#: what its versions have in common (`group`, null without a title), how many words it has, and what tells its repeats.
FILES_SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in ("path", "digest", "reason", "detail", "song_id", "title", "artist")),
        ("year", pa.int32()),
        ("genres", pa.list_(pa.string())),
        *((name, pa.string()) for name in ("licence", "language", "lyrics")),
        ("midi", pa.binary()),
        ("seconds", pa.float64()),
        ("tempo_bpm", pa.float64()),
        *((name, pa.string()) for name in ("key", "time_signature")),
        ("programs", pa.list_(pa.int32())),
        ("notes", pa.int32()),
        *((name, pa.string()) for name in ("sha256", "group")),
        ("words", pa.int32()),
        ("repeat_key", pa.binary(KEY_BYTES)),
        ("signature", pa.binary(PERMUTATIONS * 4)),
    ]
)
_SONG_COLUMNS = ("title", "artist", "year", "genres", "licence", "language", "lyrics")
_TRACK_COLUMNS = ("midi", "seconds", "tempo_bpm", "key", "time_signature", "programs", "notes")
#: How the path of a record ends: with its number in its file.
_RECORD = re.compile(r"#(\d+)$")
#: Rejects that depend on the machine and its load, not on the file alone.
_MAY_PASS = (RejectCode.TIMEOUT.value, RejectCode.CRASHED.value)


def row_of(item: Found | Reject, digest: str) -> dict[str, Any]:
    """The row of what a file gave, once it is `examined`; `digest` is of what it was made from."""
    if isinstance(item, Reject):
        return {"path": item.path, "digest": digest, "reason": item.code.value, "detail": item.detail}
    song, track = {name: getattr(item.song, name) for name in _SONG_COLUMNS}, dict[str, Any]()
    words, key, signed = words_of(item.song.lyrics), b"", None
    if item.song.track is not None:
        midi = item.song.track.midi
        track = {**asdict(item.song.track), "sha256": hashlib.sha256(midi).hexdigest()}
        key = music_key(midi)
    if words:
        key, signed = words_key(words), signature(shingles(words)).astype("<u4").tobytes()
    group: str | None = song_group(item.song.title, item.song.artist, "")
    group = None if group == UNTITLED else group
    told = {"group": group, "words": len(words), "repeat_key": key, "signature": signed}
    return {"path": item.path, "digest": digest, "song_id": item.song_id, **song, **track, **told}


def item_of(source: str, row: dict[str, Any]) -> Found | Reject:
    """The inverse of `row_of`."""
    if row["reason"] is not None:
        return Reject(source, row["path"], RejectCode(row["reason"]), row["detail"])
    track = None
    if row["midi"] is not None:
        track = Track(**{name: row[name] for name in _TRACK_COLUMNS} | {"programs": tuple(row["programs"])})
    song = {name: row[name] for name in _SONG_COLUMNS} | {"genres": tuple(row["genres"])}
    return Found(source, row["path"], row["song_id"], ParsedSong(**song, track=track))


def _rows(folder: Path) -> Iterator[dict[str, Any]]:
    with pq.ParquetFile(folder / FILES_FILE) as table:
        for group in range(table.num_row_groups):
            yield from table.read_row_group(group).to_pylist()


def known_rows(folders: Iterable[Path], digests: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Rows of earlier shards that were made from just what is read here, by digest.

    Not those of files that ran into a limit: on another day, or another machine, they may be read.
    """
    wanted, known = set(digests), dict[str, dict[str, Any]]()
    for folder in folders if wanted else ():
        if wanted <= known.keys():
            break
        held = pq.read_table(folder / FILES_FILE, columns=["digest", "reason"]).to_pylist()
        taken = {row["digest"] for row in held if row["reason"] not in _MAY_PASS} & (wanted - known.keys())
        if taken:
            known |= {row["digest"]: row for row in _rows(folder) if row["digest"] in taken}
    return known


def _numbered(paths: Sequence[str | None], before: int) -> list[str | None]:
    """Paths of records of a part, `name#3`, counted on from those before it."""
    return [path and _RECORD.sub(lambda match: f"#{int(match.group(1)) + before}", path) for path in paths]


def read_tables(folder: Path, before: int = 0, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
    """The rows of a shard, in order, some at a time.

    Args:
        folder: where they are.
        before: records of the same table before these, which are numbered from 1.
        columns: those that are needed, in this order; None: all.
    """
    with pq.ParquetFile(folder / FILES_FILE) as file:
        for group in range(file.num_row_groups):
            table = file.read_row_group(group, columns=columns)
            for name in {"path", "song_id"} & set(table.column_names) if before else ():
                place = table.column_names.index(name)
                table = table.set_column(place, name, pa.array(_numbered(table[name].to_pylist(), before), pa.string()))
            yield table
