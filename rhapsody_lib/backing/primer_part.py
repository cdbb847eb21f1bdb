"""The part of a given score that may prime a song: one run of bars in one metre, on the grid, of bounded size."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice

import numpy as np

from rhapsody_lib.backing.metres import known_metres
from rhapsody_lib.backing.quantise import to_step
from rhapsody_lib.backing.vocabulary import METRES, STEP_TICKS, STEPS_PER_BEAT
from rhapsody_lib.errors import InputError
from rhapsody_lib.music.score import PARTS, Metre, Note, Score, TimedChord

#: Bars of a primer, at least and at most: the longest songs have some hundreds, and each costs time.
MIN_BARS, MOST_BARS = 2, 600
#: How early a note may be and yet belong to the bar that follows, in ticks: the grid rounds it there.
HALF_STEP = STEP_TICKS // 2
#: Notes of a score that is read at all; a long song of six parts has ten thousand.
MOST_NOTES = 50_000
#: Bars among which the primer's are looked for; a note may start a million bars after the others.
_MOST_BARS_READ = 20_000
_BEAT_WEIGHTS = np.asarray([3, 0, 0, 1, 1, 0, 2, 0, 1, 1, 0, 0])
_SHIFTS = (0, 1, -1, 2, -2)


def _refuse(score: Score, reason: str) -> InputError:
    title = f"'{score.title}'" if score.title else "The score"
    return InputError(f"{title} cannot prime the music: {reason}. Choose another song or file.")


def _in_known_metres(score: Score) -> Score:
    """The score with rare metres told by known ones (9/4 as 3/4), where each has one."""
    try:
        return replace(score, metres=known_metres(score))
    except InputError:
        return score  # its main metre may be known all the same


def _main_metre(score: Score, bars: Sequence[tuple[int, Metre]]) -> Metre:
    """The metre that most bars are in."""
    counts = Counter((metre.numerator, metre.denominator) for _, metre in bars)
    metre = Metre(0, *min(counts, key=lambda item: (-counts[item], item)))
    if (metre.numerator, metre.denominator) not in METRES:
        known = ", ".join(f"{n}/{d}" for n, d in METRES)
        raise _refuse(score, f"it is in {metre.numerator}/{metre.denominator}, and only {known} can be written")
    return metre


def between(notes: tuple[Note, ...], begin: int, end: int) -> tuple[Note, ...]:
    """Notes whose grid step is in [begin, end), cut at both, moved to tick 0.

    What is played up to half a step before a bar line is the bar's that it opens.
    """
    return tuple(
        Note(
            max(0, note.start_ticks - begin),
            note.pitch,
            max(1, min(note.end_ticks, end) - max(begin, note.start_ticks)),
            note.velocity,
        )
        for note in notes
        if begin <= note.start_ticks + HALF_STEP < end
    )


def _on_the_grid(score: Score) -> Score:
    """A score of another maker, moved by up to two steps if its beats lie beside the grid as a whole.

    The shift is the one by which most notes start on quarters, then eighths, then sixteenths and triplets.
    """
    steps = np.asarray([to_step(note.start_ticks) for part in PARTS for note in score.parts[part]], dtype=np.int64)
    weights = [int(_BEAT_WEIGHTS[(steps + shift) % STEPS_PER_BEAT].sum()) for shift in _SHIFTS]
    shift = _SHIFTS[int(np.argmax(weights))] * STEP_TICKS
    if score.style or not shift:
        return score
    parts = {
        part: tuple(sorted(replace(note, start_ticks=max(0, note.start_ticks + shift)) for note in score.parts[part]))
        for part in PARTS
    }
    return replace(score, parts=parts)


def _longest_run(score: Score, bars: Sequence[tuple[int, Metre]], metre: Metre) -> tuple[int, int]:
    """Begin and end in ticks of the longest run of bars in a metre, of its first `MOST_BARS` if there are more."""
    first_note = HALF_STEP + min(note.start_ticks for notes in score.parts.values() for note in notes)
    runs: list[tuple[int, int]] = []
    for start, own in bars:
        end, alike = start + own.bar_ticks, (own.numerator, own.denominator) == (metre.numerator, metre.denominator)
        if end <= first_note or not alike:
            continue
        if runs and runs[-1][1] == start:
            runs[-1] = (runs[-1][0], end)
        else:
            runs.append((start, end))
    begin, end = max(runs, key=lambda run: run[1] - run[0], default=(0, 0))
    return begin, min(end, begin + MOST_BARS * metre.bar_ticks)


def _too_short(score: Score, bars: Sequence[tuple[int, Metre]], metre: Metre, run_ticks: int) -> str:
    """Why a score has no `MIN_BARS` bars in its main metre: its metre changes before, or it has none with notes."""
    notes = [note.start_ticks + HALF_STEP for part in PARTS for note in score.parts[part]]
    sounding = {max(bisect_right(bars, tick, key=lambda bar: bar[0]) - 1, 0) for tick in notes}
    if len(sounding) >= MIN_BARS and run_ticks < MIN_BARS * metre.bar_ticks:
        named = f"{metre.numerator}/{metre.denominator}"
        return f"its metre changes so often that no {MIN_BARS} bars beside each other are in {named}"
    return f"it has fewer than {MIN_BARS} bars with notes"


def usable_part(score: Score) -> Score:
    """The longest run of bars in the score's main metre, from the first bar with notes on, of at most `MOST_BARS`.

    Raises:
        InputError: the score has no notes, only drums, more notes than `MOST_NOTES`, fewer than `MIN_BARS` bars with
            notes, none so long in one metre, or an unknown metre.
    """
    if not any(score.parts[part] for part in PARTS):
        raise _refuse(score, "it has no notes")
    if not any(score.parts[part] for part in PARTS if part != "drums"):
        raise _refuse(score, "it has only drums")
    if sum(map(len, score.parts.values())) > MOST_NOTES:
        raise _refuse(score, f"it has more than {MOST_NOTES} notes")
    score = _in_known_metres(_on_the_grid(score))
    bars = list(islice(score.bars(), _MOST_BARS_READ))
    metre = _main_metre(score, bars)
    begin, end = _longest_run(score, bars, metre)
    parts = {part: between(score.parts[part], begin, end) for part in PARTS}
    sounding = {(note.start_ticks + HALF_STEP) // metre.bar_ticks for part in PARTS for note in parts[part]}
    if len(sounding) < MIN_BARS:
        raise _refuse(score, _too_short(score, bars, metre, end - begin))
    tempo = [replace(t, start_ticks=max(0, t.start_ticks - begin)) for t in score.tempi if t.start_ticks < end]
    tempi = {t.start_ticks: t for t in tempo}
    before = score.chord_at(begin)
    chords = [TimedChord(c.start_ticks - begin, c.symbol) for c in score.chords if begin < c.start_ticks < end]
    return replace(
        score,
        tempi=tuple(tempi[ticks] for ticks in sorted(tempi)),
        metres=(metre,),
        parts=parts,
        chords=((TimedChord(0, before), *chords) if before else tuple(chords)),
        sections=tuple(
            replace(s, start_ticks=max(0, s.start_ticks - begin), end_ticks=min(s.end_ticks, end) - begin)
            for s in score.sections
            if s.start_ticks < end and s.end_ticks > begin
        ),
        syllables=tuple(
            replace(s, start_ticks=max(0, s.start_ticks - begin))
            for s in score.syllables
            if begin <= s.start_ticks + HALF_STEP < end
        ),
    )
