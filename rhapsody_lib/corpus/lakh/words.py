"""`matched_lyrics.csv`: words of Lakh's tracks, as musiXmatch gives them away.

Of most songs that is a third: the words break off in a line that ends in `...`, and a notice follows that they are not
for commercial use.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from rhapsody_lib.corpus.found import one_line
from rhapsody_lib.corpus.lakh.lists import BadLine
from rhapsody_lib.corpus.lakh.tree import TRACK_ID
from rhapsody_lib.corpus.record_stream import LongRecord, RecordLines, head_of, is_readable, open_records
from rhapsody_lib.errors import UnreadableFileError

WORDS_LICENCE = "words: musiXmatch, not for commercial use"
_COLUMNS = {"track_id": ("track_id", "msd_id"), "lyrics": ("lyrics", "lyric", "text")}
_NOTICE = re.compile(r"not for commercial use", re.IGNORECASE)
#: The number of the answer, which the service writes below its notice.
_NUMBER = re.compile(r"\(?\d{6,}\)?")
_CUT = re.compile(r"(?:\.{3}|…)$")
_SENTENCE_END = re.compile(r"[.!?;,](?=\s)")
_ROW = re.compile(r'"?TR[A-Z0-9]{16}"?[,;\t]')


@dataclass(frozen=True)
class MatchedWords:
    """A row with its number in the file; `lyrics` is empty where the service had none."""

    number: int
    track_id: str
    title: str
    artist: str
    lyrics: str
    limited: bool


def without_notice(text: str) -> tuple[str, bool]:
    """The words without the service's notice and without the line that it broke off; and whether it was there.

    Where all words stand in one line, the sentence that broke off is left out, if there are others.
    """
    lines = [line.strip() for line in text.replace("\r\n", "\n").replace("\r", "\n").strip().split("\n")]
    limited = False
    while lines and (not lines[-1] or _NOTICE.search(lines[-1]) or _NUMBER.fullmatch(lines[-1])):
        limited |= _NOTICE.search(lines.pop()) is not None
    if lines and _CUT.search(lines[-1]):
        rest = _CUT.sub("", lines.pop()).rstrip()
        while lines and not lines[-1]:
            lines.pop()
        broken = rest or (lines.pop() if lines else "")
        while lines and not lines[-1]:
            lines.pop()
        if not lines:
            ends = [match.end() for match in _SENTENCE_END.finditer(broken)]
            lines = [broken[: ends[-1]] if ends else broken]
    return "\n".join(lines), limited


def read_words(path: Path) -> Iterator[MatchedWords | BadLine]:
    """The rows of `matched_lyrics.csv`; a broken one is told, and reading goes on at the next that has an MSD id.

    Raises:
        ValueError: it is no such table.
        OSError: it cannot be read.
    """
    try:
        with open_records(path, path.name) as stream:
            lines = RecordLines(stream)
            header, delimiter = head_of(chain(lines, ["", ""]))
            names = [name.strip().lower() for name in next(csv.reader([header], delimiter=delimiter), [])]
            places = {what: next((names.index(n) for n in known if n in names), -1) for what, known in _COLUMNS.items()}
            if min(places.values()) < 0:
                raise ValueError("it has no columns 'track_id' and 'Lyrics'")
            optional = {what: names.index(what) if what in names else -1 for what in ("title", "artist_name")}
            yield from _rows(lines, delimiter, len(names), {**places, **optional})
    except (LongRecord, csv.Error, UnreadableFileError) as error:
        raise ValueError(one_line(str(error)) or "it has no header") from error


def _rows(lines: RecordLines, delimiter: str, width: int, places: dict[str, int]) -> Iterator[MatchedWords | BadLine]:
    reader, number = csv.reader(lines, delimiter=delimiter, strict=True), 0
    while True:
        lines.begin()
        try:
            row = next(reader)
        except StopIteration:
            return
        except (LongRecord, csv.Error):
            number += 1
            yield number, "has broken quoting, or is longer than a song may be"
            lines.skip_to(_ROW)
            continue
        if not row:
            continue
        number += 1
        yield _words(number, row, places) if len(row) == width else (number, f"has {len(row)} fields")


def _words(number: int, row: list[str], places: dict[str, int]) -> MatchedWords | BadLine:
    fields = {what: row[place] if place >= 0 else "" for what, place in places.items()}
    if not TRACK_ID.fullmatch(fields["track_id"].strip()):
        return number, "has no MSD id"
    if not all(map(is_readable, fields.values())):
        return number, "has NUL bytes or bytes that are not UTF-8 text"
    lyrics, limited = without_notice(fields["lyrics"])
    title, artist = one_line(fields["title"]), one_line(fields["artist_name"])
    return MatchedWords(number, fields["track_id"].strip(), title, artist, lyrics, limited)
