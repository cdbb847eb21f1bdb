"""Files that hold many songs, read song by song in this process: what they are and how a broken one ends.

Their readers parse plain text with the limits of `record_stream` and no library of a format, so they need no process
of their own; and a file may be read for minutes, which the time limit of a file would not allow.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path

from rhapsody_lib.corpus.abc_words import read_abc
from rhapsody_lib.corpus.found import FileKind, Job, one_line
from rhapsody_lib.corpus.lyrics_table import read_table
from rhapsody_lib.corpus.poems_jsonl import read_jsonl
from rhapsody_lib.corpus.record_stream import Record, Refusal, until_hopeless
from rhapsody_lib.corpus.schema import RejectCode
from rhapsody_lib.errors import UnreadableFileError

#: By the end of a file's name, in lower case.
RECORD_KINDS: dict[str, FileKind] = {
    ".csv": "table",
    ".csv.gz": "table",
    ".tsv": "table",
    ".tsv.gz": "table",
    ".jsonl": "jsonl",
    ".jsonl.gz": "jsonl",
    ".ndjson": "jsonl",
    ".ndjson.gz": "jsonl",
    ".abc": "abc",
}
_BROKEN = {"table": RejectCode.BAD_TABLE, "jsonl": RejectCode.BAD_JSONL, "abc": RejectCode.BAD_ABC}


def record_kind(path: Path) -> FileKind | None:
    """The kind of a file that holds many songs, by its name; None for any other file."""
    suffixes = [suffix.lower() for suffix in path.suffixes[-2:]]
    return RECORD_KINDS.get("".join(suffixes)) or RECORD_KINDS.get("".join(suffixes[-1:]))


def holds_records(job: Job) -> bool:
    """Whether a job is a file of many songs, which `read_records` reads."""
    return job.kind in _BROKEN


def read_records(job: Job) -> Iterator[Record]:
    """The songs and refusals of a file, in order. A file that breaks off ends in a refusal of its own, number 0."""
    path, code = Path(job.path), _BROKEN[job.kind]
    if job.kind == "table":
        records = read_table(path, job.name, Path(job.artists_path) if job.artists_path else None, job.part)
    else:
        records = (read_jsonl if job.kind == "jsonl" else read_abc)(path, job.name)
    number = 0
    try:
        for number, item in until_hopeless(records, job.name):
            yield number, item
        if not number:
            yield 0, Refusal(RejectCode.NO_LYRICS, "holds no songs")
    except UnreadableFileError as error:
        yield 0, Refusal(RejectCode(error.code), one_line(f"{error.detail} {error.remedy}".strip()))
    except (OSError, EOFError, zlib.error) as error:
        yield 0, Refusal(code, one_line(f"cannot be read to its end: {error}"))
