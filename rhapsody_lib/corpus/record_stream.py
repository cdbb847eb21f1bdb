"""Files of many songs (tables, JSON lines) as lines of text, in bounded memory whatever a stranger has put into them.

Such a file may be larger than memory, so it is never held: a record is read, given away and forgotten. What is bounded
is the length of a record, how far a `.gz` file unpacks, and how many broken records are reported one after another.
"""

from __future__ import annotations

import gzip
import io
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, TextIO

from rhapsody_lib.corpus.found import ParsedSong
from rhapsody_lib.corpus.schema import RejectCode
from rhapsody_lib.errors import UnreadableFileError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

#: Characters of one record, about 20,000 words. Below the limit of the csv module for a field (131,072).
MAX_RECORD_CHARACTERS = 120_000
#: A `.gz` file may unpack to this, or to so many times its size, whichever is more. Text shrinks 3 to 20 times.
MAX_UNPACKED_BYTES = 64 << 20
MAX_UNPACKED_TIMES = 100
#: After so many broken records in a row the file is no table of songs, and is given up.
MAX_BROKEN = 1000
DELIMITERS = ",;\t"
_SEPARATOR_LINE = re.compile(r'"?sep=[^"\r\n]"?[,;\s]*', re.IGNORECASE)
_SKIPPED_AT_ONCE = 1 << 16
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
#: What a NUL becomes, so that the csv module of Python 3.10 takes it; like a byte that is no UTF-8, a lone surrogate.
_NUL_MARK = "\udc00"
_UNREADABLE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class Refusal:
    """Why a record is left out."""

    code: RejectCode
    detail: str


#: A record: its number in the file, counted from 1, and what it says. Number 0 is the file itself.
Record = tuple[int, ParsedSong | Refusal]


class LongRecord(Exception):  # noqa: N818  # an event, which the readers make a refusal of
    """The record being read is longer than `MAX_RECORD_CHARACTERS`; what was left of its line is skipped."""


class _Unpacked(io.RawIOBase):
    """The content of a `.gz` file, up to a limit."""

    def __init__(self, stream: gzip.GzipFile, limit_bytes: int, name: str) -> None:
        self._stream, self._left, self._name = stream, limit_bytes, name

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer).cast("B")
        data = self._stream.read(len(view))
        self._left -= len(data)
        if self._left < 0:
            raise UnreadableFileError(
                self._name,
                "too_large",
                "unpacks too far.",
                f"Unpack it if it holds {MAX_UNPACKED_TIMES} times its size.",
            )
        view[: len(data)] = data
        return len(data)


class _Stretch(io.RawIOBase):
    """The bytes of a file up to some place."""

    def __init__(self, stream: IO[bytes], stop: int) -> None:
        self._stream, self._left = stream, stop - stream.tell()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer).cast("B")
        data = self._stream.read(min(len(view), self._left))
        self._left -= len(data)
        view[: len(data)] = data
        return len(data)


@contextmanager
def open_stretch(path: Path, start: int, stop: int) -> Iterator[TextIO]:
    """The bytes of a UTF-8 file from `start` up to `stop`, as `open_records` would give them after what is before."""
    with path.open("rb") as stream:
        stream.seek(start)
        buffered = io.BufferedReader(_Stretch(stream, stop), 1 << 16)
        with io.TextIOWrapper(buffered, "utf-8", "surrogateescape", newline="") as text:
            yield text


@contextmanager
def open_records(path: Path, name: str) -> Iterator[TextIO]:
    """A file as text: UTF-8, or UTF-16 with its mark; unpacked if its name ends in `.gz`.

    Bytes that are no UTF-8 become lone surrogates, by which `is_readable` finds them. Line ends are left as they are.
    """
    with ExitStack() as stack:
        packed: IO[bytes] = stack.enter_context(path.open("rb"))
        buffered: io.BufferedReader
        if path.suffix.lower() == ".gz":
            limit = max(MAX_UNPACKED_BYTES, MAX_UNPACKED_TIMES * path.stat().st_size)
            unpacked = stack.enter_context(gzip.GzipFile(fileobj=packed))
            buffered = io.BufferedReader(_Unpacked(unpacked, limit, name), 1 << 16)
        else:
            buffered = io.BufferedReader(packed, 1 << 16)  # type: ignore[arg-type]  # a file opened as bytes is raw enough
        utf16 = buffered.peek(2)[:2] in _UTF16_MARKS
        encoding, errors = ("utf-16", "replace") if utf16 else ("utf-8-sig", "surrogateescape")
        yield stack.enter_context(io.TextIOWrapper(buffered, encoding, errors, newline=""))


