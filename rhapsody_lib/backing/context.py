"""What the network is told beside the last token: where it stands, and what stood there before.

A recurrent network forgets the exact notes of a bar that is eighty tokens away, and music is repetition. So each step
also sees what is in force (style, mode, tempo, metre, section, bars left, position, chord), the last notes of melody
and bass, how many syllables of the line are still to be sung, and four hints: the token that came next at this very
place (same step, same part, same pitch order) in the bar one, two and four bars back, and in the last bar that began on
the same chord.
Each column has its own embedding; the network's input is their sum. Here a whole sequence is told at once; `contexts`
tells the same of many sequences that grow side by side.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rhapsody_lib.backing.vocabulary import Vocabulary

Ints = NDArray[np.int64]

#: Bars back at which a hint is looked up, and bars in which the same chord is looked for.
HINT_BARS, MEMORY_BARS = (1, 2, 4), 24
#: Families of which the last token stands in a column.
STANDING = ("style", "mode", "tempo", "metre", "section", "bar", "line", "position", "chord", "melody", "bass")
#: The last token, what stands, the melody note before the last, the hints.
COLUMNS = 1 + len(STANDING) + 1 + len(HINT_BARS) + 1
#: Columns by their number.
TOKEN, BEFORE = 0, 1 + len(STANDING)
LINE, POSITION, MELODY = (1 + STANDING.index(family) for family in ("line", "position", "melody"))
#: Keys of one bar's events are less than this, so that events of many bars lie in one rising array.
KEY_SPACE = 1 << 20


class TokenPlaces:
    """For each token: its column, and where its event stands in its bar.

    Keys of events rise within a bar with step, part and pitch. That of a velocity or a duration follows from the key
    of the event before it, that of all others from the key of their onset: `adds` is added to either.
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        size, (notes, notes_end) = len(vocabulary), vocabulary.note_span
        starts, ids = vocabulary.starts, np.arange(size)
        self.columns = np.array([1 + STANDING.index(f) if f in STANDING else -1 for f in vocabulary.family_of])
        self.opens, self.is_line = vocabulary.mask("bar"), vocabulary.mask("line")
        self.is_position, self.is_chord = vocabulary.mask("position"), vocabulary.mask("chord")
        self.is_melody, self.follows = vocabulary.mask("melody"), vocabulary.mask("velocity", "duration")
        self.is_event = (ids >= starts["position"]) & (ids < starts["mode"])
        self.line, self.end = starts["line"], starts["end"]
        stride = 4 * (notes_end - notes + 2)
        self.onsets = np.where(self.is_position, (ids - starts["position"] + 1) * stride, 0)
        self.adds = np.zeros(size, dtype=np.int64)
        self.adds[vocabulary.span("chord")], self.adds[vocabulary.span("over")] = 1, 2
        self.adds[notes:notes_end] = 4 * (ids[notes:notes_end] - notes + 1)
        self.adds[vocabulary.span("velocity")], self.adds[vocabulary.span("duration")] = 1, 2


def _last(here: NDArray[np.bool_]) -> Ints:
    """At each place the number of the last one, up to it, where something is; -1 before the first."""
    found: Ints = np.maximum.accumulate(np.where(here, np.arange(len(here)), -1))
    return found


class BarEvents:
    """The events of a sequence's bars: their ids, their keys, and where each bar's begin and end."""

    def __init__(self, places: TokenPlaces, ids: Ints) -> None:
        opens, event = places.opens[ids], places.is_event[ids]
        self.bar_of = np.cumsum(opens) - 1
        bar_start, onset = _last(opens), _last(places.is_position[ids])
        onsets = np.where(onset > bar_start, places.onsets[ids][onset], 0)
        base = _last(event & ~places.follows[ids])
        own, adds = onsets + places.adds[ids], places.adds[ids]
        sums = np.cumsum(np.where(places.follows[ids], adds, 0))
        keys = np.where(places.follows[ids], own[base] + sums - sums[base], own)
        last = _last(event)
        #: Key of the last event of its bar up to each token, 0 before the first.
        self.reached = np.where(last > bar_start, keys[last], 0)
        self.ids, self.keys = ids[event], keys[event]
        bars = self.bar_of[event]
        count = int(self.bar_of[-1]) + 1 if len(ids) else 0
        self.begins = np.searchsorted(bars, np.arange(count))
        self.ends = np.searchsorted(bars, np.arange(count), side="right")
        self.arena = bars * KEY_SPACE + self.keys
        chords = places.is_chord[self.ids]
        first = np.full(count, -1)
        first[bars[chords][::-1]] = self.ids[chords][::-1]
        #: First chord of each bar, -1 for none.
        self.chords = first


def _standing(places: TokenPlaces, ids: Ints, rows: Ints) -> None:
    """Fill all columns but the hints."""
    rows[:, TOKEN] = ids
    columns, bar_start = places.columns[ids], _last(places.opens[ids])
    for column in range(1, 1 + len(STANDING)):
        last = _last(columns == column)
        rows[:, column] = np.where(last >= (bar_start if column == POSITION else 0), ids[last], 0)
        rows[last < 0, column] = 0
    sung = places.is_melody[ids]
    notes, line = np.cumsum(sung), _last(places.is_line[ids])
    left = ids[line] - (notes - notes[line])
    rows[:, LINE] = np.where((line >= 0) & (left >= places.line), left, 0)
    melody = np.concatenate([[0, 0], ids[sung]])
    rows[:, BEFORE] = melody[notes]


def _same_chord(places: TokenPlaces, ids: Ints, events: BarEvents) -> Ints:
    """At each token, from the bar's first chord on, the last bar before that began on it; else -1."""
    same = np.full(len(events.chords), -1)
    last: dict[int, int] = {}
    for bar, chord in enumerate(events.chords.tolist()):
        if chord >= 0:
            found = last.get(chord, -1)
            same[bar] = found if found >= bar - MEMORY_BARS else -1
            last[chord] = bar
    after_chord = _last(places.is_chord[ids]) > _last(places.opens[ids])
    told: Ints = np.where(after_chord & (events.bar_of >= 0), same[events.bar_of], -1)
    return told


def context_rows(vocabulary: Vocabulary, ids: Sequence[int]) -> NDArray[np.int16]:
    """The network's input at each token of a whole sequence that starts at a header or a bar: [tokens x COLUMNS].

    COLUMNS ids each, 0 (`Pad`) where there is nothing to tell.
    """
    tokens, places = np.asarray(ids, dtype=np.int64), TokenPlaces(vocabulary)
    rows = np.zeros((len(tokens), COLUMNS), dtype=np.int64)
    if not len(tokens):
        return rows.astype(np.int16)
    _standing(places, tokens, rows)
    events = BarEvents(places, tokens)
    if len(events.chords):
        bars = [*(events.bar_of - back for back in HINT_BARS), _same_chord(places, tokens, events)]
        for column, bar in enumerate(bars, start=BEFORE + 1):
            found = np.searchsorted(events.arena, bar * KEY_SPACE + events.reached, side="right")
            inside = found < events.ends[np.maximum(bar, 0)]
            told = np.where(inside, events.ids[np.where(inside, found, 0)], places.end) if len(events.ids) else bar * 0
            rows[:, column] = np.where(bar >= 0, told, 0)
    return rows.astype(np.int16)
