"""Tracks of any MIDI file into the six parts.

Channel 10 is drums. General MIDI families give the rest, as in the Lakh Pianoroll's five tracks:

| program (0-based)                                               | part    |
| --------------------------------------------------------------- | ------- |
| 0-7 pianos, 8-15 chromatic percussion, 16-23 organs, 108 kalimba | piano   |
| 24-31 guitars, 104-107 sitar, banjo, shamisen, koto             | guitar  |
| 32-39 basses                                                    | bass    |
| 40-103 strings, ensembles, brass, reeds, pipes, synths; 109-111 | strings |
| 112-127 percussive and sound effects                            | none    |

Brass, reeds, pipes and synths are `strings`, the part of sustained sounds, as in LPD-5. The melody is found by the
rules of `music.melody_finding`. Its track is made monophonic by the skyline rule: the highest of simultaneous notes,
each cut where the next begins. If no track is the melody, the skyline of the busiest of piano, strings and guitar is
taken out of it. Of POP909's three tracks, MELODY is the melody, BRIDGE and PIANO are `piano`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from rhapsody_lib.music import note_tables
from rhapsody_lib.music.melody_finding import Candidate, find_melody
from rhapsody_lib.music.note_tables import DURATION, PART, PITCH, START, NoteTable, joined, notes_of, table_of
from rhapsody_lib.music.score import DEFAULT_PROGRAMS, PARTS, Note

_PLUCKED = frozenset({104, 105, 106, 107})
_LOWEST_SKYLINE = 55


@dataclass(frozen=True)
class RawTrack:
    """A track as parsed: ticks already at `TICKS_PER_BEAT`, notes sorted."""

    name: str
    program: int
    is_drum: bool
    notes: NoteTable


def family(program: int) -> str | None:
    """The part that a General MIDI program belongs to, None for sound effects and percussive sounds."""
    if program <= 23 or program == 108:
        return "piano"
    if program <= 31 or program in _PLUCKED:
        return "guitar"
    if program <= 39:
        return "bass"
    return "strings" if program < 112 else None


def without_overlaps(notes: Iterable[Note]) -> tuple[Note, ...]:
    """Sorted notes in which no pitch sounds twice at once: a note ends where the same pitch starts again."""
    return notes_of(note_tables.without_overlaps(table_of(notes)))


def skyline(notes: Iterable[Note]) -> tuple[Note, ...]:
    """The highest note of each onset, cut where the next begins."""
    return notes_of(note_tables.skyline(table_of(notes)))


def in_range(part: str, notes: Iterable[Note]) -> tuple[Note, ...]:
    """Notes folded by octaves into the part's range; drums outside it are dropped."""
    return notes_of(note_tables.in_range(table_of(notes, PARTS.index(part))))


def melody_track(tracks: Sequence[RawTrack], word_ticks: Sequence[int]) -> int | None:
    """Index of the melody track, None if no track is one."""
    pitched = [i for i, t in enumerate(tracks) if not t.is_drum and t.notes.size and family(t.program) is not None]
    candidates = [Candidate(tracks[i].name, tracks[i].notes, family(tracks[i].program) == "bass") for i in pitched]
    found = find_melody(candidates, word_ticks)
    return None if found is None else pitched[found]


def assign(tracks: Sequence[RawTrack], word_ticks: Sequence[int] = ()) -> tuple[NoteTable, dict[str, int]]:
    """Notes and programs of the six parts, each part in its range and without overlaps of a pitch."""
    gathered: list[NoteTable] = []
    weight: dict[str, dict[int, int]] = {part: {} for part in PARTS}
    melody_index = melody_track(tracks, word_ticks)
    owners: list[int] = []
    for index, track in enumerate(tracks):
        part = "melody" if index == melody_index else "drums" if track.is_drum else family(track.program)
        if part is not None:
            notes = note_tables.skyline(track.notes) if part == "melody" else track.notes
            gathered.append(notes)
            owners.append(PARTS.index(part))
            weight[part][track.program] = weight[part].get(track.program, 0) + notes.shape[1]
    table = joined(gathered)
    table[PART] = np.repeat(np.array(owners, dtype=np.int64), [notes.shape[1] for notes in gathered])
    if melody_index is None:
        _take_skyline(table)
    programs = dict(DEFAULT_PROGRAMS)
    for part, counts in weight.items():
        if part != "drums" and counts:
            programs[part] = max(counts, key=lambda program: (counts[program], -program))
    return note_tables.without_overlaps(note_tables.in_range(table)), programs


def _take_skyline(table: NoteTable) -> None:
    """Make the highest notes of the busiest of piano, strings and guitar the melody."""
    sources = [PARTS.index(part) for part in ("piano", "strings", "guitar")]
    source = max(sources, key=np.bincount(table[PART], minlength=len(PARTS)).__getitem__)
    high = np.flatnonzero((table[PART] == source) & (table[PITCH] >= _LOWEST_SKYLINE))
    line = note_tables.skyline(table[:, high])
    place = (table[START, high] << 7) + table[PITCH, high]
    order = np.lexsort((table[DURATION, high], place))
    top = high[order][np.searchsorted(place[order], (line[START] << 7) + line[PITCH])]
    table[:, top] = line
    table[PART, top] = PARTS.index("melody")
