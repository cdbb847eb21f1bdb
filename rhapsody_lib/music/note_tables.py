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


def _folded(part: str, pitch: int) -> int:
    low, high = PART_RANGES[part]
    if part == "drums":
        return pitch if low <= pitch <= high else -1
    raised = pitch + 12 * max(0, -(-(low - pitch) // 12))
    return raised - 12 * max(0, -(-(raised - high) // 12))


#: Each pitch folded by octaves into a part's range, by `voices`; -1 where it is dropped.
_FOLDED = np.array([_folded(part, pitch) for part in PARTS for pitch in range(128)], dtype=np.int64)


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


def voices(table: NoteTable) -> Ints:
    """Part and pitch of each note as one number, below 128 times the parts."""
    return np.asarray((table[PART] << _PITCH_BITS) + table[PITCH])


def by_key(table: NoteTable, key: Ints, *then: Ints) -> tuple[NoteTable, Ints]:
    """Notes sorted by a key, equal keys by further columns; and their keys."""
    if (key[1:] > key[:-1]).all():
        return table, key
    order = key.argsort(kind="stable")
    ordered = key.take(order)
    again = ordered[1:] == ordered[:-1]
    if again.any():  # only the few that share their key are sorted by the other columns
        shared = np.zeros(len(key), dtype=bool)
        shared[1:] = again
        shared[:-1] |= again
        equal = shared.nonzero()[0]
        rows = order[equal]
        order[equal] = rows[np.lexsort((*(column[rows] for column in reversed(then)), key[rows]))]
    return table.take(order, axis=1), ordered


def where(table: NoteTable, chosen: npt.NDArray[np.bool_]) -> NoteTable:
    """The chosen notes; the table itself where all are."""
    return table if chosen.all() else table.compress(chosen, axis=1)


def in_order(table: NoteTable) -> NoteTable:
    """Notes sorted by part, and in it as `Note` sorts: by start, pitch, duration, velocity."""
    key = table[PART] << _START_BITS
    key += table[START]
    key <<= _PITCH_BITS
    key += table[PITCH]
    return by_key(table, key, table[DURATION], table[VELOCITY])[0]


def gaps_between(places: Ints) -> Ints:
    """From each place to the next; the last has none."""
    return np.asarray(places[1:] - places[:-1])


def _one_a_place(line: NoteTable, places: Ints) -> NoteTable:
    """The first note of each place, cut where the next place begins.

    Places rise in the order of the notes. They are ticks; those of another voice lie further off than notes are long.
    """
    gaps = gaps_between(places)
    if gaps.all():
        line = line.copy()
    else:
        first = firsts(places)
        line, gaps = line.compress(first, axis=1), gaps_between(places.compress(first))
    durations = line[DURATION, :-1]
    np.minimum(durations, gaps, out=durations)
    return line


def without_overlaps(table: NoteTable) -> NoteTable:
    """Sorted notes in which no pitch of a part sounds twice at once: a note ends where the same pitch starts again."""
    key = voices(table) << _START_BITS
    key += table[START]
    return in_order(_one_a_place(*by_key(table, key, -table[DURATION], table[VELOCITY])))


def skyline(table: NoteTable) -> NoteTable:
    """The highest note of each onset, cut where the next begins; of one part."""
    key = (table[START] << _PITCH_BITS) + 127 - table[PITCH]
    line, key = by_key(table, key, table[DURATION], table[VELOCITY])
    return _one_a_place(line, key >> _PITCH_BITS)


def in_range(table: NoteTable) -> NoteTable:
    """Notes folded by octaves into their parts' ranges; drums outside theirs are dropped."""
    pitch = _FOLDED.take(voices(table))
    if (pitch == table[PITCH]).all():
        return table
    moved = table.copy()
    moved[PITCH] = pitch
    return where(moved, pitch >= 0)


def notes_of_part(table: NoteTable, part: str) -> NoteTable:
    """The notes of one part; the table is sorted by part."""
    index = PARTS.index(part)
    return table[:, slice(*table[PART].searchsorted((index, index + 1)))]


def pitched(table: NoteTable) -> NoteTable:
    """The notes of all parts but the drums; the table is sorted by part."""
    begin, end = table[PART].searchsorted((DRUMS, DRUMS + 1))
    return table if begin == end else np.concatenate((table[:, :begin], table[:, end:]), axis=1)


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

    def score(self) -> Score:
        """The score with its notes."""
        return replace(self.frame, parts={part: notes_of(notes_of_part(self.notes, part)) for part in PARTS})

    @property
    def end_ticks(self) -> int:
        """End of the last note, 0 if there is none."""
        return end_ticks(self.notes)
