"""Shards of reading: a run of files of one source, parsed and cleaned on their own, in any process that sees them.

What a shard holds depends on its files and on some of the settings alone, so it is kept under the digest of these and
is found again when the corpus grows. What depends on the other songs (duplicates, the split) is left to `prepare`.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from rhapsody_lib.chunking import most_in_shard, stable_runs
from rhapsody_lib.corpus.examine import examined
from rhapsody_lib.corpus.found import Found, Job, Reject
from rhapsody_lib.corpus.reading import read_jobs, read_manifest
from rhapsody_lib.corpus.records import holds_records
from rhapsody_lib.corpus.shard_rows import FILES_FILE, FILES_SCHEMA, item_of, known_rows, read_tables, row_of
from rhapsody_lib.corpus.sources import Source, list_jobs
from rhapsody_lib.corpus.table_cuts import table_parts
from rhapsody_lib.corpus.table_part import TablePart
from rhapsody_lib.corpus.tables import TableWriter
from rhapsody_lib.errors import SourceError
from rhapsody_lib.hashing import known_sha256
from rhapsody_lib.settings import CorpusSettings

#: Files of a shard, about. A shard costs a task run; 500 files are some seconds of work.
SHARD_FILES = 500
#: The settings that a shard depends on.
_SETTINGS = {"language", "instrumentals", "min_words", "file_timeout_s", "file_memory_mb"}


@dataclass(frozen=True)
class SongShard:
    """Consecutive files of one source: the source's name, root folder and trust, and what to do with each file."""

    source: str
    root: str
    embedded: bool
    items: tuple[Job | Reject, ...]

    @property
    def part(self) -> TablePart | None:
        """The rows of a table that this shard is; None for a shard of files."""
        return self.items[0].part if len(self.items) == 1 and isinstance(self.items[0], Job) else None

    @property
    def bounds(self) -> tuple[str, str]:
        """The lowest and the highest path."""
        paths = [_path_of(item) for item in self.items]
        return min(paths), max(paths)

    def opened(self) -> Source:
        """The source with the files of this shard alone."""
        files = tuple(Path(item.path) for item in self.items if isinstance(item, Job))
        return Source(self.source, Path(self.root), files, self.embedded)

    def message(self) -> dict[str, Any]:
        """Plain JSON values; only of a shard without rejects."""
        jobs = [item.message() for item in self.items if isinstance(item, Job)]
        return {"source": self.source, "root": self.root, "embedded": self.embedded, "items": jobs}

    @classmethod
    def from_message(cls, values: dict[str, Any]) -> SongShard:
        """The inverse of `message`."""
        return cls(**{**values, "items": tuple(map(Job.from_message, values["items"]))})


def _path_of(item: Job | Reject) -> str:
    return item.name if isinstance(item, Job) else item.path


def _is_long(item: Job | Reject) -> bool:
    """Whether a file may hold more songs than memory: its rows are made again, not looked up."""
    return isinstance(item, Job) and holds_records(item)


def _cut(item: Job | Reject) -> list[Job]:
    """The parts of a large table; none for any other file."""
    parts = table_parts(item) if isinstance(item, Job) else []
    return parts if len(parts) > 1 else []


def plan_shards(sources: Sequence[Source], settings: CorpusSettings | None = None) -> list[SongShard]:
    """The sources cut into shards of about `SHARD_FILES` files, and large tables into shards of some of their rows.

    None if all their files would fit one shard and there is no large table.
    """
    plan, files = list[SongShard](), 0
    for source in sources:
        run = list[Job | Reject]()
        for item in list_jobs(source, settings):
            files += 1
            if parts := _cut(item):
                plan += _runs(source, run)
                plan += [SongShard(source.name, str(source.root), source.embedded, (part,)) for part in parts]
                run = []
            else:
                run.append(item)
        plan += _runs(source, run)
    cut = any(shard.part is not None for shard in plan)
    return plan if cut or files > most_in_shard(SHARD_FILES) else []


