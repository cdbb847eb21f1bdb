"""Lyrics as strangers write them, made into the text form of `rhapsody_lib.words.document`.

Removed: markup, control characters, addresses, credits, advertisements, chord lines, stage directions. Written out:
`(x2)` after a line, a heading or `Repeat chorus` that refers to a section already written. Kept: every word that is
sung, its case and punctuation, section headings and stanzas.
"""

from __future__ import annotations

import html
import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

from rhapsody_lib.corpus.clean_sections import AGAIN, written_out
from rhapsody_lib.corpus.clean_web import without_traces
from rhapsody_lib.words.document import SECTION_LABELS, parse_lyrics, section_name

MAX_REPEATS = 8
#: A line of more words than this is broken where its punctuation allows.
MAX_LINE_WORDS = 16
_EDGE_LINES = 4
#: A line that refers to a section says little else.
_MOST_REFERENCE_CHARACTERS = 200
#: Marks on one letter that are kept: the Stream-Safe Text Format of Unicode (UAX #15, section 13) has as many. Longer
#: runs take a time that grows with their square.
_MOST_MARKS = 30
#: A reference to a character by a number so long that Python may refuse to read it.
_NO_REFERENCE = re.compile(r"&#[0-9]{20,};?")

_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]{0,10})\b[^<>]{0,300}>")
_ADDRESS = re.compile(r"(?:https?://|www\.)\S+|\b[\w-]{1,40}\.(?:com|net|org|info)\b\S*", re.IGNORECASE)
_CHORD = r"[A-G][#b♯♭]?(?:maj|min|m|M|dim|aug|sus|add|\+|°)?\d{0,2}(?:(?:sus|add|b|#|maj)\d{1,2})?(?:/[A-G][#b]?)?"
_CHORD_TOKEN = re.compile(rf"^(?:{_CHORD}|N\.?C\.?|[|/%-]+)$")
_INLINE_CHORD = re.compile(rf"\[{_CHORD}\]")
_REPEAT = re.compile(
    r"(?:^|\s+|(?=[(\[{]))[(\[{]?\s?(?:x\s?(\d{1,2})|(\d{1,2})\s?x|repeat(?:ed)? (\d{1,2})|bis)\s?[)\]}]?$",
    re.IGNORECASE,
)
_LABEL = rf"(?:{SECTION_LABELS})"
_HEADING = re.compile(rf"^[\[(<*]*\s*({_LABEL}\s*\d*)\s*(?::\s*(\S.*)|[\])>*:.]*)$", re.IGNORECASE)
_BRACKETED_HEADING = re.compile(rf"^\[\s*({_LABEL}\s*\d*)\b[^\]]*\]\s*:?\s*(\S.*)?$", re.IGNORECASE)
_REPEAT_SECTION = re.compile(
    rf"^[\[(*]*\s*(?:repeat|back to)\s+(?:the\s+)?({_LABEL}\s*\d*)\b\W*"
    r"(?:(?:x\s?(\d{1,2})|(\d{1,2})\s?x|(\d{1,2})(?:\s?times)?|(twice))\W*)?$",
    re.IGNORECASE,
)
_PLAYED = (
    "instrumental|solo|guitar|piano|sax|drum|music|break|fade|spoken|repeat|end(?! of the line)|harmonica|applause|"
    r"riff|\d+\s*(?:bars|times)"
)
#: What stands in a direction beside what is played; in round brackets another word is sung by somebody.
_PLAYED_HOW = (
    r"solos?|guitars?|piano|sax(?:ophone)?|drums?|bass|organ|fiddle|violin|strings|horns?|trumpet|keyboards?|synth|"
    r"acoustic|electric|lead|music|plays?|playing|instrumental|interlude|intro|outro|bridge|verses?|chorus|hook|refrain|"
    r"pre-chorus|section|part|lines?|words?|voices?|vocals?|background|break|breakdown|fades?|fading|out|in|end|ending|"
    r"repeats?|repeated|twice|again|times|bars|till?|until|and|to|the|of|by|with|over|above|from|first|last|all|"
    r"ad|libs?|ad-libs?|x\s?\d{1,2}|\d{1,2}\s?x?"
)
_DIRECTION = re.compile(
    rf"^[\[*]+\s*(?:{_PLAYED})\b[^\])]{{0,60}}[\])*]+$|"
    rf"^\(+\s*(?:{_PLAYED})s?(?:[\s.,:;/&+-]{{1,3}}(?:{_PLAYED_HOW})\b){{0,9}}[\s.!]*\)+$|"
    r"^(?:instrumental|(?:guitar|piano|sax|drum) solo|repeat to fade|fade out)$",
    re.IGNORECASE,
)
#: Whom a part is given to, or whose the music is: a name, so that `(Music by the river)` is sung.
_GIVEN_TO = re.compile(r"^\(+\s*(?i:spoken|sung|played|music|solo)\s+(?i:by)\s+[A-Z][^)]{0,60}\)+$")
_ADVERTISEMENT = re.compile(
    r"not for commercial use|lyrics? (?:provided|licensed|powered|courtesy) |^\W*\(?\d{9,}\)?\W*$|"
    r"submit (?:lyrics|corrections)|all rights reserved|^\W*embed\W*$|^\W*you might also like\W*$|"
    r"^\W*thanks to .{1,80} for .{0,40}lyrics?\b|see .{1,40} live\b.{0,40}tickets",
    re.IGNORECASE,
)
_CREDIT = re.compile(
    r"^\W*(?:(?:lyrics?|words|music|text|melody)(?:\s*(?:and|&|/|,)\s*(?:lyrics?|words|music))?\s*(?:by\s*)?:|"
    r"(?:written|composed|produced|arranged|transcribed|submitted|performed|recorded|composer|lyricist|author|artist|"
    r"writers?|writer\(s\)|album|title|song|producer|publisher|copyright|year|key|tempo|capo|tuning)\s*(?:by\s*)?:|"
    r"(?:©|\(c\)\s|copyright\b.*\d{4}))",
    re.IGNORECASE,
)
_CREDIT_BY = re.compile(
    r"^\W*(?i:written|composed|produced|arranged|transcribed|submitted|performed|recorded|(?:words|lyrics|music)"
    r"(?: (?:and|&) (?:words|lyrics|music))?) (?i:by)(?: (?:[A-Z][\w.'’-]*,?|and|&|/|de|van|von)){1,12}$"
)


