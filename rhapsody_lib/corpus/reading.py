"""Reads a source: every file becomes songs found and rejects, in a fixed order."""

from __future__ import annotations

import csv
import logging
from collections.abc import Collection, Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import replace
from itertools import chain
from pathlib import Path, PurePosixPath

from rhapsody_lib.corpus.fields import MAX_GENRES, year_of
from rhapsody_lib.corpus.found import Found, Job, ParsedSong, Reject, one_line, with_known
from rhapsody_lib.corpus.parsing import parse_job
from rhapsody_lib.corpus.record_stream import Refusal, head_of
from rhapsody_lib.corpus.records import holds_records, read_records
from rhapsody_lib.corpus.sandbox import Sandbox
from rhapsody_lib.corpus.sandbox_pool import Parse, default_workers, in_order
from rhapsody_lib.corpus.schema import RejectCode
from rhapsody_lib.corpus.sources import Source, display_name, list_jobs, manifest_path
from rhapsody_lib.errors import UnreadableFileError
from rhapsody_lib.settings import CorpusSettings

logger = logging.getLogger(__name__)

MAX_MANIFEST_BYTES = 64 << 20
MANIFEST_COLUMNS = (
    "stem", "file", "title", "song", "artist", "authors", "year", "first_performance_date", "genres", "licence",
    "license", "pd_basis",
)  # fmt: skip
EMBEDDED_LICENCE = "CC0-1.0"
EMBEDDED_LANGUAGE = "en"


def read_source(source: Source, settings: CorpusSettings, *, workers: int = 0) -> Iterator[tuple[int, Found | Reject]]:
    """Every file of a source, in order, as (files done, song or reject); a file of many songs gives many.

    Args:
        source: what to read.
        settings: limits of time and memory for a file.
        workers: files parsed at once; 0 is one for each processor. The result does not depend on it.

    Raises:
        MissingExtraError: a package that a kind of file needs is not installed.
    """
    order = {display_name(path, source.root): number for number, path in enumerate(source.files, start=1)}
    jobs, done = list(list_jobs(source, settings)), 0
    with closing(read_jobs(source, jobs, settings, workers=workers)) as read:
        for job, items in zip(jobs, read, strict=True):
            before, done = done, order.get(job.name if isinstance(job, Job) else job.path, done)
            last: Found | Reject | None = None
            for item in items:
                if last is not None:
                    yield before, last
                last = item
            if last is not None:
                yield done, last


def read_jobs(
    source: Source, jobs: Iterable[Job | Reject], settings: CorpusSettings, *, workers: int = 0
) -> Generator[Iterable[Found | Reject], None, None]:
    """Some files of a source, in the order given; for each its songs and rejects, to be taken before the next file's.

    Files of one song are parsed in sandboxes, side by side. The embedded songbook is trusted: with one worker it is
    read in this process. So are files of many songs, with the limits that `records` tells of.

    Args:
        source: where the files come from.
        jobs: `list_jobs` of the source, or a part of them.
        settings: limits of time and memory for a file.
        workers: files parsed at once; 0 is one for each processor. The result does not depend on it.

    Raises:
        MissingExtraError: a package that a kind of file needs is not installed.
    """
    manifest = read_manifest(source)
    workers = workers or default_workers()

    def read(item: Job | Reject, parse: Parse) -> Iterable[Found | Reject]:
        if isinstance(item, Reject):
            return (item,)
        if holds_records(item):
            return _read_many(source, item, manifest)
        return (_read_one(source, replace(item, words_needed=not settings.instrumentals), parse, manifest),)

    if source.embedded and workers == 1:
        yield from (read(item, parse_job) for item in jobs)
        return
    sandboxes = [Sandbox(timeout_s=settings.file_timeout_s, memory_mb=settings.file_memory_mb) for _ in range(workers)]
    with closing(in_order(jobs, read, sandboxes)) as results:
        yield from results


def _read_many(source: Source, job: Job, manifest: dict[str, dict[str, str]]) -> Iterator[Found | Reject]:
    """The songs of a file of many, named by their number in it; of its manifest row only the licence is theirs."""
    row = manifest.get(PurePosixPath(job.name).stem, {})
    licence = one_line(row.get("licence", "") or row.get("license", ""))
    for number, item in read_records(job):
        path = f"{job.name}#{number}" if number else job.name
        if isinstance(item, Refusal):
            yield Reject(source.name, path, item.code, item.detail)
        else:
            yield Found(source.name, path, f"{source.name}/{path}", replace(item, licence=item.licence or licence))


