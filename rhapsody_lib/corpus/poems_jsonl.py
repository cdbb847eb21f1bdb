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

from rhapsody_lib.corpus.fields import genres_of, name_of, title_of, year_of
from rhapsody_lib.corpus.found import ParsedSong, one_line
from rhapsody_lib.corpus.language import language_code
from rhapsody_lib.corpus.record_stream import LongRecord, Record, RecordLines, Refusal, is_readable, open_records
from rhapsody_lib.corpus.schema import RejectCode

LYRICS_KEYS = ("text", "lyrics", "lyric")
GENRE_KEYS = ("genres", "genre")
_NUMBER_LINE = re.compile(r"(?m)^[ \t]*[\[(]?(?:[IVXLC]+|\d{1,3})[.:)\]]*[ \t]*$")
_EMPHASIS = re.compile(r"\b_([^_\n]{1,200})_(?=\W|$)|(?<=\W)_([^_\n]{1,200})_(?=\W|$)")


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


def _text(key: str, value: object) -> str | None:
    """What a value says; None for one that is not read. pandas writes years as `1999.0`."""
    if isinstance(value, list) and key in GENRE_KEYS:
        return ";".join(item for item in value if isinstance(item, str))
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value) if isinstance(value, (str, int)) else None


def _song(values: dict[str, Any]) -> ParsedSong | Refusal:
    named = ((str(key).strip().lower(), value) for key, value in values.items())
    texts = {key: text for key, value in named if (text := _text(key, value)) is not None}

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
        title=title_of(first("title")),
        artist=name_of(first("author", "artist")),
        year=year_of(first("year")),
        genres=genres_of(first(*GENRE_KEYS)),
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
