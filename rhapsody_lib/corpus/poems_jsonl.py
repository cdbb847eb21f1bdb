"""JSON lines of poems or lyrics: an object a line, with the words and, if known, who wrote them.

Keys (in any case): `text`, `lyrics` or `lyric`; `title`; `author` or `artist`; `language`, `year`, `genres`, `licence`.
Stanzas are where blank lines are. A line that only numbers its stanza is no line of the poem.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rhapsody_lib.corpus.found import ParsedSong, one_line
from rhapsody_lib.corpus.language import language_code
from rhapsody_lib.corpus.record_stream import LongRecord, Record, RecordLines, Refusal, is_readable, open_records
from rhapsody_lib.corpus.schema import RejectCode

LYRICS_KEYS = ("text", "lyrics", "lyric")
_NUMBER_LINE = re.compile(r"(?m)^[ \t]*[\[(]?(?:[IVXLC]+|\d{1,3})[.:)\]]*[ \t]*$")
_EMPHASIS = re.compile(r"\b_([^_\n]{1,200})_(?=\W|$)|(?<=\W)_([^_\n]{1,200})_(?=\W|$)")
MAX_GENRES = 32


def without_numbers(text: str) -> str:
    """Verse without lines that hold nothing but a number (`II.`, `3`), and without `_emphasis_` of plain-text editions.

    A numeral `I` that stands alone between words is left: it may be the singer.
    """
    lines = ["", *text.splitlines(), ""]
    kept = []
    for before, line, after in zip(lines, lines[1:], lines[2:], strict=False):
        sung = line.strip() == "I" and before.strip() and after.strip()
        kept.append("" if _NUMBER_LINE.match(line) and not sung else line)
    return _EMPHASIS.sub(lambda match: match.group(1) or match.group(2), "\n".join(kept))


def genres_of(text: str) -> tuple[str, ...]:
    """Genres that a text names, separated by `;` or `|`."""
    parts = (one_line(part) for part in re.split("[;|]", text))
    return tuple(dict.fromkeys(part for part in parts if part))[:MAX_GENRES]


def year_of(text: str) -> int:
    """The year that a text starts with, such as that of a date; 0 for none."""
    start = text.strip()[:4]
    return int(start) if len(start) == 4 and start.isascii() and start.isdigit() else 0


def _song(values: dict[str, Any]) -> ParsedSong | Refusal:
    texts = {
        str(key).strip().lower(): value if isinstance(value, str) else str(value)
        for key, value in values.items()
        if isinstance(value, (str, int))
    }

    def first(*keys: str) -> str:
        return next((texts[key] for key in keys if texts.get(key, "").strip()), "")

    if not any(key in texts for key in LYRICS_KEYS):
        return Refusal(RejectCode.BAD_JSONL, f"has no text in any of {', '.join(LYRICS_KEYS)}")
    words = first(*LYRICS_KEYS)
    if not words:
        return Refusal(RejectCode.NO_LYRICS, "has an empty text")
    if not is_readable(words) or "\0" in words:
        return Refusal(RejectCode.BAD_TEXT, "has bytes that are not UTF-8 text")
    return ParsedSong(
        title=one_line(first("title")),
        artist=one_line(first("author", "artist")),
        year=year_of(first("year")),
        genres=genres_of(first("genres", "genre")),
        licence=one_line(first("licence", "license")),
        language="",
        lyrics=without_numbers(words),
        track=None,
        claimed_language=language_code(first("language")),
    )


def _parsed(line: str) -> ParsedSong | Refusal:
    try:
        values = json.loads(line)
    except (ValueError, RecursionError) as error:
        return Refusal(RejectCode.BAD_JSONL, one_line(f"is no JSON: {error}"))
    if not isinstance(values, dict):
        return Refusal(RejectCode.BAD_JSONL, "is no JSON object")
    return _song(values)


def read_jsonl(path: Path, name: str) -> Iterator[Record]:
    """Each line of a file as a song or a refusal; blank lines are passed over.

    Raises:
        UnreadableFileError: a `.gz` file unpacks too far.
        OSError, EOFError, zlib.error: the file cannot be read, or breaks off.
    """
    with open_records(path, name) as stream:
        lines, number = RecordLines(stream), 0
        while True:
            number += 1
            lines.begin()
            try:
                line = next(lines)
            except StopIteration:
                return
            except LongRecord:
                yield number, Refusal(RejectCode.TOO_LARGE, "is longer than a song may be")
                continue
            if line.strip():
                yield number, _parsed(line)
