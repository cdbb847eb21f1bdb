"""Shards of reading: a run of files of one source, parsed and cleaned on their own, in any process that sees them.

What a shard holds depends on its files and on some of the settings alone, so it is kept under the digest of these and
is found again when the corpus grows. What depends on the other songs (duplicates, the split) is left to `prepare`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from rhapsody_lib.chunking import most_in_shard, stable_runs
from rhapsody_lib.corpus.examine import examined
from rhapsody_lib.corpus.found import Found, Job, ParsedSong, Reject, Track
from rhapsody_lib.corpus.reading import read_jobs, read_manifest
from rhapsody_lib.corpus.records import holds_records
from rhapsody_lib.corpus.schema import RejectCode
from rhapsody_lib.corpus.sources import Source, list_jobs
from rhapsody_lib.corpus.tables import TableWriter
from rhapsody_lib.errors import SourceError
from rhapsody_lib.hashing import known_sha256
from rhapsody_lib.settings import CorpusSettings

#: Files of a shard, about. A shard costs a task run; 500 files are some seconds of work.
SHARD_FILES = 500
FILES_FILE = "files.parquet"
#: A row a file (or a song of a file of many), in order: a song found, or a reject with its `reason`. `digest` is of all
#: that the row is made from.
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
    ]
)
_SONG_COLUMNS = ("title", "artist", "year", "genres", "licence", "language", "lyrics")
_TRACK_COLUMNS = ("midi", "seconds", "tempo_bpm", "key", "time_signature", "programs", "notes")
#: The settings that a shard depends on.
_SETTINGS = {"language", "min_words", "file_timeout_s", "file_memory_mb"}
#: Rejects that depend on the machine and its load, not on the file alone.
_MAY_PASS = (RejectCode.TIMEOUT.value, RejectCode.CRASHED.value)


@dataclass(frozen=True)
class SongShard:
    """Consecutive files of one source: the source's name, root folder and trust, and what to do with each file."""

    source: str
    root: str
    embedded: bool
    items: tuple[Job | Reject, ...]

    @property
    def bounds(self) -> tuple[str, str]:
        """The lowest and the highest path."""
        paths = [_path_of(item) for item in self.items]
        return min(paths), max(paths)

    def opened(self) -> Source:
        """The source with the files of this shard alone."""
        files = tuple(Path(item.path) for item in self.items if isinstance(item, Job))
        return Source(self.source, Path(self.root), files, self.embedded)


def _path_of(item: Job | Reject) -> str:
    return item.name if isinstance(item, Job) else item.path


def _is_long(item: Job | Reject) -> bool:
    """Whether a file may hold more songs than memory: its rows are made again, not looked up."""
    return isinstance(item, Job) and holds_records(item)


def plan_shards(sources: Sequence[Source]) -> list[SongShard]:
    """The sources cut into shards of about `SHARD_FILES` files; none if all their files would fit one shard."""
    listed = [(source, tuple(list_jobs(source))) for source in sources]
    if sum(len(items) for _, items in listed) <= most_in_shard(SHARD_FILES):
        return []
    return [
        SongShard(source.name, str(source.root), source.embedded, items[run.start : run.stop])
        for source, items in listed
        for run in stable_runs([_path_of(item) for item in items], SHARD_FILES)
    ]


def shard_settings(settings: CorpusSettings) -> dict[str, Any]:
    """The settings that decide what a shard holds, as plain values."""
    return settings.model_dump(mode="json", include=_SETTINGS)


def file_digests(shard: SongShard) -> list[str]:
    """For each file of a shard a digest of what its row is made from: its name and bytes, its words, its manifest row.

    Raises:
        SourceError: a file cannot be read.
    """
    source = shard.opened()
    manifest = read_manifest(source)
    digests = []
    for item in shard.items:
        facts: list[Any] = [shard.source, shard.embedded, asdict(item) if isinstance(item, Reject) else item.name]
        if isinstance(item, Job):
            paths = [path for path in (item.path, item.lyrics_path, item.artists_path) if path]
            try:
                facts += [item.kind, [known_sha256(Path(path)) for path in paths]]
            except OSError as error:
                raise SourceError(f"Source '{shard.root}' cannot be read: {error}. Check its permissions.") from error
            facts.append(manifest.get(Path(item.name).stem, {}))
        digests.append(hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest())
    return digests


def digest_of(digests: Iterable[str]) -> str:
    """One digest of several."""
    return hashlib.sha256("\n".join(digests).encode()).hexdigest()


def _row(item: Found | Reject, digest: str) -> dict[str, Any]:
    if isinstance(item, Reject):
        return {"path": item.path, "digest": digest, "reason": item.code.value, "detail": item.detail}
    song = {name: getattr(item.song, name) for name in _SONG_COLUMNS}
    track = {} if item.song.track is None else asdict(item.song.track)
    return {"path": item.path, "digest": digest, "song_id": item.song_id, **song, **track}


def _item(source: str, row: dict[str, Any]) -> Found | Reject:
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


def _known_rows(folders: Iterable[Path], digests: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Rows of earlier shards that were made from just what is read here, by digest.

    Not those of files that ran into a limit: on another day, or another machine, they may be read.
    """
    wanted, known = set(digests), dict[str, dict[str, Any]]()
    for folder in folders:
        if wanted <= known.keys():
            break
        held = pq.read_table(folder / FILES_FILE, columns=["digest", "reason"]).to_pylist()
        taken = {row["digest"] for row in held if row["reason"] not in _MAY_PASS} & (wanted - known.keys())
        if taken:
            known |= {row["digest"]: row for row in _rows(folder) if row["digest"] in taken}
    return known


def write_shard(
    shard: SongShard,
    out: Path,
    settings: CorpusSettings,
    *,
    digests: Sequence[str],
    earlier: Iterable[Path] = (),
    workers: int = 0,
) -> None:
    """Parse and clean the files of a shard into `out`.

    Args:
        shard: what to read.
        out: the folder to write into.
        settings: what to keep and the limits of reading.
        digests: `file_digests` of the shard.
        earlier: folders of shards made with the same settings; files that they hold unchanged are not parsed again.
        workers: files parsed at once; 0 is one for each processor.

    Raises:
        MissingExtraError: a package that a kind of file needs is not installed.
    """
    reusable = [digest for item, digest in zip(shard.items, digests, strict=True) if not _is_long(item)]
    known = _known_rows(earlier, reusable)
    unknown = [item for item, digest in zip(shard.items, digests, strict=True) if digest not in known]
    reading = closing(read_jobs(shard.opened(), unknown, settings, workers=workers))
    with reading as read, TableWriter(out / FILES_FILE, FILES_SCHEMA) as table:
        for digest in digests:
            if digest in known:
                table.write(known[digest])
                continue
            for item in next(read):
                table.write(_row(examined(item, settings) if isinstance(item, Found) else item, digest))


def read_shard(shard: SongShard, folder: Path) -> Iterator[Found | Reject]:
    """What `write_shard` wrote for the files of a shard, in their order."""
    for row in _rows(folder):
        yield _item(shard.source, row)
