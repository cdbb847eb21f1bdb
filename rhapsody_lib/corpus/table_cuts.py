"""Cuts a large table of lyrics into parts that are read side by side, and that hardly move when the table grows.

Where a record begins is known only to whoever has read all before it: a quote may be open. So one pass goes over the
table with the reader's own rules, without looking at the words, and cuts where a record begins and nothing before it is
damaged; the parts read one after another are then what the table is, whatever is wrong with it. Which of these places
are cuts the rows themselves decide (`chunking`): appended rows leave earlier parts as they are.
"""

from __future__ import annotations

import zlib
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from rhapsody_lib.chunking import stable_lengths
from rhapsody_lib.corpus.found import Job
from rhapsody_lib.corpus.lyrics_table import Artist, Rows, columns_of, read_artists
from rhapsody_lib.corpus.record_stream import (
    MAX_BROKEN,
    Refusal,
    is_broken,
    is_readable,
    may_be_cut,
    open_records,
)
from rhapsody_lib.corpus.table_part import TablePart
from rhapsody_lib.errors import SourceError, UnreadableFileError

#: Records of a part, about: some seconds of work.
PART_ROWS = 2000
#: A table of fewer bytes is read whole.
LEAST_BYTES = 1 << 20
_MARK = b"\xef\xbb\xbf"


@dataclass
class _Piece:
    """Records that no cut can divide: where they begin, and what a part that begins here must know."""

    start: int
    before: int
    linked: bool
    name: str
    links: set[str]


class _Pieces:
    """The pieces of a table, in order; `offset` is how many bytes stand before its first character."""

    def __init__(self, rows: Rows, name: str, offset: int) -> None:
        self._rows, self._offset = rows, offset
        self._columns = columns_of(rows, name)

    def _here(self) -> int:
        return self._offset + self._rows.read_bytes

    def __iter__(self) -> Iterator[_Piece]:
        link, broken = self._columns.get("link"), 0
        piece = _Piece(self._here(), 0, self._rows.linked, "", set())
        for number, row in self._rows:
            if isinstance(row, Refusal):
                bad = is_broken(row)
            else:
                piece.name = piece.name or "\x1f".join(row)
                if link is not None:
                    piece.links.add(row[link].strip())
                bad = not is_readable("".join([row[place] for place in self._columns.values()]))
            broken = broken + 1 if bad else 0
            if broken >= MAX_BROKEN:
                break  # here the table is given up: what follows belongs to this piece, where its reader gives up too
            if not broken and self._rows.at_record:
                yield piece
                piece = _Piece(self._here(), number, self._rows.linked, "", set())
        if broken or not self._rows.at_record:
            yield piece


def _artists_of(links: set[str], known: dict[str, Artist]) -> tuple[tuple[str, str, tuple[str, ...]], ...]:
    found = ((link, known[link]) for link in sorted(links & known.keys()))
    return tuple((link, artist.name, artist.genres) for link, artist in found)


def _parts(pieces: _Pieces, header: str, known: dict[str, Artist], size_bytes: int) -> Iterator[TablePart]:
    waiting: deque[_Piece] = deque()

    def names() -> Iterator[str]:
        for piece in pieces:
            waiting.append(piece)
            yield piece.name

    last: tuple[_Piece, set[str]] | None = None
    for length in stable_lengths(names(), PART_ROWS):
        taken = [waiting.popleft() for _ in range(length)]
        if last is not None:
            yield _part(*last, taken[0].start, header, known)
        last = taken[0], set().union(*(piece.links for piece in taken))
    if last is not None:
        yield _part(*last, size_bytes, header, known)


def _part(first: _Piece, links: set[str], stop: int, header: str, known: dict[str, Artist]) -> TablePart:
    return TablePart(first.start, stop, header, first.linked, first.before, _artists_of(links, known))


def _state(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_size, found.st_mtime_ns


def changed(path: str) -> SourceError:
    """What is raised of a table whose parts are no longer where they were found."""
    return SourceError(f"Table '{path}' changed while it was read. Prepare it again once nothing writes to it.")


def check_unchanged(jobs: Iterable[Job]) -> None:
    """Do nothing if the tables that these are parts of are still as they were when they were cut, on this machine.

    Raises:
        SourceError: one of them changed, or is gone.
    """
    cut = {job.path: job.part.state for job in jobs if job.part is not None}
    for path, state in cut.items():
        try:
            found = _state(Path(path))
        except OSError as error:
            raise changed(path) from error
        if found != state:
            raise changed(path)


def table_parts(job: Job) -> list[Job]:
    """A table of lyrics as jobs of some rows each, in order; itself alone where it is small or cannot be cut.

    Raises:
        SourceError: it changed meanwhile.
    """
    path = Path(job.path)
    try:
        state = _state(path)
        size_bytes = state[0]
        if job.kind != "table" or size_bytes < LEAST_BYTES or not may_be_cut(path):
            return [job]
        known = read_artists(Path(job.artists_path)) if job.artists_path else {}
        with path.open("rb") as stream:
            offset = len(_MARK) if stream.read(len(_MARK)) == _MARK else 0
        with open_records(path, job.name) as stream_of_text:
            rows = Rows(stream_of_text, job.name)
            parts = list(_parts(_Pieces(rows, job.name, offset), rows.header, known, size_bytes))
    except (OSError, EOFError, zlib.error, UnreadableFileError):
        return [job]  # whoever reads it says what is wrong
    if len(parts) < 2:
        return [job]
    cut = [replace(job, artists_path="", part=replace(part, state=state)) for part in parts]
    check_unchanged(cut)
    return cut
