"""What of a song is not sung, as its primer has it: its intro, its instrumental break, its ending."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from rhapsody_lib.music.plan import Unsung
from rhapsody_lib.music.score import TICKS_PER_BEAT, Note, Score

#: Parts whose playing makes bars without melody a break, and no silence.
PLAYING = ("piano", "guitar", "bass", "strings")
#: Bars of intros and breaks that are written: of a primer's the nearest, of two as near the longer. Of endings.
_LENGTHS, _LONG_ENDING, _ENDING = (4, 8), 4, 2
#: Fewer bars without melody are a breath, no break.
_LEAST_BREAK = 3
#: A bar of fewer quarter notes is half of one: two, four and eight of 4/4 are as many pairs of bars of 2/4 or 3/8.
_WHOLE_BAR_BEATS = 2.5


def bars_in_phrase(bar_ticks: int) -> int:
    """How many bars count as one: two of a short metre."""
    return 1 if bar_ticks > _WHOLE_BAR_BEATS * TICKS_PER_BEAT else 2


def longest_break(sung: Sequence[bool], played: Sequence[bool], bar_ticks: int) -> tuple[int, int]:
    """(first, end) of the longest break; (0, 0) where there is none.

    A break is a run of bars without melody between bars that have one, in most of which others play.

    Args:
        sung: of each bar whether it has a note of the melody.
        played: whether it has one of `PLAYING`.
        bar_ticks: length of a bar.
    """
    runs, bar = list[tuple[int, int]](), 0
    for sings, group in groupby(sung):
        end = bar + sum(1 for _ in group)
        long = end - bar >= _LEAST_BREAK * bars_in_phrase(bar_ticks)
        if not sings and long and bar and end < len(sung) and _mostly(played[bar:end]):
            runs.append((bar, end))
        bar = end
    return max(runs, key=lambda run: run[1] - run[0], default=(0, 0))


def _mostly(flags: Collection[bool]) -> bool:
    return 2 * sum(flags) > len(flags)


def _struck(notes: Sequence[Note], bars: int, bar_ticks: int, half_step: int) -> NDArray[np.bool_]:
    """Of each bar whether one of some notes starts in it."""
    found = np.zeros(bars, dtype=bool)
    found[[min((note.start_ticks + half_step) // bar_ticks, bars - 1) for note in notes]] = True
    return found


def unsung_of(score: Score, half_step: int) -> Unsung:
    """Bars without melody of a song that goes on as a score does.

    Intro and break have four or eight bars, whichever is nearer, an ending two or four, of short bars (2/4, 3/8) twice
    as many. A score that begins with its melody, or has none, says nothing of how a song should begin; nor do bars in
    most of which nobody plays.

    Args:
        score: in one metre.
        half_step: notes so many ticks before a bar are its own.
    """
    length = score.metres[0].bar_ticks
    unit = bars_in_phrase(length)
    plain = Unsung(_LENGTHS[0] * unit, 0, _ENDING * unit)
    if not score.parts["melody"]:
        return plain
    bars = -(-score.end_ticks // length)
    sung = _struck(score.parts["melody"], bars, length, half_step)
    played = _struck([note for part in PLAYING for note in score.parts[part]], bars, length, half_step).tolist()
    first, last = int(sung.argmax()), bars - int(sung[::-1].argmax())
    begin, end = longest_break(sung.tolist(), played, length)

    def nearest(found: int) -> int:
        return min((whole * unit for whole in _LENGTHS), key=lambda whole: (abs(whole - found), -whole))

    ends_long = bars - last >= _LONG_ENDING * unit and _mostly(played[last:])
    return Unsung(
        nearest(first) if _mostly(played[:first]) else plain.intro_bars,
        nearest(end - begin) if end else 0,
        _LONG_ENDING * unit if ends_long else plain.ending_bars,
    )
