"""Words of ABC tunes (hymnals, tunebooks): the verses under the notes, and those printed below them.

`w:` lines under a line of music are its verses, by syllable (ABC standard 2.1, section 5); where a line of music has
one for all verses, it is the refrain. `W:` lines, and numbered verses in a `%%begintext` block, have true line breaks.
Verses under notes get lines by the metre that the file states, where they fit it, else by their punctuation.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rhapsody_lib.corpus.found import ParsedSong, one_line
from rhapsody_lib.corpus.record_stream import (
    MAX_RECORD_CHARACTERS,
    LongRecord,
    Record,
    RecordLines,
    Refusal,
    is_readable,
    open_records,
)
from rhapsody_lib.corpus.schema import RejectCode
from rhapsody_lib.corpus.verse_lines import Word, words_in_lines, words_in_metre
from rhapsody_lib.errors import UnreadableFileError

MAX_TUNE_LINES = 20_000
#: Verses of a tune: each takes a copy of what all verses share, so that their number bounds the work.
MAX_VERSES = 32
_FIELD = re.compile(r"^([A-Za-z+]):\s*(.*)$")
_VOICE = re.compile(r"^\[V:\s*([^\]\s]+)")
_PIECE = re.compile(r"[^\s_*|-]+|-")
_NUMBER = re.compile(r"^\s*\(?\d{1,2}\s*[.):]+[\s~]*")
_ACCENT = re.compile(r"\\(['`^~\"])([A-Za-z])")
_ACCENTS = {"'": "\u0301", "`": "\u0300", "^": "\u0302", "~": "\u0303", '"': "\u0308"}
_WORDS_BY = re.compile(r"words\b[^:]*:\s*([^,.;]+)(.*)", re.IGNORECASE)
_YEAR = re.compile(r"\b1[0-9]\d\d\b")
#: A hyphen that is written, as in `to\-day`.
_HYPHEN = "\ue000"


@dataclass
class _Tune:
    """What the lines of a tune say. `systems` are, by voice, the verses under each line of music that has any."""

    title: str = ""
    credit: str = ""
    author: str = ""
    licence: str = ""
    metre: tuple[int, ...] = ()
    systems: dict[str, list[list[str]]] = field(default_factory=lambda: defaultdict(list))
    printed: list[str] = field(default_factory=list)
    lines: int = 0
    characters: int = 0

    @property
    def too_long(self) -> bool:
        return self.lines > MAX_TUNE_LINES or self.characters > MAX_RECORD_CHARACTERS


class _Reader:
    """Takes the lines of one tune in turn."""

    def __init__(self) -> None:
        self.tune = _Tune()
        self._voice, self._under, self._continues, self._in_text = "", False, False, False

    def take(self, line: str) -> None:
        """One line, without its end."""
        self.tune.lines += 1
        self.tune.characters += len(line)
        if self.tune.too_long:
            return
        if line.startswith("%%") and (self._in_text or line.startswith("%%begintext")):
            self._take_text(line)
        elif line.startswith("%"):
            self._take_comment(line)
        elif match := _FIELD.match(line):
            self._take_field(match.group(1), match.group(2))
        elif line.strip():
            voice = _VOICE.match(line)
            self._voice = voice.group(1) if voice else self._voice
            self._under = False

    def _take_text(self, line: str) -> None:
        if line.startswith(("%%begintext", "%%endtext")):
            self._in_text = line.startswith("%%begintext")
            self.tune.printed.append("")
            return
        text = line[2:].replace("\\t", " ").strip()
        if _NUMBER.match(text) or (self.tune.printed and self.tune.printed[-1]):
            self.tune.printed.append(text)

    def _take_comment(self, line: str) -> None:
        name, _, value = line[1:].partition(" ")
        if name == "OHAUTHOR" and value.strip().lower() not in {"unknown", "none", ""}:
            self.tune.author = _first_name_first(value.partition(";")[0])
        elif name == "OHMETRICAL" and re.fullmatch(r"[\d\s]+", value) and len(value) < 200:
            self.tune.metre = tuple(int(number) for number in value.split() if 0 < int(number) < 40)

    def _take_field(self, name: str, value: str) -> None:
        tune = self.tune
        if name == "T":
            tune.title = tune.title or value.strip()
        elif name == "C" and value.lower().startswith("copyright"):
            tune.licence = value.partition(":")[2].strip()
        elif name == "C" and not tune.credit and _WORDS_BY.search(value):
            tune.credit = value
        elif name == "V":
            self._voice = (value.split() or [""])[0]
        elif name == "W":
            tune.printed.append(value.strip())
        elif name == "w":
            systems = tune.systems[self._voice]
            if not self._under:
                systems.append([])
            self._under = True
            self._continues = len(systems[-1]) < MAX_VERSES
            if self._continues:
                systems[-1].append(value)
        elif name == "+" and self._under and self._continues:
            tune.systems[self._voice][-1][-1] += " " + value


def _first_name_first(name: str) -> str:
    """`Ann Lee` for `Lee, Ann (1801-1870)`."""
    plain = re.sub(r"\s*\([^)]*\)", "", name).strip()
    last, comma, first = plain.partition(", ")
    return f"{first} {last}" if comma else plain


def _typed(text: str) -> str:
    """Text with the accents that ABC writes with a backslash before mark and letter."""
    return _ACCENT.sub(lambda match: unicodedata.normalize("NFC", match.group(2) + _ACCENTS[match.group(1)]), text)


def sung_words(lines: Sequence[str]) -> list[Word]:
    """The words of one verse from its `w:` lines; a word may be cut by the end of a line."""
    words: list[list[str]] = []
    open_word = False
    for line in lines:
        text = _NUMBER.sub("", _typed(line).replace("\\-", _HYPHEN))
        for piece in _PIECE.findall(text):
            if piece == "-":
                open_word = bool(words)
                continue
            syllable = " ".join(piece.replace("~", " ").replace(_HYPHEN, "-").split())
            if open_word:
                words[-1].append(syllable)
            elif syllable:
                words.append([syllable])
            open_word = False
    return [_without_loose_hyphen(word) for word in words if any(char.isalnum() for char in "".join(word))]


def _without_loose_hyphen(word: list[str]) -> list[str]:
    return [*word[:-1], word[-1].rstrip("-")]


def _lines(words: Sequence[Word], metre: Sequence[int]) -> list[str]:
    return (words_in_metre(words, metre) if metre else None) or words_in_lines(words)


def _under_notes(systems: Sequence[list[str]], metre: Sequence[int]) -> tuple[list[list[str]], list[str]]:
    """The verses under the notes in lines, and the refrain, which is what all verses share at the end."""
    count = max((len(verses) for verses in systems), default=0)
    end = len(systems)
    while count > 1 and end and len(systems[end - 1]) == 1:
        end -= 1
    refrain = [system[0] for system in systems[end:]]
    bodies = [
        [system[verse if len(system) > 1 else 0] for system in systems[:end] if len(system) == 1 or verse < len(system)]
        for verse in range(count)
    ]
    verses = [_lines(sung_words(body), metre) for body in bodies]
    taken = len(verses[0]) if verses else 0
    return verses, _lines(sung_words(refrain), metre[taken:]) if refrain else []


def _printed_verses(lines: Sequence[str]) -> list[list[str]]:
    """Verses that stand below the tune as text; a number or a blank line starts another."""
    verses: list[list[str]] = [[]]
    for line in lines:
        if not line or _NUMBER.match(line):
            verses.append([])
        text = _NUMBER.sub("", _typed(line)).replace("~", " ").strip()
        if text:
            verses[-1].append(text)
    return [verse for verse in verses if verse]


def _lyrics(tune: _Tune) -> str:
    sung = max(
        tune.systems.values(), key=lambda systems: sum(len(line) for verses in systems for line in verses), default=[]
    )
    under, refrain = _under_notes(sung, tune.metre)
    blocks = []
    for verse in [*under, *_printed_verses(tune.printed)][:MAX_VERSES]:
        blocks.append("\n".join(["[verse]", *verse]))
        if refrain:
            blocks.append("\n".join(["[chorus]", *refrain]))
    return "\n\n".join(blocks)


def _song(tune: _Tune) -> ParsedSong | Refusal:
    lyrics = "" if tune.too_long else _lyrics(tune)
    if tune.too_long or len(lyrics) > MAX_RECORD_CHARACTERS:
        limits = f"{MAX_TUNE_LINES:,} lines or {MAX_RECORD_CHARACTERS:,} characters"
        return Refusal(RejectCode.TOO_LARGE, f"has more than {limits}, its verses written out")
    if not lyrics:
        return Refusal(RejectCode.NO_LYRICS, "has no words: no w: and no W: line")
    if not is_readable(lyrics + tune.title):
        return Refusal(RejectCode.BAD_TEXT, "has NUL bytes")
    credit = _WORDS_BY.search(tune.credit)
    year = _YEAR.search(credit.group(2)) if credit else None
    return ParsedSong(
        title=one_line(_typed(tune.title)),
        artist=one_line(_typed(tune.author or (credit.group(1) if credit else ""))),
        year=int(year.group()) if year else 0,
        genres=(),
        licence=one_line(tune.licence),
        language="",
        lyrics=lyrics,
        track=None,
    )


def _text(line: str) -> str:
    """A line of an ABC file: where it is no UTF-8 it is Windows-1252. A NUL stays the mark that it is refused by."""
    try:
        return line.encode("utf-8", "surrogateescape").decode("utf-8")
    except UnicodeDecodeError:
        return line.encode("utf-8", "surrogateescape").decode("cp1252", "replace")
    except UnicodeEncodeError:
        return line


def read_abc(path: Path, name: str) -> Iterator[Record]:
    """Each tune of a file as a song or a refusal. What stands before the first `X:` belongs to the first tune.

    Raises:
        UnreadableFileError: `bad_abc`, if no line starts a tune; `too_large`, if a line is endless.
        OSError: the file cannot be read.
    """
    number, reader = 0, _Reader()
    with open_records(path, name) as stream:
        lines = RecordLines(stream)
        while True:
            lines.begin()
            try:
                line = _text(next(lines)).rstrip("\r\n")
            except StopIteration:
                break
            except LongRecord:
                raise UnreadableFileError(name, "too_large", "has a line that is too long for a tune.") from None
            if line.startswith("X:"):
                if number:
                    yield number, _song(reader.tune)
                    reader = _Reader()
                number += 1
            reader.take(line)
    if not number:
        raise UnreadableFileError(name, "bad_abc", "holds no tune.", "A tune starts with a line X: and its number.")
    yield number, _song(reader.tune)