def _read_one(source: Source, job: Job, parse: Parse, manifest: dict[str, dict[str, str]]) -> Found | Reject:
    try:
        song = parse(job)
    except UnreadableFileError as error:
        return Reject(source.name, job.name, RejectCode(error.code), one_line(error.detail))
    except OSError as error:
        return Reject(source.name, job.name, RejectCode.CRASHED, one_line(f"cannot be opened: {error.strerror}"))
    if source.embedded:
        song = replace(song, licence=EMBEDDED_LICENCE, language=EMBEDDED_LANGUAGE)
    if job.known is not None:
        song = with_known(song, job.known)
    name = PurePosixPath(job.name)
    song = _described(song, manifest.get(name.stem, {}), name.stem)
    song_id = f"{source.name}/{name.with_suffix('') if job.kind == 'songbook' else name}"
    return Found(source.name, job.name, song_id, song)


def _year(row: dict[str, str]) -> int:
    """The year of a row; 0 if it has none."""
    return year_of(row.get("year", "")) or year_of(row.get("first_performance_date", ""))


def _described(song: ParsedSong, row: dict[str, str], stem: str) -> ParsedSong:
    """The song with what the manifest knows better than the file, and a title in any case."""
    stated = (one_line(part.partition(":")[0]) for part in row.get("genres", "").replace("|", ";").split(";"))
    genres = tuple(genre for genre in stated if genre)[:MAX_GENRES]
    return replace(
        song,
        title=one_line(
            row.get("title", "") or row.get("song", "") or song.title or stem.replace("_", " ").replace("-", " ")
        ),
        artist=one_line(row.get("artist", "") or row.get("authors", "") or song.artist),
        year=_year(row) or song.year,
        genres=genres or song.genres,
        licence=one_line(row.get("licence", "") or row.get("license", "") or row.get("pd_basis", "") or song.licence),
    )


def _manifest_rows(lines: Iterable[str], stems: Collection[str]) -> dict[str, dict[str, str]]:
    """The rows about these stems, of the columns known only: what a file holds besides takes no memory."""
    told = iter(lines)
    first, delimiter = head_of(chain(told, ["", ""]))
    reader = csv.reader(chain([first], told), delimiter=delimiter)
    header = [name.strip().lower() for name in next(reader, [])]
    columns = {name: index for index, name in enumerate(header) if name in MANIFEST_COLUMNS}
    if not columns.keys() & {"title", "song"} or not columns.keys() & {"stem", "file"}:
        raise ValueError("it has no column 'title', or none of 'stem' and 'file'")
    rows: dict[str, dict[str, str]] = {}
    for values in reader:
        row = {name: values[index].strip() for name, index in columns.items() if index < len(values)}
        stem = row.get("stem", "") or Path(row.get("file", "")).stem
        if stem in stems and row.keys() & {"title", "song"}:
            rows.setdefault(stem, row)
    return rows


def read_manifest(source: Source) -> dict[str, dict[str, str]]:
    """Rows of the source's manifest.csv by the stem of the file they describe; empty if there is none of use.

    The columns known are `stem` or `file`, `title` or `song`, `artist` or `authors`, `year` or
    `first_performance_date`, `genres` (separated by `;` or `|`) and `licence`. A manifest that is no such CSV is
    ignored with a warning: it describes, it is no song.
    """
    path = manifest_path(source)
    if path is None:
        return {}
    stems = {PurePosixPath(display_name(file, source.root)).stem for file in source.files}
    try:
        if path.stat().st_size > MAX_MANIFEST_BYTES:
            raise ValueError(f"it is larger than {MAX_MANIFEST_BYTES >> 20} MB")
        with path.open(encoding="utf-8-sig", newline="") as stream:
            return _manifest_rows(stream, stems)
    except (OSError, ValueError, csv.Error) as error:  # text that is not UTF-8 is a ValueError
        logger.warning("%s is ignored: %s. docs/data.md says what it may hold.", path, one_line(str(error)))
        return {}
