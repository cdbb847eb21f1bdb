"""What the tokens can say of a score: notes on the grid, metres and tempi at bar lines, parts in their ranges.

`quantise` is the definition of what encoding keeps. Words are dropped (their lines become `Line` tokens), chords and
sections stay. Tempo changes take effect at the next bar line; where metres change, and what becomes of
rare ones, says `metres`.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterable
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
from rhapsody_lib.music.note_tables import (
    DRUMS,
    DURATION,
    PART,
    PITCH,
    START,
    VELOCITY,
    NoteTable,
    ScoreTables,
    cut_at_next,
    end_ticks,
    ends,
    firsts,
    in_order,
    in_range,
    notes_of,
    table_of,
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


#: `duration_steps` of each length up to the longest.
_LONGEST = np.array([duration_steps(steps) for steps in range(DURATIONS[-1] + 1)], dtype=np.int64)


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
    return notes_of(_tidy(table_of(notes, PARTS.index(part))))


def _tidy(table: NoteTable) -> NoteTable:
    part, pitch = table[PART], table[PITCH]
    melodic = part == _MELODY
    steps = np.minimum(table[DURATION] // STEP_TICKS, len(_LONGEST) - 1)
    steps[part == DRUMS] = DRUM_STEPS
    rank = (np.where(melodic, 127 - pitch, 0) << 14) + ((127 - steps) << 7) + 127 - table[VELOCITY]
    key = (((part << 7) + np.where(melodic, 0, pitch)) << 53) + ((table[START] // STEP_TICKS) << 21) + rank
    order = np.argsort(key, kind="stable")
    place = key.take(order) >> 21
    first = firsts(place)
    tidy, voice = table.take(order[first], axis=1), place[first] >> 32
    tidy[DURATION] = steps.take(order[first]) * STEP_TICKS
    tidy = cut_at_next(tidy, voice)
    tidy[DURATION] = _LONGEST[tidy[DURATION] // STEP_TICKS] * STEP_TICKS
    return in_order(tidy)


def _on_grid(table: NoteTable) -> NoteTable:
    grid = in_range(table).copy()
    start = to_step(grid[START])
    grid[DURATION] = np.maximum(1, to_step(ends(grid)) - start) * STEP_TICKS
    grid[START] = start * STEP_TICKS
    grid[VELOCITY] = velocity_of(velocity_bin(grid[VELOCITY]))
    return _tidy(grid)


def _nearest(sorted_ticks: list[int], ticks: int) -> int:
    index = bisect.bisect_left(sorted_ticks, ticks)
    near = sorted_ticks[max(0, index - 1) : index + 1]
    return min(near, key=lambda start: abs(start - ticks))


def _tempi(score: Score, starts: list[int]) -> tuple[Tempo, ...]:
    tempi: list[Tempo] = []
    changes = [tempo.start_ticks for tempo in score.tempi]
    known = [float(TEMPI[nearest_tempo(tempo.bpm)]) for tempo in score.tempi]
    for start, change in zip(
        starts or [0], np.searchsorted(changes, starts or [0], side="right").tolist(), strict=True
    ):
        if not tempi or tempi[-1].bpm != known[change - 1]:
            tempi.append(Tempo(start, known[change - 1]))
    return tuple(tempi)


def _chords(score: Score, end_ticks: int) -> tuple[TimedChord, ...]:
    at_tick = {to_step(chord.start_ticks) * STEP_TICKS: chord for chord in score.chords}
    chords: list[TimedChord] = []
    for start in sorted(at_tick):
        chord = at_tick[start]
        if start < end_ticks and (not chords or chords[-1].symbol != chord.symbol):
            chords.append(chord if chord.start_ticks == start else TimedChord(start, chord.symbol))
    return tuple(chords)


def _sections(score: Score, starts: list[int], end_ticks: int) -> tuple[Section, ...]:
    if not starts:
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


def quantised_bars(tables: ScoreTables) -> tuple[ScoreTables, list[tuple[int, Metre]]]:
    """`quantised`, and the start tick and metre of each bar."""
    score = tables.frame
    metres = known_metres(score)
    notes = _on_grid(tables.notes)
    bars = list(bars_until(metres, end_ticks(notes)))
    starts = [start for start, _ in bars]
    end = bars[-1][0] + bars[-1][1].bar_ticks if bars else 0
    frame = replace(
        score,
        tempi=_tempi(score, starts),
        metres=tuple(metre for metre in metres if metre.start_ticks == 0 or metre.start_ticks < end),
        chords=_chords(score, end),
        sections=_sections(score, starts, end),
        syllables=(),
        programs={part: score.programs[part] for part in PARTS},
    )
    return ScoreTables(frame, notes), bars
