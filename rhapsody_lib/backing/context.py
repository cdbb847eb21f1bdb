"""What the network is told beside the last token: where it stands, and what stood there before.

A recurrent network forgets the exact notes of a bar that is eighty tokens away, and music is repetition. So each step
also sees what is in force (style, mode, tempo, metre, section, bars left, position, chord), the last notes of melody
and bass, how many syllables of the line are still to be sung, and four hints: the token that came next at this very
place (same step, same part, same pitch order) in the bar one, two and four bars back, and in the last bar that began on
the same chord.
Each column has its own embedding; the network's input is their sum.
"""

from __future__ import annotations

import bisect
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rhapsody_lib.backing.vocabulary import Vocabulary

#: Bars back at which a hint is looked up, and bars in which the same chord is looked for.
HINT_BARS, MEMORY_BARS = (1, 2, 4), 24
#: Families of which the last token stands in a column.
_STANDING = ("style", "mode", "tempo", "metre", "section", "bar", "line", "position", "chord", "melody", "bass")
#: The last token, what stands, the melody note before the last, the hints.
COLUMNS = 1 + len(_STANDING) + 1 + len(HINT_BARS) + 1
_LINE, _POSITION, _CHORD, _MELODY = (_STANDING.index(family) for family in ("line", "position", "chord", "melody"))


class _PastBar:
    """The events of one bar: `keys` rise with step, part and pitch; `ids` are their tokens."""

    __slots__ = ("chord", "ids", "keys")

    def __init__(self) -> None:
        self.keys: list[int] = []
        self.ids: list[int] = []
        self.chord = 0

    def copy(self) -> _PastBar:
        twin = _PastBar()
        twin.keys, twin.ids, twin.chord = list(self.keys), list(self.ids), self.chord
        return twin


class BarContext:
    """The place within the song of one growing token sequence.

    `row()` is the network's input after the last token fed: COLUMNS ids, 0 (`Pad`) where there is nothing to tell.
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        starts = vocabulary.starts
        self._column = [_STANDING.index(f) if f in _STANDING else -1 for f in vocabulary.family_of]
        self._notes, self._notes_end = vocabulary.note_span
        self._stride = 4 * (self._notes_end - self._notes + 2)
        self._bar, self._bar_end, self._line = starts["bar"], starts["section"], starts["line"]
        self._position, self._chord, self._over = starts["position"], starts["chord"], starts["over"]
        self._velocity, self._duration, self._mode = starts["velocity"], starts["duration"], starts["mode"]
        self._end = starts["end"]
        self._past: list[_PastBar] = []
        self._now = _PastBar()
        self._same: _PastBar | None = None
        self._onset = self._key = 0
        self._in_bar = False
        self._token = self._melody_before = 0
        self._standing = [0] * len(_STANDING)

    def copy(self) -> BarContext:
        """An independent context at the same place."""
        twin = object.__new__(BarContext)
        twin.__dict__.update(self.__dict__)
        twin._past, twin._now, twin._standing = list(self._past), self._now.copy(), list(self._standing)
        return twin

    def feed(self, token: int) -> None:
        """Take the next token."""
        self._token = token
        column = self._column[token]
        if column == _MELODY:
            self._melody_before = self._standing[_MELODY]
            left = self._standing[_LINE]
            self._standing[_LINE] = left - 1 if left > self._line else 0
        if column >= 0:
            self._standing[column] = token
        if self._bar <= token < self._bar_end:
            self._open_bar()
        elif self._position <= token < self._mode:
            self._event(token)

    def _open_bar(self) -> None:
        if self._in_bar:
            self._past = [*self._past[-MEMORY_BARS + 1 :], self._now]
        self._in_bar, self._now, self._same = True, _PastBar(), None
        self._onset = self._key = self._standing[_POSITION] = 0

    def _event(self, token: int) -> None:
        if token < self._chord:
            self._onset = self._key = (token - self._position + 1) * self._stride
        elif token < self._over:
            self._key = self._onset + 1
            if not self._now.chord:
                self._now.chord = token
                self._same = next((bar for bar in reversed(self._past) if bar.chord == token), None)
        elif token < self._notes:
            self._key = self._onset + 2
        elif token < self._notes_end:
            self._key = self._onset + 4 * (token - self._notes + 1)
        else:
            self._key += 1 if token < self._duration else 2
        self._now.keys.append(self._key)
        self._now.ids.append(token)

    def _hint(self, bar: _PastBar | None) -> int:
        if bar is None:
            return 0
        index = bisect.bisect_right(bar.keys, self._key)
        return bar.ids[index] if index < len(bar.ids) else self._end

    def row(self) -> list[int]:
        """COLUMNS ids for the network."""
        past = self._past
        hints = [self._hint(past[-back]) if back <= len(past) else 0 for back in HINT_BARS]
        return [self._token, *self._standing, self._melody_before, *hints, self._hint(self._same)]


def context_rows(vocabulary: Vocabulary, ids: Sequence[int]) -> NDArray[np.int16]:
    """Rows of a whole sequence that starts at a header or a bar: [tokens x COLUMNS]."""
    context = BarContext(vocabulary)
    rows = []
    for token in ids:
        context.feed(token)
        rows.append(context.row())
    return np.asarray(rows, dtype=np.int16).reshape(len(rows), COLUMNS)
