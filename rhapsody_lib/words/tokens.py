"""Lines of words as tokens and back: what the lyrics model reads and writes.

A token is a lower-cased word of any script with its apostrophes (`don't`, `rockin'`, `'til`), a number (`1,000`), or
a run of symbols (an emoji, `&`). Punctuation is dropped, hyphens part words: a singer hears neither. Writing without
spaces (Chinese, Japanese, Thai) gives one token a run.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

#: More combining marks than this on one letter are dropped (Unicode Annex 15, Stream-Safe Text Format): the time to
#: normalise a long run of them grows with its square.
MAX_MARKS = 30
_LINE_BREAKS = re.compile("\r\n|[\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
APOSTROPHES = "'’‘‛ʼʻ′`´＇"
_STRAIGHT = str.maketrans(dict.fromkeys(APOSTROPHES, "'"))
_JOINERS = "\u200c\u200d"
_PUNCTUATION_SUNG = "&%@#"
_SYMBOLS_DROPPED = "<>|~^¨¯¸`´"
#: Blocks of scripts written without spaces: Thai to Tibetan, Myanmar, Khmer, kana and Han.
_SPACELESS = (
    (0x0E00, 0x0FFF), (0x1000, 0x109F), (0x1780, 0x17FF), (0x3005, 0x312F), (0x31A0, 0x9FFF), (0xF900, 0xFAFF),
    (0xFF66, 0xFF9F), (0x1B000, 0x1B16F), (0x20000, 0x3FFFF),
)  # fmt: skip


def _word_set(text: str) -> frozenset[str]:
    return frozenset(text.split())


#: Words that begin, or end, with an apostrophe of their own; every other one there is taken for a quotation mark.
_ELIDED_FRONT = _word_set("""
    'bout 'cause 'course 'cross 'cuz 'coz 'd 'em 'fore 'gain 'gainst 'kay 'll 'm 'mid 'mong 'n 'neath 'nother 'nuff
    'pon 're 'round 's 'scuse 'til 'till 'tis 'twas 'tween 'twere 'twill 'twixt 'twould 've 'yond
""")
_ELIDED_BACK = _word_set("an' gi' ha' lil' lo' mo' o' ol' po' sho' th' thro' tho' wi' yo'")
#: Words in -in that are no sung participles (`walkin'`): the apostrophe after these ends a quotation, as in `come
#: again'`.
_PLAIN_IN = _word_set("""
    again begin cabin captain certain chain chin coffin coin cousin curtain dolphin drain explain fountain gain grain
    grin jasmine join latin main margin mountain muffin napkin origin pain penguin plain pumpkin rain raisin remain
    robin rosin ruin satin skin spin stain strain thin train twin vain violin virgin within
""")
_ALWAYS_CAPITAL = _word_set("""
    i monday tuesday wednesday thursday friday saturday sunday january february april june july september october
    november december christmas easter jesus
""")


def character_class(character: str) -> str:
    """`w` part of a word, `c` writing without spaces, `s` symbol, `m` mark, `j` joiner, `'`, or ` ` for all else."""
    if character in APOSTROPHES:
        return "'"
    if character in _JOINERS:
        return "j"
    code, category = ord(character), unicodedata.category(character)
    if category[0] == "M" or 0xE0020 <= code <= 0xE007F:  # the latter spell the flags of regions
        return "m"
    if category[0] in "LN":
        return "c" if any(first <= code <= last for first, last in _SPACELESS) else "w"
    # Emoji younger than this Python's Unicode tables have no category yet.
    symbol = category[0] == "S" or 0x1F000 <= code <= 0x1FBFF
    if (symbol and character not in _SYMBOLS_DROPPED) or character in _PUNCTUATION_SUNG:
        return "s"
    return " "


class _ClassTable(dict[int, str]):
    """Filled as characters are met: for `str.translate`, which gives a string of classes of the same length."""

    def __missing__(self, code: int) -> str:
        self[code] = character_class(chr(code))
        return self[code]


_CLASSES = _ClassTable()
_TOKEN = re.compile(r"'?w[wmj]*(?:'+w[wmj]*)*'?|c[cmj]*|s[smj]*")
_ASCII_TOKEN = re.compile(r"\d+(?:[.,:]\d+)+|'?[A-Za-z0-9]+(?:'+[A-Za-z0-9]+)*'?|[&%@#$+=]+")
_NUMBER = re.compile(r"\d+(?:[.,:]\d+)+")


def clean_text(text: str) -> str:
    """NFC text without control, bidirectional and other invisible characters; line breaks are newlines, tabs stay.

    Never raises: lone surrogates and noncharacters are dropped, so that the result can be written as UTF-8 and XML.
    """
    if text.isascii() and text.isprintable():
        return text
    kept, marks = [], 0
    for character in _LINE_BREAKS.sub("\n", text):
        category = unicodedata.category(character)
        marks = marks + 1 if category[0] == "M" else 0
        invisible = category == "Cc" and character not in "\n\t"
        invisible |= category == "Cf" and character not in _JOINERS and not 0xE0020 <= ord(character) <= 0xE007F
        noncharacter = ord(character) & 0xFFFE == 0xFFFE or 0xFDD0 <= ord(character) <= 0xFDEF
        if not (invisible or noncharacter or category == "Cs" or marks > MAX_MARKS):
            kept.append(character)
    return unicodedata.normalize("NFC", "".join(kept))


def _trim_quotes(word: str, quote_open: bool) -> tuple[str, bool]:
    """The word without quotation marks, and whether a single quotation is open after it."""
    if word.startswith("'") and not (word in _ELIDED_FRONT or word.rstrip("'") in _ELIDED_FRONT):
        word, quote_open = word[1:], True
    if word.endswith("'") and word != "'n'":
        dropped_g = word.endswith("in'") and len(word) > 4 and word[:-1] not in _PLAIN_IN
        if not (dropped_g or word in _ELIDED_BACK) or (quote_open and not dropped_g):
            word, quote_open = word[:-1], False
    return word, quote_open


def _spans(line: str) -> list[str]:
    if line.isascii():
        return _ASCII_TOKEN.findall(line)
    classes = line.translate(_CLASSES)
    found = [(match.start(), match.end()) for match in _TOKEN.finditer(classes)]
    numbers = {match.start(): match.end() for match in _NUMBER.finditer(line)}
    spans, position = [], 0
    for start, end in found:
        if start >= position:
            position = max(end, numbers.get(start, end))
            spans.append(line[start:position])
    return spans


def tokenize_line(line: str) -> list[str]:
    """Tokens of one line; empty for a line of punctuation alone. Cleans the line first."""
    tokens, quote_open = [], False
    for span in _spans(clean_text(line).translate(_STRAIGHT)):
        token = span.lower()
        if not token.isascii():
            token = unicodedata.normalize("NFC", token)
        if "'" in token:
            token, quote_open = _trim_quotes(token, quote_open)
        tokens.append(token)
    return tokens


def _capitalized(token: str) -> str:
    first = token[:1].title()
    # What would not come back in lower case (the long s, a final sigma) stays as it is.
    return first + token[1:] if len(first) == 1 and first.lower() == token[:1] else token


def detokenize(tokens: Iterable[str]) -> str:
    """A line to read: spaces between tokens, a capital first letter and capitals for `I` (`I'm`), days and months."""
    words = [_capitalized(token) if token.split("'")[0] in _ALWAYS_CAPITAL else token for token in tokens]
    if words:
        words[0] = "'" + _capitalized(words[0][1:]) if words[0].startswith("'") else _capitalized(words[0])
    return " ".join(words)
