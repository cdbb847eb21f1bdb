"""Lines and stanzas for words that come with a melody but without line breaks.

A line ends where the singer breathes. Each word end is scored by the rest after it, the length of its last note, its
punctuation, a capital letter after it, and whether the next word starts (with its pickup) a group of two or four bars;
ending on a word such as `the` is punished. The best lines are those of greatest total score less the squared distance
of their syllable counts from `TARGET_SYLLABLES`, found by dynamic programming.
"""

from __future__ import annotations

import bisect
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby, pairwise
from statistics import median

from rhapsody_lib.music.score import TICKS_PER_BEAT, Note, Section, Syllable
from rhapsody_lib.words.document import Lyrics, LyricSection

TARGET_SYLLABLES = 8
MAX_SYLLABLES = 16
_SPREAD = 4.0
_CLINGING = frozenset(
    """
    a an the of and or but to in on at by for from with my your his her our their its is are was were be i if as
    that than so when while who whose no not this these those
    """.split()  # noqa: SIM905
)
_OPENING = _CLINGING | frozenset(
    """
    you he she we they it there this these those oh then now here how what where why who come go let o'er me us one
    all just some every each don't i'm you're it's we'll i'll there's that's till like down up out still once
    """.split()  # noqa: SIM905
)
_LONG, _BRACKET = ".!?;:…", "\"'”’)]"


@dataclass(frozen=True)
class Grid:
    """Where bars lie: the first barline and the length of a bar, in ticks."""

    bar_ticks: int
    origin_ticks: int = 0


def _last_words(syllables: Sequence[Syllable]) -> list[str]:
    """The word that each syllable ends, '' inside words."""
    words, current = [], ""
    for syllable in syllables:
        current += syllable.text
        words.append(current if syllable.ends_word else "")
        current = "" if syllable.ends_word else current
    return words


def _boundary_scores(syllables: Sequence[Syllable], notes: Sequence[Note], grid: Grid) -> list[float | None]:
    """How well a line ends after each syllable but the last; None inside words."""
    starts = [note.start_ticks for note in notes]
    spans = [max(1, b.start_ticks - a.start_ticks) for a, b in pairwise(syllables)]
    typical = median(spans) if spans else 1
    words = _last_words(syllables)
    capitals = sum(s.text[:1].isupper() for s in syllables) / max(1, len(syllables))
    scores: list[float | None] = []
    for index, (syllable, following) in enumerate(pairwise(syllables)):
        if not syllable.ends_word:
            scores.append(None)
            continue
        last = bisect.bisect_left(starts, following.start_ticks) - 1
        end = min(notes[last].end_ticks, following.start_ticks) if last >= 0 else syllable.start_ticks
        rest_beats = max(0, following.start_ticks - max(end, syllable.start_ticks)) / TICKS_PER_BEAT
        score = 1.5 * min(2.0, rest_beats) + min(3.0, max(0.0, spans[index] / typical - 1.2))
        word = words[index].rstrip(_BRACKET)
        score += 2.2 if word.endswith(tuple(_LONG)) else 1.3 if word.endswith((",", "-", "—", "–")) else 0.0
        if capitals < 0.35 and following.text[:1].isupper() and not re.match(r"I\b|I'|O\b", following.text):
            # A capital says most on a word that has none inside a line; a name has one everywhere.
            score += 2.0 if following.text.lower().strip(_BRACKET + ",") in _OPENING else 0.4
        until = (grid.origin_ticks - following.start_ticks) % (2 * grid.bar_ticks)
        if until <= grid.bar_ticks // 2:
            whole = (grid.origin_ticks - following.start_ticks) % (4 * grid.bar_ticks)
            score += 1.2 if whole <= grid.bar_ticks // 2 else 0.7
        if word.lower() in _CLINGING:
            score -= 1.5
        scores.append(score)
    return scores


def _best_breaks(scores: Sequence[float | None], count: int) -> list[int]:
    """Indices of the first syllable of each line."""
    best = [0.0] + [float("-inf")] * count
    origin = [0] * (count + 1)
    for end in range(1, count + 1):
        gain = scores[end - 1] if end < count else 0.0
        if gain is None:
            continue
        for start in range(max(0, end - 4 * MAX_SYLLABLES), end):
            length = end - start
            cost = ((length - TARGET_SYLLABLES) / _SPREAD) ** 2 + (3.0 * max(0, length - MAX_SYLLABLES))
            value = best[start] + gain - cost
            if value > best[end]:
                best[end], origin[end] = value, start
    if best[count] == float("-inf"):  # one word longer than any line
        return [0]
    starts, position = [], count
    while position > 0:
        position = origin[position]
        starts.append(position)
    return starts[::-1]


def with_lines(syllables: Sequence[Syllable], notes: Sequence[Note], grid: Grid) -> tuple[Syllable, ...]:
    """The same syllables with `line` set by the melody's phrases. `notes` are the melody, sorted by start."""
    if not syllables:
        return ()
    starts = set(_best_breaks(_boundary_scores(syllables, notes, grid), len(syllables)))
    line, result = -1, []
    for index, syllable in enumerate(syllables):
        line += index in starts
        result.append(replace(syllable, line=line))
    return tuple(result)


def lines_of(syllables: Sequence[Syllable]) -> list[tuple[str, int]]:
    """(text, tick of the middle syllable) of each line, in order."""
    lines = []
    for _, group in groupby(syllables, key=lambda syllable: syllable.line):
        members = list(group)
        text = "".join(member.text + (" " if member.ends_word else "") for member in members)
        lines.append((" ".join(text.split()), members[len(members) // 2].start_ticks))
    return [(text, ticks) for text, ticks in lines if text]


def lyrics_in_sections(title: str, syllables: Sequence[Syllable], sections: Sequence[Section]) -> Lyrics:
    """Lyrics whose stanzas are the sections that their lines (by the middle syllable) lie in."""
    starts = [section.start_ticks for section in sections]
    placed = [(bisect.bisect_right(starts, ticks) - 1, text) for text, ticks in lines_of(syllables)]
    stanzas = []
    for index, group in groupby(placed, key=lambda item: item[0]):
        name = sections[index].name if 0 <= index < len(sections) else "verse"
        stanzas.append(LyricSection(name, tuple(text for _, text in group)))
    return Lyrics(title, tuple(stanzas))
