"""The network's input of many sequences that grow side by side: `context.context_rows`, a token of each at a time.

Every sequence has a slot: a column of one table of numbers, so that a step of all is a few operations on rows of it.
Bars that are over lie one after another in one array of rising keys, in which the hints of all slots are found by one
search.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rhapsody_lib.backing.context import (
    BEFORE,
    COLUMNS,
    HINT_BARS,
    KEY_SPACE,
    LINE,
    MELODY,
    MEMORY_BARS,
    POSITION,
    TOKEN,
    BarEvents,
    Ints,
    TokenPlaces,
    context_rows,
)
from rhapsody_lib.backing.vocabulary import Vocabulary

#: Rows of the table: the columns that stand, then the key reached, that of the onset, whether a bar is open, its events
#: so far and its first chord (-1 for none), and the bars that hints are taken from (-1 for none).
_KEY, _ONSET, _OPEN, _COUNT, _FIRST_CHORD, _HINTED = range(BEFORE + 1, BEFORE + 7)
_SAME = _HINTED + len(HINT_BARS)
_FIELDS = _SAME + 1
_FIRST_EVENTS = 512


@dataclass(frozen=True)
class ContextMark:
    """The place after a whole bar, from which any slot may go on."""

    table: Ints
    past: Ints


class _Bars:
    """Bars that are over: `keys` rise through all of them, a bar's own by KEY_SPACE times its number."""

    def __init__(self) -> None:
        self.keys, self.ids = np.zeros(1 << 14, dtype=np.int64), np.zeros(1 << 14, dtype=np.int64)
        self.begins, self.ends, self.chords = (np.zeros(1 << 9, dtype=np.int64) for _ in range(3))
        self.count = self.size = 0

    def add(self, keys: Ints, ids: Ints, chord: int) -> int:
        """Append a bar and tell its number."""
        begin, end = self.size, self.size + len(ids)
        if end > len(self.ids):
            self.keys, self.ids = (np.resize(held, 2 * end) for held in (self.keys, self.ids))
        if self.count == len(self.chords):
            held = (self.begins, self.ends, self.chords)
            self.begins, self.ends, self.chords = (np.resize(numbers, 2 * self.count) for numbers in held)
        self.keys[begin:end], self.ids[begin:end] = keys + self.count * KEY_SPACE, ids
        self.begins[self.count], self.ends[self.count], self.chords[self.count] = begin, end, chord
        self.size, self.count = end, self.count + 1
        return self.count - 1

    def next_events(self, bars: Ints, keys: Ints, end: int) -> Ints:
        """The first event beyond a key of each bar, `end` where there is none, 0 for bar -1."""
        found = np.searchsorted(self.keys[: self.size], bars * KEY_SPACE + keys, side="right")
        inside = found < self.ends[bars]
        return np.where(bars < 0, 0, np.where(inside, self.ids[np.where(inside, found, 0)], end))


