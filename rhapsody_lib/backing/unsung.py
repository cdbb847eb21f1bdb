"""What of a song is not sung, as its primer has it: its intro, its instrumental break, its ending."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import numpy as np

from rhapsody_lib.music.plan import UNSUNG, Unsung
from rhapsody_lib.music.score import Score

#: Bars of intros and breaks that are written; of a primer's the nearest, of two as near the longer.
_LENGTHS = (4, 8)
#: Fewer bars without melody are a breath, no break.
LEAST_BREAK = 3
_LONG_ENDING = 4


def _nearest(bars: int) -> int:
    return min(_LENGTHS, key=lambda length: (abs(length - bars), -length))


def longest_break(has_melody: Sequence[bool]) -> tuple[int, int]:
    """(first, end) of the longest run of bars without melody between bars that have one; (0, 0) where there is none.

    Args:
        has_melody: of each bar whether it has a note of the melody.
    """
    runs, bar = list[tuple[int, int]](), 0
    for sings, group in groupby(has_melody):
        length = sum(1 for _ in group)
        if not sings and bar and bar + length < len(has_melody):
            runs.append((bar, bar + length))
        bar += length
    found = max(runs, key=lambda run: run[1] - run[0], default=(0, 0))
    return found if found[1] - found[0] >= LEAST_BREAK else (0, 0)


def unsung_of(score: Score, half_step: int) -> Unsung:
    """Bars without melody of a song that goes on as a score does.

    Intro and break have four or eight bars, whichever is nearer; an ending that has four or more has four, else two. A
    score that begins with its melody, or has none, says nothing of how a song should begin.

    Args:
        score: in one metre.
        half_step: notes so many ticks before a bar are its own.
    """
    length, notes = score.metres[0].bar_ticks, score.parts["melody"]
    if not notes:
        return UNSUNG
    bars = -(-score.end_ticks // length)
    struck = np.zeros(bars, dtype=bool)
    struck[[min((note.start_ticks + half_step) // length, bars - 1) for note in notes]] = True
    first, last = int(struck.argmax()), bars - int(struck[::-1].argmax())
    begin, end = longest_break(struck.tolist())
    return Unsung(
        _nearest(first) if first else UNSUNG.intro_bars,
        _nearest(end - begin) if end else 0,
        _LONG_ENDING if bars - last >= _LONG_ENDING else UNSUNG.ending_bars,
    )