#: How the lines begin that the pattern can match: a pattern is dearer than a look at one character.
_HEADING_STARTS = frozenset("[(<*IVCBPROHivcbprohİı")
_REPEAT_SECTION_STARTS = frozenset("[(*RBrb")
_CHORD_STARTS = frozenset("ABCDEFGN|/%-")
_REPEAT_ENDS = re.compile(r"(?:[\dx)\]}]|bis)$", re.IGNORECASE)
#: Letters that a pattern without case takes for a plain i, s or k.
_ODD_LETTERS = re.compile("[İıſ\u212a]")
_NINE_DIGITS = re.compile(r"\d{9}")


@dataclass(frozen=True)
class _Suspicions:
    """Which kinds of noise a text can hold at all, by letters that each of them needs: most texts need no search."""

    address: bool
    advertisement: bool
    credit: bool

    @classmethod
    def of(cls, text: str) -> _Suspicions:
        low, odd = text.lower(), _ODD_LETTERS.search(text) is not None

        def holds(*parts: str) -> bool:
            return odd or any(part in low for part in parts)

        return cls(
            address=holds("http", "www.", ".com", ".net", ".org", ".info"),
            advertisement=holds("commercial use", "lyric", "submit ", "rights", "embed", "also like", "tickets")
            or _NINE_DIGITS.search(text) is not None,
            credit=holds(":", "©", "(c)", "copyright", " by "),
        )


@lru_cache(maxsize=10_000)
def _plain(character: str) -> str:
    """The character, a space for one of its kinds, or '' for one that is not seen."""
    if character == "\t" or unicodedata.category(character) == "Zs":
        return " "
    seen = character in "\n\u200d" or unicodedata.category(character) not in {"Cc", "Cf", "Cs", "Co", "Cn"}
    return character if seen else ""


def plain_text(text: str) -> str:
    """NFC text with lines ended by line feeds, without markup, control and invisible characters."""
    text = without_traces(_unescaped(_unescaped(text)).replace("\r\n", "\n").replace("\r", "\n"))
    text = re.sub("[\u2028\u2029\u0085\x0b\x0c]", "\n", text)
    if "<" in text:
        text = _TAG.sub(lambda match: "\n" if match.group(2).lower() in {"br", "p", "div", "li"} else "", text)
    text = text.translate({ord(each): _plain(each) for each in set(text)})
    return unicodedata.normalize("NFC", _with_few_marks(text))


def _unescaped(text: str) -> str:
    return html.unescape(_NO_REFERENCE.sub("", text)) if "&" in text else text


def _with_few_marks(text: str) -> str:
    """The text with at most `_MOST_MARKS` combining marks in a row."""
    marks = "".join(sorted(filter(unicodedata.combining, set(text))))
    return re.sub(f"([{marks}]{{{_MOST_MARKS}}})[{marks}]+", r"\1", text) if marks else text


