"""Lines for verse that has lost its line breaks: the rules of `phrases`, without a melody."""

from __future__ import annotations

from collections.abc import Sequence

from rhapsody_lib.corpus.phrases import Grid, lines_of, with_lines
from rhapsody_lib.music.score import Syllable

#: Barlines so far apart that none is near a word.
_NO_BARS = Grid(1 << 60)
#: A line of more words than this was not meant as one.
MAX_LINE_WORDS = 24
#: Words put into lines at once, which bounds the work on a text that is a book.
_PIECE_WORDS = 2000

#: A word as its syllables; joined they are the word.
Word = Sequence[str]


def in_lines(text: str) -> list[str]:
    """The words of a text in lines of about eight syllables that end where its punctuation and capitals allow."""
    from rhapsody_lib.words.syllables import syllables

    return words_in_lines([[syllable.text for syllable in syllables(word)] for word in text.split()])


def without_long_lines(text: str) -> str:
    """The text with its lines, those of more than `MAX_LINE_WORDS` words put into lines."""
    lines = text.splitlines()
    return "\n".join(
        line for long in lines for line in (in_lines(long) if len(long.split()) > MAX_LINE_WORDS else [long])
    )


def words_in_lines(words: Sequence[Word]) -> list[str]:
    """Words in lines of about eight syllables that end where their punctuation and capitals allow."""
    lines: list[str] = []
    for start in range(0, len(words), _PIECE_WORDS):
        piece = words[start : start + _PIECE_WORDS]
        flat = [(text, index + 1 == len(word)) for word in piece for index, text in enumerate(word)]
        syllables = [Syllable(place, text, ends, 0) for place, (text, ends) in enumerate(flat)]
        lines += [text for text, _ in lines_of(with_lines(syllables, (), _NO_BARS))]
    return lines


def words_in_metre(words: Sequence[Word], metre: Sequence[int]) -> list[str] | None:
    """Words in lines of as many syllables as a hymn's metre (8 6 8 6) states; None if they do not fit it.

    A metre is sung as often as the words fill it, and may end early: a refrain takes its last lines.
    """
    lines: list[str] = []
    line: list[str] = []
    sung = 0
    for word in words:
        line.append("".join(word))
        sung += len(word)
        wanted = metre[len(lines) % len(metre)]
        if sung > wanted:
            return None
        if sung == wanted:
            lines.append(" ".join(line))
            line, sung = [], 0
    return None if line else lines