def _runs(source: Source, items: Sequence[Job | Reject]) -> Iterator[SongShard]:
    for run in stable_runs([_path_of(item) for item in items], SHARD_FILES):
        yield SongShard(source.name, str(source.root), source.embedded, tuple(items[run.start : run.stop]))


def shard_settings(settings: CorpusSettings) -> dict[str, Any]:
    """The settings that decide what a shard holds, as plain values."""
    return settings.model_dump(mode="json", include=_SETTINGS)


def _part_facts(path: Path, part: TablePart) -> list[Any]:
    """What the rows of a part are made from: not where in the file they stand."""
    with path.open("rb") as stream:
        stream.seek(part.start)
        digest = hashlib.sha256(stream.read(part.stop - part.start)).hexdigest()
    return [part.header, part.linked, part.artists, digest]


def _job_facts(job: Job, manifest: Mapping[str, dict[str, str]]) -> list[Any]:
    facts: list[Any] = [job.kind]
    if job.known is not None:
        facts.append(asdict(replace(job.known, tempo_path="")))
    if job.part is not None:
        facts.append(_part_facts(Path(job.path), job.part))
    else:
        facts.append([known_sha256(Path(path)) for path in job.inputs])
    return [*facts, manifest.get(Path(job.name).stem, {})]


def file_digests(shard: SongShard, manifest: Mapping[str, dict[str, str]] | None = None) -> list[str]:
    """For each file of a shard a digest of what its row is made from: its name and bytes, its words, its manifest row.

    Args:
        shard: what is read.
        manifest: `read_manifest` of its source, if the caller has it.

    Raises:
        SourceError: a file cannot be read.
    """
    manifest = read_manifest(shard.opened()) if manifest is None else manifest
    digests = []
    for item in shard.items:
        facts: list[Any] = [shard.source, shard.embedded, asdict(item) if isinstance(item, Reject) else item.name]
        if isinstance(item, Job):
            try:
                facts += _job_facts(item, manifest)
            except OSError as error:
                raise SourceError(f"Source '{shard.root}' cannot be read: {error}. Check its permissions.") from error
        digests.append(hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest())
    return digests


def plan_digests(plan: Sequence[SongShard]) -> Iterator[str]:
    """For each shard of a plan the digest of its files; the manifest of a source is read once."""
    for _, group in itertools.groupby(plan, key=lambda shard: (shard.source, shard.root)):
        shards = list(group)
        files = tuple(path for shard in shards for path in shard.opened().files)
        manifest = read_manifest(replace(shards[0].opened(), files=files))
        yield from (digest_of(file_digests(shard, manifest)) for shard in shards)


def digest_of(digests: Iterable[str]) -> str:
    """One digest of several."""
    return hashlib.sha256("\n".join(digests).encode()).hexdigest()


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
    known = known_rows(earlier, reusable)
    unknown = [item for item, digest in zip(shard.items, digests, strict=True) if digest not in known]
    reading = closing(read_jobs(shard.opened(), unknown, settings, workers=workers))
    with reading as read, TableWriter(out / FILES_FILE, FILES_SCHEMA) as table:
        for digest in digests:
            if digest in known:
                table.write(known[digest])
                continue
            for item in next(read):
                table.write(row_of(examined(item, settings) if isinstance(item, Found) else item, digest))


def write_items(items: Iterable[Found | Reject], out: Path, settings: CorpusSettings) -> None:
    """Clean what was parsed into a shard that is not kept: its rows have no digests."""
    with TableWriter(out / FILES_FILE, FILES_SCHEMA) as table:
        for item in items:
            table.write(row_of(examined(item, settings) if isinstance(item, Found) else item, ""))


def shard_tables(shard: SongShard, folder: Path, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
    """What `write_shard` wrote, in order, some rows at a time; only some columns, if they are named."""
    return read_tables(folder, shard.part.before if shard.part is not None else 0, columns)


def read_shard(shard: SongShard, folder: Path) -> Iterator[Found | Reject]:
    """What `write_shard` wrote for the files of a shard, in their order."""
    for table in shard_tables(shard, folder):
        yield from (item_of(shard.source, row) for row in table.to_pylist())