def _is_chord_line(line: str) -> bool:
    if line[:1] not in _CHORD_STARTS:
        return False
    tokens = line.split()
    if not all(_CHORD_TOKEN.match(token) for token in tokens):
        return False
    return len(tokens) > 1 or len(tokens[0]) > 1 or tokens[0] in "|%"


def _is_noise(line: str, suspicions: _Suspicions, *, at_edge: bool) -> bool:
    if _is_chord_line(line) or _DIRECTION.match(line) or (line[:1] == "(" and _GIVEN_TO.match(line)):
        return True
    if suspicions.advertisement and _ADVERTISEMENT.search(line):
        return True
    if suspicions.credit and (_CREDIT.match(line) or (at_edge and _CREDIT_BY.match(line))):
        return True
    return not any(character.isalnum() or unicodedata.category(character) == "So" for character in line)


def _heading(line: str) -> list[str] | None:
    """`[verse 2]` for `Verse 2:` or `[Verse 2: Ann]`, with the words that follow on its line; None for other lines."""
    if line[:1] not in _HEADING_STARTS:
        return None
    match = _BRACKETED_HEADING.match(line) or _HEADING.match(line)
    if match is None:
        return None
    rest = match.group(2)
    if rest and not _repeats(rest)[0]:  # `[Chorus: all] x2`: as of a heading alone, the mark is not written out
        rest = None
    return [_heading_of(match.group(1)), *([rest] if rest else [])]


def _heading_of(label: str) -> str:
    plain = " ".join(label.lower().split())
    return f"[{section_name(plain) or plain}]"


def _references(line: str) -> list[str]:
    """`AGAIN` and the heading of the section that a line such as `Repeat chorus x2` refers to, as often as it says."""
    short = len(line) <= _MOST_REFERENCE_CHARACTERS and line[:1] in _REPEAT_SECTION_STARTS
    match = _REPEAT_SECTION.match(line) if short else None
    if match is None:
        return []
    label, *digits, twice = match.groups()
    count = 2 if twice else int(next(filter(None, digits), "1"))
    return [AGAIN + _heading_of(label)] * min(max(count, 1), MAX_REPEATS)


def _repeats(line: str) -> tuple[str, int]:
    match = _REPEAT.search(line) if _REPEAT_ENDS.search(line[-3:]) else None
    if match is None:
        return line, 1
    count = int(next((group for group in match.groups() if group), "2"))
    return line[: match.start()].rstrip(" ,-"), min(max(count, 1), MAX_REPEATS)


def broken_line(line: str, max_words: int = MAX_LINE_WORDS) -> list[str]:
    """A line too long to sing, broken after punctuation into pieces of at most `max_words` words where it has any."""
    if len(line.split()) <= max_words:
        return [line]
    pieces: list[str] = []
    for clause in re.split(r"(?<=[.!?;:,])\s+", line):
        if pieces and len(pieces[-1].split()) + len(clause.split()) <= max_words // 2:
            pieces[-1] = f"{pieces[-1]} {clause}"
        else:
            pieces.append(clause)
    return pieces


def _without_marks(line: str, suspicions: _Suspicions) -> str:
    """The line without addresses and chords in brackets, with single spaces."""
    line = _ADDRESS.sub("", line) if suspicions.address else line
    return " ".join((_INLINE_CHORD.sub("", line) if "[" in line else line).split())


def _lines(text: str) -> list[str]:
    """Wanted lines: '' between stanzas, headings as `[name]`."""
    suspicions = _Suspicions.of(text)
    raw = [_without_marks(line, suspicions) for line in text.split("\n")]
    written = [index for index, line in enumerate(raw) if line]
    edge = set(written[:_EDGE_LINES]) | set(written[-_EDGE_LINES:])
    lines: list[str] = []
    for index, line in enumerate(raw):
        again = _references(line)
        heading = _heading(line)
        if again:
            lines += ["", *again, ""]
        elif heading:
            lines += ["", *heading]
        elif line and not _is_noise(line, suspicions, at_edge=index in edge):
            sung, count = _repeats(line)
            lines += (broken_line(sung) if sung.count(" ") >= MAX_LINE_WORDS else [sung]) * count if sung else []
        elif not line and lines and lines[-1]:
            lines.append("")
    return lines


def clean_lyrics(text: str) -> str:
    """The words of a song in the text form of `words.document`; '' if nothing is left. Never raises."""
    lines = written_out(_lines(plain_text(text)))
    return parse_lyrics("\n".join(lines)).text()


def sung_words(lyrics: str) -> list[str]:
    """Case-folded words of lyrics in text form, headings left out."""
    sung = "\n".join(line for line in lyrics.split("\n") if not line.startswith("["))
    return re.findall(r"\w+(?:['’]\w+)*", sung.casefold().replace("’", "'"))
