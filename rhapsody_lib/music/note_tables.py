"""Notes as tables: a row each for start, pitch, duration, velocity and part: NumPy changes a whole song at once.

A table holds the same notes as tuples of `Note`, in the same order, part after part. Files of thousands of notes are
read this way; what writes or looks at single notes uses `Note`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from rhapsody_lib.music.score import PART_RANGES, PARTS, Note, Score

Ints = npt.NDArray[np.int64]
#: Integers, [5 x notes]; the rows are `START`, `PITCH`, `DURATION`, `VELOCITY` and `PART`, times in ticks.
NoteTable = Ints
START, PITCH, DURATION, VELOCITY, PART = range(5)
DRUMS = PARTS.index("drums")
#: Bits of a sorting key below the start: it holds pitches.
_PITCH_BITS, _START_BITS = 7, 44
_LOW, _HIGH = (np.array([PART_RANGES[part][side] for part in PARTS]) for side in (0, 1))


def table_of(notes: Iterable[Note], part: int = 0) -> NoteTable:
    """The table of a part's notes, in their order."""
    rows = [(note.start_ticks, note.pitch, note.duration_ticks, note.velocity, part) for note in notes]
    return np.ascontiguousarray(np.array(rows, dtype=np.int64).reshape(-1, 5).T)


def notes_of(table: NoteTable) -> tuple[Note, ...]:
    """The notes of a table, in its order."""
    return tuple(map(Note, *table[:PART].tolist()))


def joined(tables: Sequence[NoteTable]) -> NoteTable:
    """One table after another."""
    return np.concatenate([np.zeros((5, 0), dtype=np.int64), *tables], axis=1)


def ends(table: NoteTable) -> Ints:
    """First tick at which each note no longer sounds."""
    return np.asarray(table[START] + table[DURATION])


def end_ticks(table: NoteTable) -> int:
    """End of the last note, 0 if there is none."""
    return int(ends(table).max()) if table.size else 0


def firsts(column: Ints) -> npt.NDArray[np.bool_]:
    """Where runs of equal values begin."""
    first = np.ones(len(column), dtype=bool)
    first[1:] = column[1:] != column[:-1]
    return first


def by_key(table: NoteTable, key: Ints, *then: Ints) -> tuple[NoteTable, Ints]:
    """Notes sorted by a key, equal keys by further columns; and their keys."""
    if (key[1:] > key[:-1]).all():
        return table, key
    order = np.argsort(key, kind="stable")
    ordered = key.take(order)
    again = np.flatnonzero(ordered[1:] == ordered[:-1])
    if len(again):  # only the few that share their key are sorted by the other columns
        equal = np.union1d(again, again + 1)
        rows = order[equal]
        order[equal] = rows[np.lexsort((*(column[rows] for column in reversed(then)), key[rows]))]
    return np.asarray(table.take(order, axis=1)), np.asarray(ordered)


def where(table: NoteTable, chosen: npt.NDArray[np.bool_]) -> NoteTable:
    """The chosen notes; the table itself where all are."""
    return table if chosen.all() else np.asarray(table.compress(chosen, axis=1))


def in_order(table: NoteTable) -> NoteTable:
    """Notes sorted by part, and in it as `Note` sorts: by start, pitch, duration, velocity."""
    key = (table[PART] << _START_BITS + _PITCH_BITS) + (table[START] << _PITCH_BITS) + table[PITCH]
    return by_key(table, key, table[DURATION], table[VELOCITY])[0]


def cut_at_next(table: NoteTable, voice: Ints) -> NoteTable:
    """Durations cut where the next note of the same voice begins; the table is sorted by voice, then start."""
    cut: NoteTable = table.copy()
    room = np.where(voice[1:] == voice[:-1], table[START, 1:] - table[START, :-1], table[DURATION, :-1])
    cut[DURATION, :-1] = np.minimum(table[DURATION, :-1], room)
    return cut


def without_overlaps(table: NoteTable) -> NoteTable:
    """Sorted notes in which no pitch of a part sounds twice at once: a note ends where the same pitch starts again."""
    key = (((table[PART] << _PITCH_BITS) + table[PITCH]) << _START_BITS) + table[START]
    line, key = by_key(table, key, -table[DURATION], table[VELOCITY])
    first = firsts(key)
    return in_order(cut_at_next(where(line, first), key[first] >> _START_BITS))


def skyline(table: NoteTable) -> NoteTable:
    """The highest note of each onset, cut where the next begins; of one part."""
    key = (table[START] << _PITCH_BITS) + 127 - table[PITCH]
    line, key = by_key(table, key, table[DURATION], table[VELOCITY])
    line = where(line, firsts(key >> _PITCH_BITS))
    return cut_at_next(line, line[PART])


def in_range(table: NoteTable) -> NoteTable:
    """Notes folded by octaves into their parts' ranges; drums outside theirs are dropped."""
    part, pitch = table[PART], table[PITCH]
    low, high = _LOW[part], _HIGH[part]
    inside = (pitch >= low) & (pitch <= high)
    if inside.all():
        return table
    moved = table.copy()
    moved[PITCH] += 12 * np.maximum(0, -(-(low - pitch) // 12))
    moved[PITCH] -= 12 * np.maximum(0, -(-(moved[PITCH] - high) // 12))
    return where(moved, inside | (part != DRUMS))


@dataclass(frozen=True)
class ScoreTables:
    """A score whose notes are a table.

    Args:
        frame: all but the notes; its parts are not looked at.
        notes: the notes of all parts, sorted by `in_order`.
    """

    frame: Score
    notes: NoteTable

    @classmethod
    def of(cls, score: Score) -> ScoreTables:
        """The table of a score."""
        return cls(score, joined([table_of(score.parts[part], index) for index, part in enumerate(PARTS)]))

    def part(self, part: str) -> NoteTable:
        """The notes of one part."""
        index = PARTS.index(part)
        begin, end = np.searchsorted(self.notes[PART], (index, index + 1))
        return self.notes[:, begin:end]

    def score(self) -> Score:
        """The score with its notes."""
        return replace(self.frame, parts={part: notes_of(self.part(part)) for part in PARTS})

    @property
    def end_ticks(self) -> int:
        """End of the last note, 0 if there is none."""
        return end_ticks(self.notes)

    @property
    def pitched(self) -> NoteTable:
        """The notes of all parts but the drums."""
        return where(self.notes, self.notes[PART] != DRUMS)
