"""What the tokens can say of a score: notes on the grid, metres and tempi at bar lines, parts in their ranges.

`quantise` is the definition of what encoding keeps. Words are dropped (their lines become `Line` tokens), chords and
sections stay. Tempo changes take effect at the next bar line, and metre changes at a bar line of the old metre.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterable
from dataclasses import replace

from rhapsody_lib.backing.vocabulary import (
    DRUM_STEPS,
    DURATIONS,
    METRES,
    SECTION_KINDS,
    STEP_TICKS,
    TEMPI,
    VELOCITY_BINS,
)
from rhapsody_lib.errors import InputError
from rhapsody_lib.music.score import PART_RANGES, PARTS, Metre, Note, Score, Section, Tempo, TimedChord

_SOFTEST, _VELOCITY_WIDTH = 12, 16


def velocity_bin(velocity: int) -> int:
    """Bin of a MIDI velocity."""
    return min(VELOCITY_BINS - 1, max(0, (velocity - _SOFTEST) // _VELOCITY_WIDTH))


def velocity_of(level: int) -> int:
    """MIDI velocity at the middle of a bin."""
    return _SOFTEST + level * _VELOCITY_WIDTH + _VELOCITY_WIDTH // 2


def duration_steps(steps: int) -> int:
    """Longest token length that is not longer than `steps`, at least one step."""
    return int(DURATIONS[max(0, bisect.bisect_right(DURATIONS, steps) - 1)])


def to_step(ticks: int) -> int:
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
    chosen: dict[tuple[int, int], Note] = {}
    for note in notes:
        place = (note.start_ticks, 0 if part == "melody" else note.pitch)
        other = chosen.get(place)
        if other is None or (note.pitch, note.duration_ticks, note.velocity) > (
            (other.pitch, other.duration_ticks, other.velocity)
        ):
            chosen[place] = note
    following: dict[int, int] = {}
    tidy = []
    for note in sorted(chosen.values(), key=lambda item: (item.start_ticks, item.pitch), reverse=True):
        voice = 0 if part == "melody" else note.pitch
        wanted = DRUM_STEPS * STEP_TICKS if part == "drums" else note.duration_ticks
        room = following.get(voice, note.start_ticks + wanted) - note.start_ticks
        steps = duration_steps(min(wanted, room) // STEP_TICKS)
        tidy.append(Note(note.start_ticks, note.pitch, steps * STEP_TICKS, note.velocity))
        following[voice] = note.start_ticks
    return tuple(sorted(tidy))


def _quantised_part(part: str, notes: Iterable[Note]) -> tuple[Note, ...]:
    low, high = PART_RANGES[part]
    grid = []
    for note in notes:
        if part == "drums" and not low <= note.pitch <= high:
            continue
        start = to_step(note.start_ticks)
        steps = max(1, to_step(note.end_ticks) - start)
        velocity = velocity_of(velocity_bin(note.velocity))
        grid.append(Note(start * STEP_TICKS, fold_into(note.pitch, low, high), steps * STEP_TICKS, velocity))
    return tidy_part(part, grid)


def _metres(score: Score) -> tuple[Metre, ...]:
    metres: list[Metre] = []
    for metre in score.metres:
        signature = (metre.numerator, metre.denominator)
        if signature not in METRES:
            known = ", ".join(f"{n}/{d}" for n, d in METRES)
            raise InputError(f"{score.title or 'The score'}: metre {signature[0]}/{signature[1]} is none of {known}.")
        if not metres:
            metres.append(replace(metre, start_ticks=0))
            continue
        last = metres[-1]
        bars = max(0, -(-(metre.start_ticks - last.start_ticks) // last.bar_ticks))
        start = last.start_ticks + bars * last.bar_ticks
        if start == last.start_ticks:
            metres.pop()
        if not metres or (metres[-1].numerator, metres[-1].denominator) != signature:
            metres.append(replace(metre, start_ticks=start))
    return tuple(metres)


def _nearest(sorted_ticks: list[int], ticks: int) -> int:
    index = bisect.bisect_left(sorted_ticks, ticks)
    near = sorted_ticks[max(0, index - 1) : index + 1]
    return min(near, key=lambda start: abs(start - ticks))


def _tempi(score: Score, starts: list[int]) -> tuple[Tempo, ...]:
    tempi: list[Tempo] = []
    changes = [tempo.start_ticks for tempo in score.tempi]
    for start in starts or [0]:
        bpm = score.tempi[bisect.bisect_right(changes, start) - 1].bpm
        nearest = float(min(TEMPI, key=lambda known: abs(known - bpm)))
        if not tempi or tempi[-1].bpm != nearest:
            tempi.append(Tempo(start, nearest))
    return tuple(tempi)


def _chords(score: Score, end_ticks: int) -> tuple[TimedChord, ...]:
    at_step = {to_step(chord.start_ticks): chord.symbol for chord in score.chords}
    chords: list[TimedChord] = []
    for step in sorted(at_step):
        start = step * STEP_TICKS
        if start < end_ticks and (not chords or chords[-1].symbol != at_step[step]):
            chords.append(TimedChord(start, at_step[step]))
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
        InputError: a metre that is not in `METRES`.
    """
    metres = _metres(score)
    parts = {part: _quantised_part(part, score.parts[part]) for part in PARTS}
    draft = Score(score.title, score.key, score.tempi, metres, parts)
    bars = list(draft.bars())
    starts = [start for start, _ in bars]
    end_ticks = bars[-1][0] + bars[-1][1].bar_ticks if bars else 0
    return replace(
        draft,
        tempi=_tempi(score, starts),
        metres=tuple(metre for metre in metres if metre.start_ticks == 0 or metre.start_ticks < end_ticks),
        chords=_chords(score, end_ticks),
        sections=_sections(score, starts, end_ticks),
        programs={part: score.programs[part] for part in PARTS},
        style=score.style,
    )