def may_be_cut(path: Path) -> bool:
    """Whether reading can begin within a file: it is neither packed nor UTF-16."""
    with path.open("rb") as stream:
        return path.suffix.lower() != ".gz" and stream.read(2) not in _UTF16_MARKS


def _bytes_of(line: str) -> int:
    """How many bytes of a UTF-8 file a line is, whatever bytes they were."""
    return len(line) if line.isascii() else len(line.encode("utf-8", "surrogateescape"))


def is_readable(text: str) -> bool:
    """Whether a text of `open_records` has neither NUL bytes nor bytes that are no UTF-8."""
    return _UNREADABLE.search(text) is None


class RecordLines(Iterator[str]):
    """Lines of a file; call `begin` before each record. `read_bytes` are those read of a UTF-8 file, without its mark.

    Raises (from `next`):
        LongRecord: the lines since `begin` are too long for a record. The next line can be read.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._left = stream, MAX_RECORD_CHARACTERS
        self._start: re.Pattern[str] | None = None
        self._lines, self._last, self._waiting = 0, "", ""
        self.read_bytes = 0

    def begin(self) -> None:
        """A new record starts with the next line."""
        self._left, self._lines = MAX_RECORD_CHARACTERS, 0

    def skip_to(self, start: re.Pattern[str]) -> None:
        """The record read is broken: go on at the next line that starts as one, if need be with the last line given."""
        self._start = start
        self._waiting = self._last if self._lines > 1 else ""

    def __next__(self) -> str:
        while True:
            if self._waiting:
                line, self._waiting = self._waiting, ""
            elif line := self._stream.readline(self._left + 1):
                self.read_bytes += len(line) if line.isascii() else _bytes_of(line)
            else:
                raise StopIteration
            if self._start is None or self._start.match(line):
                break
        self._start = None
        self._left -= len(line)
        if self._left < 0:
            while line and not line.endswith(("\n", "\r")):
                line = self._stream.readline(_SKIPPED_AT_ONCE)
                self.read_bytes += _bytes_of(line)
            self.begin()
            raise LongRecord
        self._lines, self._last = self._lines + 1, line
        return line.replace("\0", _NUL_MARK)


def head_of(lines: Iterator[str]) -> tuple[str, str]:
    """The line of a table that names its columns, and the delimiter of the table.

    A line `sep=;`, which Excel writes before it, is passed over.

    Raises:
        StopIteration: there is none.
        LongRecord: it is too long.
    """
    header = next(lines)
    if _SEPARATOR_LINE.fullmatch(header):
        header = next(lines)
    return header, delimiter_of(header)


def delimiter_of(header: str) -> str:
    """Which of comma, semicolon and tab stands between the columns that a line names."""
    return max(DELIMITERS, key=header.count)


def is_broken(refusal: Refusal) -> bool:
    """Whether a record was refused because it is damaged, not because it is no song."""
    return refusal.code.value.startswith("bad_")


def until_hopeless(records: Iterator[Record], name: str) -> Iterator[Record]:
    """The records of a file, given up after `MAX_BROKEN` broken ones in a row.

    Raises:
        UnreadableFileError: with the code of the last of them.
    """
    broken = 0
    for number, item in records:
        yield number, item
        broken = broken + 1 if isinstance(item, Refusal) and is_broken(item) else 0
        if broken >= MAX_BROKEN and isinstance(item, Refusal):
            raise UnreadableFileError(
                name, item.code.value, f"is given up here: the last {MAX_BROKEN:,} records were all broken."
            )
