"""Tables of lyrics, a song a row: CSV in the shape of the Kaggle lyrics sets, or any with a column of lyrics.

Columns are known by name, in any case and order. Of the two Kaggle releases the newer one keeps the line breaks in a
quoted field; the older one folded each into `. `, which is undone. Artists stand in a table of their own, joined by
link; one who has a row for each genre is one artist here, so that no song is multiplied.

Quoting is that of RFC 4180. A quote that is not closed, or closed in the middle of a field, is refused with the row,
and reading goes on at the next line that looks like a row.
"""

from __future__ import annotations

import csv
import logging
import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from rhapsody_lib.corpus.fields import MAX_GENRES, genres_of, name_of, title_of, year_of
from rhapsody_lib.corpus.found import ParsedSong, one_line
from rhapsody_lib.corpus.language import language_code
from rhapsody_lib.corpus.record_stream import (
    LongRecord,
    Record,
    RecordLines,
    Refusal,
    delimiter_of,
    head_of,
    is_readable,
    open_records,
    open_stretch,
)
from rhapsody_lib.corpus.schema import RejectCode
from rhapsody_lib.corpus.table_part import TablePart
from rhapsody_lib.errors import UnreadableFileError

logger = logging.getLogger(__name__)

LYRICS_COLUMNS = ("lyric", "lyrics", "text")
_COLUMNS = {
    "lyrics": LYRICS_COLUMNS,
    "title": ("sname", "title", "song", "song_name", "track_name"),
    "artist": ("artist", "artist_name", "author"),
    "link": ("alink",),
    "language": ("language", "idiom", "lang"),
    "year": ("year", "release_year"),
    "genres": ("genres", "genre"),
    "licence": ("licence", "license"),
}
MAX_ARTISTS = 500_000
MAX_LINK_CHARACTERS = 300
_LINK = re.compile(r"/[^/\s\"]+/")
#: How a row starts whose first column is a link.
_LINKED_ROW = re.compile(rf'"?{_LINK.pattern}"?[,;\t]')
#: Below so many folded line breaks a text is taken as it is.
_LEAST_FOLDS = 2
_FOLD = re.compile(r"(?<=\S)\. (?=\S)")


@dataclass(frozen=True)
class Artist:
    """Whom a link leads to."""

    name: str
    genres: tuple[str, ...]


class Rows:
    """Rows of a table after its header, as records: fields, or a refusal where they cannot be told.

    `names` are the columns in lower case. After a break in the quoting, lines that are no full row belong to the damage
    and are passed over; in a table whose rows start with a link, so do lines that do not.

    `at_record` is true while no damage reaches into what follows: reading may begin anew at byte `read_bytes`.

    Args:
        stream: the table, or rows of it.
        name: what the table is called in messages.
        part: what the rows belong to, where `stream` does not begin with the header.
    """

    def __init__(self, stream: TextIO, name: str, part: TablePart | None = None) -> None:
        self._lines = RecordLines(stream)
        try:
            self.header = head_of(self._lines)[0] if part is None else part.header
        except (StopIteration, LongRecord):
            raise UnreadableFileError(
                name, "bad_table", "has no header.", "Its first line must name its columns."
            ) from None
        self._delimiter = delimiter_of(self.header)
        try:
            fields = next(csv.reader([self.header], delimiter=self._delimiter), [])
        except csv.Error:
            fields = []
        self.names = [field.strip().lower() for field in fields]
        self.linked = self.names[:1] == ["alink"] if part is None else part.linked
        self.at_record = True

    @property
    def read_bytes(self) -> int:
        """Bytes read so far, without the mark that a file may begin with."""
        return self._lines.read_bytes

    def __iter__(self) -> Iterator[tuple[int, list[str] | Refusal]]:
        reader = csv.reader(self._lines, delimiter=self._delimiter, strict=True)
        number, damaged = 0, False
        while True:
            self._lines.begin()
            try:
                row = next(reader)
            except StopIteration:
                return
            except LongRecord:
                refusal = Refusal(RejectCode.TOO_LARGE, "is longer than a song may be, or a quote is not closed")
            except csv.Error as error:
                refusal = Refusal(RejectCode.BAD_TABLE, one_line(f"has broken quoting: {error}"))
            else:
                if not row or (damaged and len(row) != len(self.names)):
                    continue
                number, damaged, self.at_record = number + 1, False, True
                self.linked = self.linked and _LINK.fullmatch(row[0]) is not None
                yield number, row if len(row) == len(self.names) else self._ragged(row)
                continue
            self.at_record = False
            if not damaged:
                number += 1
                yield number, refusal
            damaged = True
            if self.linked:
                self._lines.skip_to(_LINKED_ROW)
                damaged = False

    def _ragged(self, row: Sequence[str]) -> Refusal:
        return Refusal(RejectCode.BAD_TABLE, f"has {len(row)} fields instead of {len(self.names)}")


def unfolded(text: str) -> str:
    """A text of one line whose line breaks were folded into `. `, with its lines."""
    lines = _FOLD.split(text)
    return "\n".join(lines) if "\n" not in text and len(lines) > _LEAST_FOLDS else text


