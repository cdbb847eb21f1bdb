"""What the tokens can say of a score: notes on the grid, metres and tempi at bar lines, parts in their ranges.

`quantise` is the definition of what encoding keeps. Words are dropped (their lines become `Line` tokens), chords and
sections stay. Tempo changes take effect at the next bar line; where metres change, and what becomes of
rare ones, says `metres`.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from rhapsody_lib.backing.metres import known_metres
from rhapsody_lib.backing.vocabulary import (
    DRUM_STEPS,
    DURATIONS,
    SECTION_KINDS,
    STEP_TICKS,
    TEMPI,
    VELOCITY_BINS,
    nearest_tempo,
)
from rhapsody_lib.music.chords import ChordSymbol
from rhapsody_lib.music.note_tables import (
    DRUMS,
    DURATION,
    PART,
    START,
    VELOCITY,
    NoteTable,
    ScoreTables,
    end_ticks,
    firsts,
    gaps_between,
    in_order,
    in_range,
    notes_of,
    table_of,
    voices,
)
from rhapsody_lib.music.score import PARTS, Metre, Note, Score, Section, Tempo, TimedChord, bars_until

Numbers = TypeVar("Numbers", int, npt.NDArray[np.int64])
_MELODY = PARTS.index("melody")
_SOFTEST, _VELOCITY_WIDTH = 12, 16


def velocity_bin(velocity: Numbers) -> Numbers:
    """Bin of a MIDI velocity."""
    level = (velocity - _SOFTEST) // _VELOCITY_WIDTH
    if isinstance(level, int):
        return min(VELOCITY_BINS - 1, max(0, level))
    return np.minimum(VELOCITY_BINS - 1, np.maximum(0, level))


def velocity_of(level: Numbers) -> Numbers:
    """MIDI velocity at the middle of a bin."""
    return _SOFTEST + level * _VELOCITY_WIDTH + _VELOCITY_WIDTH // 2


def duration_steps(steps: int) -> int:
    """Longest token length that is not longer than `steps`, at least one step."""
    return int(DURATIONS[max(0, bisect.bisect_right(DURATIONS, steps) - 1)])


#: `duration_steps` of each length up to the longest, in ticks.
_LONGEST_TICKS = np.array([duration_steps(steps) * STEP_TICKS for steps in range(DURATIONS[-1] + 1)], dtype=np.int64)
#: Each MIDI velocity as the tokens tell it.
_TOLD_VELOCITIES = np.array([velocity_of(velocity_bin(velocity)) for velocity in range(128)], dtype=np.int64)


def _sorting_key(part: int, pitch: int) -> int:
    voice, below_top = (part << 7, 127 - pitch) if part == _MELODY else ((part << 7) + pitch, 0)
    return (voice << 53) + (below_top << 14) + (127 << 7) + 127


#: What `_tidy` sorts a part and pitch by, the start, length and velocity left out; by `voices`.
_SORTING_KEYS = np.array([_sorting_key(part, pitch) for part in range(len(PARTS)) for pitch in range(128)])


def to_step(ticks: Numbers) -> Numbers:
    """Nearest grid step."""
    return (ticks + STEP_TICKS // 2) // STEP_TICKS


def fold_into(pitch: int, low: int, high: int) -> int:
    """The pitch moved by octaves into a range of at least an octave."""
    if pitch < low:
        pitch += -(-(low - pitch) // 12) * 12
    if pitch > high:
        pitch -= -(-(pitch - high) // 12) * 12
    return pitch


def tidy_part(part: str, notes: Iterable[Note]) -> tuple[Note, ...]:
    """Notes on the grid without overlaps: a pitch struck again ends the one before; the melody has one voice.

    Of several notes of one onset the melody keeps the highest; of equal pitches the longest is kept.
    """
    grid = table_of(notes, PARTS.index(part))
    for row in (START, DURATION):
        grid[row] //= STEP_TICKS
    return notes_of(_tidy(grid))


def _tidy(grid: NoteTable) -> NoteTable:
    """Notes in ticks of notes in steps; `grid` is sorted by part and is changed."""
    steps = grid[DURATION]
    np.minimum(steps, len(_LONGEST_TICKS) - 1, out=steps)
    steps[slice(*grid[PART].searchsorted((DRUMS, DRUMS + 1)))] = DRUM_STEPS
    key = _SORTING_KEYS.take(voices(grid))
    key += grid[START] << 21
    key -= steps << 7
    key -= grid[VELOCITY]
    order = key.argsort(kind="stable")
    places = key.take(order) >> 21  # those of two voices lie further apart than notes are long
    gaps = gaps_between(places)
    if not gaps.all():
        first = firsts(places)
        order, gaps = order.compress(first), gaps_between(places.compress(first))
    tidy = grid.take(order, axis=1)
    np.minimum(tidy[DURATION, :-1], gaps, out=tidy[DURATION, :-1])
    tidy[DURATION] = _LONGEST_TICKS.take(tidy[DURATION])
    tidy[START] *= STEP_TICKS
    return in_order(tidy)


def _on_grid(table: NoteTable) -> NoteTable:
    notes = in_range(table)
    grid = notes.copy()
    grid[START] = to_step(notes[START])
    grid[DURATION] = np.maximum(1, to_step(notes[START] + notes[DURATION]) - grid[START])
    grid[VELOCITY] = _TOLD_VELOCITIES.take(notes[VELOCITY], mode="clip")
    return _tidy(grid)


def _nearest(sorted_ticks: Sequence[int], ticks: int) -> int:
    index = bisect.bisect_left(sorted_ticks, ticks)
    near = sorted_ticks[max(0, index - 1) : index + 1]
    return min(near, key=lambda start: abs(start - ticks))


def _tempi(score: Score, starts: Sequence[int]) -> tuple[Tempo, ...]:
    """Tempi at the bar lines `starts`: what is in force there."""
    bars = starts or (0,)
    tempi: list[Tempo] = []
    for index, tempo in enumerate(score.tempi):
        begin = bisect.bisect_left(bars, tempo.start_ticks)
        last = index + 1 == len(score.tempi)
        end = len(bars) if last else bisect.bisect_left(bars, score.tempi[index + 1].start_ticks)
        bpm = float(TEMPI[nearest_tempo(tempo.bpm)])
        if begin < end and (not tempi or tempi[-1].bpm != bpm):
            tempi.append(Tempo(bars[begin], bpm))
    return tuple(tempi)


def _chords(score: Score, end_ticks: int) -> tuple[TimedChord, ...]:
    at_tick = {(chord.start_ticks + STEP_TICKS // 2) // STEP_TICKS * STEP_TICKS: chord for chord in score.chords}
    chords: list[TimedChord] = []
    last: ChordSymbol | None = None
    for start in sorted(at_tick):
        chord = at_tick[start]
        symbol = chord.symbol
        # Most neighbours have two roots, which is seen faster than that they are two chords.
        if start < end_ticks and (last is None or symbol.root != last.root or symbol != last):
            chords.append(chord if chord.start_ticks == start else TimedChord(start, symbol))
            last = symbol
    return tuple(chords)


def _sections(score: Score, starts: Sequence[int], end_ticks: int) -> tuple[Section, ...]:
    if not starts or not score.sections:
        return ()
    kinds = {_nearest(starts, section.start_ticks): section.kind for section in score.sections}
    begins = sorted(kinds)
    ends = [*begins[1:], end_ticks]
    return tuple(
        Section(kinds[begin] if kinds[begin] in SECTION_KINDS else "other", begin, end)
        for begin, end in zip(begins, ends, strict=False)
    )


def quantise(score: Score) -> Score:
    """The score as the tokens hold it; `quantise(quantise(score))` is `quantise(score)`.

    Raises:
        InputError: a metre whose bars the grid cannot hold.
    """
    return quantised(ScoreTables.of(score)).score()


def quantised(tables: ScoreTables) -> ScoreTables:
    """`quantise` of notes in tables; words are dropped.

    Raises:
        InputError: a metre whose bars the grid cannot hold.
    """
    return quantised_bars(tables)[0]


def quantised_bars(tables: ScoreTables) -> tuple[ScoreTables, tuple[int, ...], tuple[Metre, ...]]:
    """`quantised`, and the start tick and the metre of each bar."""
    score = tables.frame
    metres = known_metres(score)
    notes = _on_grid(tables.notes)
    bars = bars_until(metres, end_ticks(notes))
    starts, bar_metres = zip(*bars, strict=True) if len(notes[START]) else ((), ())
    end = starts[-1] + bar_metres[-1].bar_ticks if starts else 0
    frame = replace(
        score,
        tempi=_tempi(score, starts),
        metres=tuple(metre for metre in metres if metre.start_ticks == 0 or metre.start_ticks < end),
        chords=_chords(score, end),
        sections=_sections(score, starts, end),
        syllables=(),
        programs={part: score.programs[part] for part in PARTS},
    )
    return ScoreTables(frame, notes), starts, bar_metres