class Contexts:
    """The places within their songs of sequences that grow side by side, one in each slot."""

    def __init__(self, vocabulary: Vocabulary, slots: int = 0) -> None:
        self._vocabulary, self._places = vocabulary, TokenPlaces(vocabulary)
        self._bars = _Bars()
        self.resize(slots)

    def resize(self, slots: int) -> None:
        """Have so many slots, all empty. Marks hold."""
        self._table = np.zeros((_FIELDS, slots), dtype=np.int64)
        self._past = np.full((slots, MEMORY_BARS), -1)
        self._keys = np.zeros((slots, _FIRST_EVENTS), dtype=np.int64)
        self._ids = np.zeros((slots, _FIRST_EVENTS), dtype=np.int64)

    def read(self, ids: Sequence[int]) -> tuple[ContextMark, NDArray[np.int16]]:
        """The place after a sequence of whole bars, or of a header alone, and the input at each of its tokens."""
        rows, events = context_rows(self._vocabulary, ids), BarEvents(self._places, np.asarray(ids, dtype=np.int64))
        table, past = np.zeros(_FIELDS, dtype=np.int64), np.full(MEMORY_BARS, -1)
        table[: BEFORE + 1] = rows[-1, : BEFORE + 1]
        spans = list(zip(events.begins.tolist(), events.ends.tolist(), events.chords.tolist(), strict=True))
        for begin, end, chord in spans[-MEMORY_BARS:]:
            _append(past, self._bars.add(events.keys[begin:end], events.ids[begin:end], chord))
        return ContextMark(table, past), rows

    def mark(self, slot: int) -> ContextMark:
        """The place of a slot; its bar counts as over."""
        table, past = self._table[:, slot].copy(), self._past[slot].copy()
        self._close(slot, table, past)
        return ContextMark(table, past)

    def go_to(self, slots: slice, mark: ContextMark) -> None:
        """Let some slots go on from a mark."""
        self._table[:, slots] = mark.table[:, None]
        self._past[slots] = mark.past

    def bars(self, mark: ContextMark, count: int) -> list[tuple[int, ...]]:
        """Events of the last bars before a mark."""
        held = self._bars
        return [tuple(held.ids[held.begins[b] : held.ends[b]].tolist()) for b in mark.past[len(mark.past) - count :]]

    def rows(self, slots: Ints) -> Ints:
        """The input after the last token of some slots, [slots x COLUMNS]."""
        table = self._table[:, slots]
        rows = np.empty((len(slots), COLUMNS), dtype=np.int64)
        rows[:, : BEFORE + 1] = table[: BEFORE + 1].T
        rows[:, BEFORE + 1 :] = self._bars.next_events(table[_HINTED:], table[_KEY], self._places.end).T
        return rows

    def push(self, slots: Ints, tokens: Ints) -> None:
        """Append a token to each of some slots."""
        places, table, line = self._places, self._table[:, slots], np.arange(len(slots))
        table[TOKEN] = tokens
        sung = places.is_melody[tokens]
        if sung.any():
            table[BEFORE] = np.where(sung, table[MELODY], table[BEFORE])
            left = table[LINE]
            table[LINE] = np.where(sung, np.where(left > places.line, left - 1, 0), left)
        columns = places.columns[tokens]
        stands = columns >= 0
        table[columns[stands], line[stands]] = tokens[stands]
        for place in np.flatnonzero(places.opens[tokens]).tolist():
            self._open(int(slots[place]), table[:, place])
        self._add_events(slots, tokens, table)
        self._table[:, slots] = table

    def _add_events(self, slots: Ints, tokens: Ints, table: Ints) -> None:
        places = self._places
        event = places.is_event[tokens]
        table[_ONSET] = np.where(places.is_position[tokens], places.onsets[tokens], table[_ONSET])
        base = np.where(places.follows[tokens], table[_KEY], table[_ONSET])
        table[_KEY] = np.where(event, base + places.adds[tokens], table[_KEY])
        count = table[_COUNT]
        if count.max() == self._ids.shape[1]:
            self._keys, self._ids = (np.concatenate([held, held], axis=1) for held in (self._keys, self._ids))
        # Where no event is added, the next one is written over this.
        self._keys[slots, count], self._ids[slots, count] = table[_KEY], tokens
        table[_COUNT] = count + event
        begun = places.is_chord[tokens] & (table[_FIRST_CHORD] < 0)
        for place in np.flatnonzero(begun).tolist():
            table[_FIRST_CHORD, place] = tokens[place]
            past = self._past[slots[place]]
            alike = np.flatnonzero((self._bars.chords[past] == tokens[place]) & (past >= 0))
            table[_SAME, place] = past[alike[-1]] if len(alike) else -1

    def _open(self, slot: int, table: Ints) -> None:
        """Begin a bar in a slot, whose numbers are given."""
        past = self._past[slot]
        self._close(slot, table, past)
        table[_KEY] = table[_ONSET] = table[POSITION] = 0
        table[_OPEN], table[_FIRST_CHORD], table[_SAME] = 1, -1, -1
        for place, back in enumerate(HINT_BARS):
            table[_HINTED + place] = past[-back]

    def _close(self, slot: int, table: Ints, past: Ints) -> None:
        """End the bar of a slot, if one is open: it becomes the last of `past`."""
        if table[_OPEN]:
            count = table[_COUNT]
            bar = self._bars.add(self._keys[slot, :count], self._ids[slot, :count], int(table[_FIRST_CHORD]))
            _append(past, bar)
        table[_OPEN] = table[_COUNT] = 0


def _append(past: Ints, bar: int) -> None:
    past[:-1], past[-1] = past[1:].copy(), bar