def _name_in(link: str) -> str:
    """`the beatles` for `/the-beatles/`."""
    return link.strip("/ ").replace("-", " ")


def _song(fields: dict[str, str], artists: dict[str, Artist], *, folded: bool) -> ParsedSong | Refusal:
    if not all(is_readable(value) for value in fields.values()):
        return Refusal(RejectCode.BAD_TEXT, "has NUL bytes or bytes that are not UTF-8 text")
    lyrics, link = fields["lyrics"], fields.get("link", "").strip()
    if not lyrics.strip():
        return Refusal(RejectCode.NO_LYRICS, "has no lyrics")
    artist = artists.get(link, Artist(name_of(fields.get("artist", "")) or _name_in(link), ()))
    return ParsedSong(
        title=title_of(fields.get("title", "")),
        artist=one_line(artist.name),
        year=year_of(fields.get("year", "")),
        genres=genres_of(fields.get("genres", "")) or artist.genres,
        licence=one_line(fields.get("licence", "")),
        language="",
        lyrics=unfolded(lyrics) if folded else lyrics,
        track=None,
        claimed_language=language_code(fields.get("language", "")),
    )


def _read_artists(path: Path) -> tuple[dict[str, Artist], int]:
    """Artists by link, and how many rows are none."""
    artists: dict[str, Artist] = {}
    left_out = 0
    with open_records(path, path.name) as stream:
        rows = Rows(stream, path.name)
        if not {"artist", "link"} <= set(rows.names):
            raise ValueError("it has no columns 'Artist' and 'Link'")
        for _, row in rows:
            fields = {} if isinstance(row, Refusal) else dict(zip(rows.names, row, strict=True))
            link = fields.get("link", "").strip()
            if not fields or len(link) > MAX_LINK_CHARACTERS or not all(map(is_readable, fields.values())):
                left_out += 1
                continue
            known = artists.get(link)
            before = known.genres if known is not None else ()
            genres = (*before, *genres_of(fields.get("genres", "")), *genres_of(fields.get("genre", "")))
            genres = tuple(dict.fromkeys(genres))[:MAX_GENRES]
            if known is not None or len(artists) < MAX_ARTISTS:
                artists[link] = Artist(known.name if known else name_of(fields["artist"]) or _name_in(link), genres)
    return artists, left_out


_NO_ARTISTS = (OSError, EOFError, ValueError, zlib.error, UnreadableFileError)
_LEFT_OUT = "rows are left out, which are broken or not UTF-8 text"


def read_artists(path: Path) -> dict[str, Artist]:
    """Names and genres of artists by link. A table that is none is ignored with a warning: it describes, no more."""
    try:
        artists, left_out = _read_artists(path)
    except _NO_ARTISTS as error:
        logger.warning("%s is ignored: %s. docs/data.md says what it may hold.", path, one_line(str(error)))
        return {}
    if left_out:
        logger.warning("%s: %s %s.", path, f"{left_out:,}", _LEFT_OUT)
    return artists


def artists_trouble(path: Path) -> str:
    """What of a table of artists cannot be used, and why; '' if all can."""
    try:
        _, left_out = _read_artists(path)
    except _NO_ARTISTS as error:
        return f"cannot be used ({one_line(str(error))})"
    return f"cannot all be used ({left_out:,} {_LEFT_OUT})" if left_out else ""


def columns_of(rows: Rows, name: str) -> dict[str, int]:
    """Where the columns that are read stand in a table.

    Raises:
        UnreadableFileError: `bad_table`, if no column holds lyrics.
    """
    columns = {
        what: rows.names.index(known[0])
        for what, names in _COLUMNS.items()
        if (known := [each for each in names if each in rows.names])
    }
    if "lyrics" not in columns:
        raise UnreadableFileError(
            name, "bad_table", "has no column of lyrics.", f"Name it {', '.join(LYRICS_COLUMNS)} in the first line."
        )
    return columns


def _read_rows(rows: Rows, name: str, artists: Callable[[], dict[str, Artist]]) -> Iterator[Record]:
    columns = columns_of(rows, name)
    known = artists()
    for number, row in rows:
        if isinstance(row, Refusal):
            yield number, row
            continue
        fields = {what: row[place] for what, place in columns.items()}
        yield number, _song(fields, known, folded="idiom" in rows.names)


def read_table(path: Path, name: str, artists: Path | None, part: TablePart | None = None) -> Iterator[Record]:
    """Each row of a table as a song or a refusal.

    Args:
        path: the table.
        name: what it is called in messages.
        artists: the table of artists that its links lead to.
        part: which rows; they are counted from 1. Their artists are those that it names.

    Raises:
        UnreadableFileError: `bad_table`, if no column holds lyrics; `too_large`, if a `.gz` file unpacks too far.
        OSError, EOFError, zlib.error: the file cannot be read, or breaks off.
    """
    if part is not None:
        named = {link: Artist(artist, genres) for link, artist, genres in part.artists}
        with open_stretch(path, part.start, part.stop) as stream:
            yield from _read_rows(Rows(stream, name, part), name, lambda: named)
        return
    with open_records(path, name) as stream:
        yield from _read_rows(Rows(stream, name), name, lambda: read_artists(artists) if artists else {})
