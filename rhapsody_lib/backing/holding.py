"""How long a player holds written notes: as tables, for a song is held in several rounds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from rhapsody_lib.backing.vocabulary import STEP_TICKS
from rhapsody_lib.music.note_tables import (
    DURATION,
    PITCH,
    START,
    Ints,
    NoteTable,
    ends,
    notes_of,
    table_of,
    without_overlaps,
)
from rhapsody_lib.music.plan import SongPlan
from rhapsody_lib.music.score import PARTS, TICKS_PER_BEAT, Note, Score, TimedChord

#: Parts whose notes are held as the primer's are; how much longer or shorter they may be held than written, and what is
#: let be. What is stretched is cut at changes of chord and at the next note of its pitch, so it is stretched in rounds.
_HELD_AS_PRIMED = ("melody", "piano", "guitar", "strings")
_MOST_STRETCH, _LEAST_STRETCH, _STRETCHES = 2.0, 0.05, 4


class Holding:
    """Lets the notes of one song go where a player would.

    Melody and bass at their next note, others where a chord begins that they jar with; all at the last bar, which its
    chord has for itself, and at the end of the song.
    """

    def __init__(self, chords: Sequence[TimedChord], plan: SongPlan) -> None:
        self._bar_ticks, self._end = plan.bar_ticks, plan.bars * plan.bar_ticks
        self._last_bar = self._end - plan.bar_ticks
        self._starts = np.array([chord.start_ticks for chord in chords], dtype=np.int64)
        strange = np.ones((len(chords) + 1, 12), dtype=bool)
        for row, chord in zip(strange, chords, strict=False):
            row[list(chord.symbol.pitch_classes)] = False
        numbers = np.where(strange, np.arange(len(strange))[:, None], len(chords))
        #: The first chord from each on, beyond the last one too, that a pitch class is no tone of.
        self._jarring: Ints = np.minimum.accumulate(numbers[::-1], axis=0)[::-1]

    def released(self, part: str, table: NoteTable) -> NoteTable:
        """The notes of a part with the lengths they are let go at."""
        start, until = table[START], ends(table)
        limit = np.where(start < self._last_bar, self._last_bar, self._end)
        if part in {"melody", "bass"}:
            onsets = np.append(np.unique(start), np.iinfo(np.int64).max)
            limit = np.minimum(limit, onsets[onsets.searchsorted(start, side="right")])
        elif part != "drums" and len(self._starts):
            limit = np.minimum(limit, self._jars(start, until, table[PITCH] % 12))
        held = table.copy()
        held[DURATION] = np.minimum(until, limit) - start
        return without_overlaps(held)

    def _jars(self, start: Ints, until: Ints, pitch_class: Ints) -> Ints:
        """Where, a beat or more before a note ends, a chord begins that it is no tone of; its end where none does."""
        first = self._starts.searchsorted(start, side="right")
        last = self._starts.searchsorted(until - TICKS_PER_BEAT, side="right")
        found = self._jarring[first, pitch_class]
        return np.where(found < last, self._starts[np.minimum(found, len(self._starts) - 1)], until)

    def as_primed(self, part: str, table: NoteTable, primed: NoteTable) -> NoteTable:
        """Written notes stretched until as many sound at once as of a primer's, but for the last bar.

        No note becomes more than twice as long or less than half, however much denser or thinner the song is written.
        """
        factor, notes = 1.0, table
        for _ in range(_STRETCHES if primed.size and table.size else 0):
            held = self.released(part, notes)
            ratio = self._sounding(primed) / self._sounding(held)
            if abs(ratio - 1) < _LEAST_STRETCH:
                break
            factor = min(_MOST_STRETCH, max(1 / _MOST_STRETCH, factor * ratio))
            notes = table.copy()
            longer = np.maximum(1, np.rint(table[DURATION] * factor / STEP_TICKS)).astype(np.int64) * STEP_TICKS
            notes[DURATION] = np.where(table[START] < self._last_bar, longer, table[DURATION])
        return notes

    def _sounding(self, table: NoteTable) -> float:
        """Notes of a part that sound at once: the mean over the bars in which it strikes."""
        bars = len(np.unique(table[START] // self._bar_ticks))
        return float(table[DURATION].sum() / (self._bar_ticks * bars))


def articulated(score: Score, primer: Score, plan: SongPlan) -> Score:
    """The score with notes held so that as many sound at once as the primer's players hold, but for its last bar.

    The network writes the commonest lengths more often than players use them, legato and pedal less. Parts that sound
    about as full as the primer's stay as they are.
    """
    holding, parts = Holding(score.chords, plan), dict(score.parts)
    for part in _HELD_AS_PRIMED:
        held = holding.as_primed(part, table_of(score.parts[part]), table_of(primer.parts[part]))
        parts[part] = notes_of(held)
    return replace(score, parts=parts)


def released(score: Score, plan: SongPlan) -> dict[str, tuple[Note, ...]]:
    """The parts of a score with their notes let go where a player would."""
    holding = Holding(score.chords, plan)
    return {part: notes_of(holding.released(part, table_of(score.parts[part]))) for part in PARTS}
