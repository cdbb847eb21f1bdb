"""`track_metadata.db` of the Million Song Dataset: a million rows of which some are asked for.

The file is a stranger's: it is opened read-only and immutable, its schema is not trusted (a view or a computed column
could run for ever), and a query that takes too long ends the reading: half a join would be a corpus of other songs.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from rhapsody_lib.corpus.fields import YEARS
from rhapsody_lib.corpus.found import one_line
from rhapsody_lib.errors import SourceError

_COLUMNS = ("track_id", "title", "artist_name", "year")
#: Ids of one query: below SQLite's least limit of parameters (999).
_BATCH = 500
#: Of one query.
_MOST_SECONDS = 120.0
_STEPS_BETWEEN_CHECKS = 1_000_000
_MOST_CHARACTERS = 1000


@dataclass(frozen=True)
class TrackMetadata:
    """What the Million Song Dataset says of a track; `year` is 0 where it does not know."""

    title: str
    artist: str
    year: int


def _opened(path: Path) -> sqlite3.Connection:
    # as_uri() escapes what means something in a URI
    connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True, isolation_level=None)
    connection.text_factory = lambda data: data[: 4 * _MOST_CHARACTERS].decode("utf-8", "replace")
    for pragma in ("trusted_schema=OFF", "cell_size_check=ON", "mmap_size=0", "query_only=ON", "cache_size=-16384"):
        connection.execute(f"PRAGMA {pragma}")
    return connection


def _check_schema(connection: sqlite3.Connection) -> None:
    """Take nothing but a plain table of plain columns.

    Raises:
        ValueError: it is something else.
    """
    kinds = connection.execute("SELECT type, sql FROM sqlite_master WHERE name = 'songs' LIMIT 2").fetchall()
    if len(kinds) != 1 or kinds[0][0] != "table" or "virtual" in str(kinds[0][1])[:40].lower():
        raise ValueError("it has no table 'songs'")
    # hidden is 0 for a stored column, 2 and 3 for computed ones
    stored = {str(row[1]).lower() for row in connection.execute("PRAGMA table_xinfo(songs)") if row[6] == 0}
    missing = [name for name in _COLUMNS if name not in stored]
    if missing:
        raise ValueError(f"its table 'songs' has no column {', '.join(missing)}")


def read_metadata(path: Path, track_ids: Iterable[str]) -> Iterator[tuple[str, TrackMetadata]]:
    """The rows of the tracks asked for, in batches by the table's index; in one pass over it where there is none.

    Raises:
        ValueError: it is no such database, or is damaged.
        SourceError: it takes too long to answer.
        OSError: it cannot be read.
    """
    with path.open("rb"):  # a folder, or a file that may not be read, is told as such
        pass
    try:
        with closing(_opened(path)) as connection:
            _set_deadline(connection)
            _check_schema(connection)
            for track_id, title, artist, year in _asked(connection, track_ids):
                yield str(track_id), TrackMetadata(_text(title), _text(artist), _year(year))
    except sqlite3.Error as error:
        if "interrupted" in str(error):
            raise SourceError(
                f"'{path}' takes longer than {_MOST_SECONDS:.0f} seconds to answer one question. "
                "Copy it to a faster disk, or fetch it again."
            ) from error
        raise ValueError(f"it cannot be read as SQLite: {one_line(str(error))}") from error


def _set_deadline(connection: sqlite3.Connection) -> None:
    """Interrupt what takes longer than `_MOST_SECONDS` from now on."""
    until = time.monotonic() + _MOST_SECONDS
    connection.set_progress_handler(lambda: int(time.monotonic() > until), _STEPS_BETWEEN_CHECKS)


def _asked(connection: sqlite3.Connection, track_ids: Iterable[str]) -> Iterator[tuple[object, ...]]:
    """The columns of the tracks asked for, each query with a deadline of its own."""
    everything = f"SELECT {', '.join(_COLUMNS)} FROM songs"  # noqa: S608  # names of ours
    one = f"{everything} WHERE track_id IN (?)"
    plan = [str(row[3]) for row in connection.execute(f"EXPLAIN QUERY PLAN {one}", ("",))]
    if not any(step.startswith("SEARCH") for step in plan):
        wanted = set(track_ids)
        _set_deadline(connection)
        yield from (row for row in connection.execute(everything) if row[0] in wanted)
        return
    ids = iter(track_ids)
    while batch := list(islice(ids, _BATCH)):
        _set_deadline(connection)
        yield from connection.execute(f"{everything} WHERE track_id IN ({','.join('?' * len(batch))})", batch)


def _text(value: object) -> str:
    return one_line(value) if isinstance(value, str) else ""


def _year(value: object) -> int:
    return value if isinstance(value, int) and value in YEARS else 0
