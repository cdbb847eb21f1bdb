"""A lyric line as the syllables that are sung. Knows nothing of music."""

from __future__ import annotations

from dataclasses import dataclass

from rhapsody_lib.words.document import Lyrics
from rhapsody_lib.words.languages import ENGLISH, latin_language
from rhapsody_lib.words.syllables import line_words, syllables

#: CMUdict's stress marks (0 none, 1 main, 2 secondary) as a rising scale.
_STRENGTH = {0: 0, 1: 2, 2: 1}


@dataclass(frozen=True, slots=True)
class SungSyllable:
    """A syllable to be sung. `stress` is 2 for a stressed one, 1 for a weakly stressed, 0 for an unstressed."""

    text: str
    stress: int
    ends_word: bool


def sung_language(lyrics: Lyrics) -> str:
    """The language that the Latin words of a song are sung in."""
    return latin_language(word for line in lyrics.lines for word in line.split())


def sung_syllables(line: str, language: str = ENGLISH) -> tuple[SungSyllable, ...]:
    """The syllables of a line, at least one unless the line is blank.

    Joined, with a space after each that ends a word, they are the line with its runs of white space made single spaces.
    """
    sung: list[SungSyllable] = []
    words = line_words(line)
    for word in words if len(words) > 1 else [" ".join(line.split())] * len(words):
        pieces = syllables(word, language)
        last = len(pieces) - 1
        sung += [SungSyllable(piece.text, _STRENGTH[piece.stress], i == last) for i, piece in enumerate(pieces)]
    return tuple(sung)
