"""The lines of a section as they are written: bars at once, and which of them repeat another's tune."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from rhapsody_lib.backing.sampling import Bar
from rhapsody_lib.backing.vocabulary import Vocabulary
from rhapsody_lib.music.plan import PlannedSection, SongPlan
from rhapsody_lib.music.score import PARTS

#: Bars without words are written so many at a time.
INSTRUMENTAL_BARS = 4
#: A line may repeat the music of another whose syllables differ by no more.
LIKE_SYLLABLES = 3


@dataclass(frozen=True)
class Line:
    """Bars of a section written at once; `repeats` is the number of the one whose music returns, or -1."""

    bar: int
    bars: int
    syllables: int
    repeats: int = -1


def lines_of(plan: SongPlan, section: PlannedSection) -> list[Line]:
    """The lines of a section, or the stretches of one without words, in order."""
    if not section.syllables:
        starts = range(0, section.bars, INSTRUMENTAL_BARS)
        return [Line(bar, min(INSTRUMENTAL_BARS, section.bars - bar), 0) for bar in starts]
    wanted, bars = plan.shared_syllables(section.label), section.bars_per_line
    lines: list[Line] = []
    for number, syllables in enumerate(wanted):
        model = number - 4 if number >= 4 else number - 2
        inner = number >= 2 and number + 1 < len(wanted) and (number % 4 == 2 or number >= 4)
        like = inner and abs(wanted[model] - syllables) <= LIKE_SYLLABLES
        origin = lines[model].repeats if like and lines[model].repeats >= 0 else model
        lines.append(Line(number * bars, bars, syllables, origin if like else -1))
    return lines


def music_label(plan: SongPlan, number: int) -> str:
    """What sections that share their music are known by: their label, but the last one closes the song."""
    label = plan.sections[number].label
    return f"{label} (last)" if number + 1 == len(plan.sections) else label


def tune_of(vocabulary: Vocabulary, bar: Bar, parts: Collection[str] = PARTS[:1]) -> tuple[tuple[int, Bar], ...]:
    """The chords and the melody, or some parts, of a bar: the tokens of each step that has any."""
    found: list[tuple[int, list[int]]] = []
    is_given = False
    for token in bar:
        family = vocabulary.family_of[token]
        if family == "position":
            found.append((token - vocabulary.starts["position"], []))
        if family in PARTS:
            is_given = family in parts
        if family in {"chord", "over"} or (is_given and family in {*PARTS, "velocity", "duration"}):
            found[-1][1].append(token)
    return tuple((step, tuple(tokens)) for step, tokens in found if tokens)
