"""A song cut in two, for known-item search and for tuning: lines that return stand once, so that no chorus leaks."""

from __future__ import annotations

from rhapsody_lib.retrieval.lexical import words_of
from rhapsody_lib.words.document import Lyrics, LyricSection

#: Words that each half of a one-line song must have.
_LEAST_WORDS = 4


def different_sections(lyrics: Lyrics) -> list[LyricSection]:
    """The sections with each different line once, where it stands first; lines are the same when their words are."""
    seen: set[tuple[str, ...]] = set()
    sections = []
    for section in lyrics.sections:
        lines = []
        for line in section.lines:
            words = tuple(words_of(line))
            if words and words not in seen:
                seen.add(words)
                lines.append(line)
        if lines:
            sections.append(LyricSection(section.name, tuple(lines)))
    return sections


def song_halves(lyrics: Lyrics) -> tuple[Lyrics, Lyrics] | None:
    """First and second half of the different lines; none if there is too little to cut.

    Lines count as the same when their words are. A song of a single line is cut between words; a phrase that returns
    inside such a line is not found, and stands in both halves.
    """
    sections = different_sections(lyrics)
    total = sum(len(section.lines) for section in sections)
    if total < 2:
        words = sections[0].lines[0].split() if sections else []
        middle = len(words) // 2
        if middle < _LEAST_WORDS:
            return None
        parts = " ".join(words[:middle]), " ".join(words[middle:])
        first, second = (Lyrics(lyrics.title, (LyricSection(sections[0].name, (part,)),)) for part in parts)
        return first, second
    halves: tuple[list[LyricSection], list[LyricSection]] = ([], [])
    left = total // 2
    for section in sections:
        for half, lines in zip(halves, (section.lines[:left], section.lines[left:]), strict=True):
            if lines:
                half.append(LyricSection(section.name, lines))
        left = max(0, left - len(section.lines))
    return Lyrics(lyrics.title, tuple(halves[0])), Lyrics(lyrics.title, tuple(halves[1]))
