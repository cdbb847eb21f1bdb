"""Reads a source: every file becomes a song found or a reject, in a fixed order."""

from __future__ import annotations

import csv
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path, PurePosixPath

from rhapsody_lib.corpus.found import Found, Job, ParsedSong, Reject, one_line
from rhapsody_lib.corpus.parsing import parse_job
from rhapsody_lib.corpus.sandbox import Sandbox
from rhapsody_lib.corpus.sandbox_pool import Parse, default_workers, in_order
from rhapsody_lib.corpus.schema import RejectCode
from rhapsody_lib.corpus.sources import Source, list_jobs, manifest_path
from rhapsody_lib.errors import UnreadableFileError
from rhapsody_lib.settings import CorpusSettings

MAX_MANIFEST_BYTES = 64 << 20
EMBEDDED_LICENCE = "CC0-1.0"
EMBEDDED_LANGUAGE = "en"


def read_source(source: Source, settings: CorpusSettings, *, workers: int = 0) -> Iterator[tuple[int, Found | Reject]]:
    """Every file of a source, in order, as (files done, song or reject).

    Files are parsed in sandboxes, side by side. The embedded songbook is trusted: with one worker it is read in this
    process.

    Args:
        source: what to read.
        settings: limits of time and memory for a file.
        workers: files parsed at once; 0 is one for each processor. The result does not depend on it.

    Raises:
        MissingExtraError: a package that a kind of file needs is not installed.
    """
    manifest = read_manifest(source)
    order = {path: number for number, path in enumerate(map(str, source.files), start=1)}
    workers = workers or default_workers()
    done = 0

    def read(item: Job | Reject, parse: Parse) -> tuple[str, Found | Reject]:
        if isinstance(item, Reject):
            return "", item
        return item.path, _read_one(source, item, parse, manifest)

    results: Generator[tuple[str, Found | Reject], None, None]
    if source.embedded and workers == 1:
        results = (read(item, parse_job) for item in list_jobs(source))
    else:
        sandboxes = [
            Sandbox(timeout_s=settings.file_timeout_s, memory_mb=settings.file_memory_mb) for _ in range(workers)
        ]
        results = in_order(list_jobs(source), read, sandboxes)
    with closing(results):
        for path, item in results:
            done = order.get(path, done)
            yield done, item


def _read_one(source: Source, job: Job, parse: Parse, manifest: dict[str, dict[str, str]]) -> Found | Reject:
    try:
        song = parse(job)
    except UnreadableFileError as error:
        return Reject(source.name, job.name, RejectCode(error.code), one_line(error.detail))
    except OSError as error:
        return Reject(source.name, job.name, RejectCode.CRASHED, one_line(f"cannot be opened: {error.strerror}"))
    if source.embedded:
        song = replace(song, licence=EMBEDDED_LICENCE, language=EMBEDDED_LANGUAGE)
    name = PurePosixPath(job.name)
    song = _described(song, manifest.get(name.stem, {}), name.stem)
    song_id = f"{source.name}/{name.with_suffix('') if job.kind == 'songbook' else name}"
    return Found(source.name, job.name, song_id, song)


def _described(song: ParsedSong, row: dict[str, str], stem: str) -> ParsedSong:
    """The song with what the manifest knows better than the file, and a title in any case."""
    year = next(
        (int(row[name][:4]) for name in ("year", "first_performance_date") if row.get(name, "")[:4].isdigit()), 0
    )
    genres = tuple(
        part.partition(":")[0].strip() for part in row.get("genres", "").replace("|", ";").split(";") if part.strip()
    )
    return replace(
        song,
        title=one_line(row.get("title", "") or song.title or stem.replace("_", " ").replace("-", " ")),
        artist=one_line(row.get("artist", "") or row.get("authors", "") or song.artist),
        year=year or song.year,
        genres=genres or song.genres,
        licence=one_line(row.get("licence", "") or row.get("license", "") or row.get("pd_basis", "") or song.licence),
    )


def read_manifest(source: Source) -> dict[str, dict[str, str]]:
    """Rows of the source's manifest.csv by the stem of the file they describe; empty if there is none of use.

    The columns known are `stem` or `file`, `title`, `artist` or `authors`, `year` or `first_performance_date`,
    `genres` (separated by `;` or `|`) and `licence`. A manifest that is no such CSV is ignored: it describes, it is no
    song.
    """
    path = manifest_path(source)
    if path is None or path.stat().st_size > MAX_MANIFEST_BYTES:
        return {}
    rows: dict[str, dict[str, str]] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            for row in csv.DictReader(stream):
                known = {str(name).strip().lower(): value for name, value in row.items() if isinstance(value, str)}
                stem = known.get("stem", "").strip() or Path(known.get("file", "").strip()).stem
                if stem and "title" in known:
                    rows.setdefault(stem, {name: value.strip() for name, value in known.items()})
    except (OSError, UnicodeDecodeError, csv.Error):
        return {}
    return rows
