"""Metres that tokens can say, for a score in any metre.

A rare metre becomes one of `METRES` with bars of the same length (8/8 is 4/4), else one of which its bar holds several
(4/2 is 2/2 twice, 9/4 is 3/4 three times), else one of which several fill it up (1/4 bars are counted in fours). Where
a change of metre cuts a bar short, the piece that is left is a bar of its own (of 4/4 before a change on its third
beat, 2/4), or is added to the bar before (4/4 and 1/4 are 5/4). So bar lines stay where the music has them.
"""

from __future__ import annotations

from functools import lru_cache

from rhapsody_lib.backing.vocabulary import METRES, STEP_TICKS, STEPS_PER_BEAT, bar_steps
from rhapsody_lib.errors import InputError
from rhapsody_lib.music.score import Metre, Score

Signature = tuple[int, int]


def _of_length(steps: int, denominator: int) -> Signature | None:
    """The metre of a bar's length whose beats are most alike."""
    fitting = [metre for metre in METRES if bar_steps(metre) == steps]
    return min(fitting, key=lambda metre: abs(metre[1] - denominator), default=None)


@lru_cache(maxsize=256)
def known_metre(metre: Signature) -> Signature | None:
    """The metre that stands for another, itself if it is known, None if there is none."""
    if metre in METRES:
        return metre
    steps, rest = divmod(metre[0] * 4 * STEPS_PER_BEAT, metre[1])
    if rest or not steps:
        return None
    lengths = [steps // pieces for pieces in (1, 2, 3, 4, 5) if steps % pieces == 0]
    lengths += [steps * times for times in (4, 3, 2)] if steps <= STEPS_PER_BEAT else []
    fitting = [known for length in lengths if (known := _of_length(length, metre[1]))]
    return min(fitting, key=lambda known: known[1] != metre[1], default=None)


def _signature(metre: Metre) -> Signature:
    return metre.numerator, metre.denominator


def _add(metres: list[Metre], start_ticks: int, signature: Signature) -> None:
    while metres and metres[-1].start_ticks >= start_ticks:
        metres.pop()
    if not metres or _signature(metres[-1]) != signature:
        metres.append(Metre(start_ticks, *signature))


def _close(metres: list[Metre], change_ticks: int) -> int:
    """Make the tick of a change a bar line, or find the next one; where the new metre begins."""
    last = metres[-1]
    bars, left = divmod(change_ticks - last.start_ticks, last.bar_ticks)
    if not left:
        return change_ticks
    line = change_ticks - left
    piece = _of_length(left // STEP_TICKS, last.denominator)
    joined = _of_length((left + last.bar_ticks) // STEP_TICKS, last.denominator) if bars else None
    if piece:
        _add(metres, line, piece)
    elif joined:
        _add(metres, line - last.bar_ticks, joined)
    else:
        return line + last.bar_ticks
    return change_ticks


def known_metres(score: Score) -> tuple[Metre, ...]:
    """The metres of a score as tokens can say them, each from a bar line of the one before on.

    Raises:
        InputError: a metre that no known one can stand for, such as 11/8.
    """
    metres: list[Metre] = []
    for metre in score.metres:
        signature = known_metre(_signature(metre))
        if signature is None:
            known = ", ".join(f"{n}/{d}" for n, d in METRES)
            raise InputError(
                f"{score.title or 'The score'}: metre {metre.numerator}/{metre.denominator} is none of {known}."
            )
        if not metres:
            metres.append(Metre(0, *signature))
            continue
        change = max(metres[-1].start_ticks, (metre.start_ticks + STEP_TICKS // 2) // STEP_TICKS * STEP_TICKS)
        start = _close(metres, change)
        if start:
            _add(metres, start, signature)
        else:
            metres = [Metre(0, *signature)]
    return tuple(metres)
