"""All ways to sing some syllables on some notes, summed: a conditional random field (Lafferty et al. 2001).

Each note begins syllables, holds the one that is sung, or is not sung (`underlay`). A state after a note is how many
syllables have begun and which of the three the note did; sums over all paths run forwards and backwards over the notes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from rhapsody_lib.song.underlay_features import NOTE_FEATURES, SYLLABLE_FEATURES

Floats = NDArray[np.float64]
_IMPOSSIBLE = -1e12


@dataclass(frozen=True)
class Weights:
    """Weights of what a note does.

    Args:
        begin: [NOTE_FEATURES x SYLLABLE_FEATURES]: begins a syllable.
        share: the same of each further syllable that it begins.
        hold: of the syllable held.
        leave: of the syllable after which the singer pauses here.
        again: [NOTE_FEATURES] added where the syllable was held already.
        rest: the pause goes on, or the song has not begun.
    """

    begin: Floats
    share: Floats
    hold: Floats
    leave: Floats
    again: Floats
    rest: Floats

    @classmethod
    def of_vector(cls, vector: Floats) -> Weights:
        """All weights from one vector, in the order of the fields."""
        rows, columns = len(NOTE_FEATURES), len(SYLLABLE_FEATURES)
        matrices = vector[: 4 * rows * columns].reshape(4, rows, columns)
        return cls(*matrices, *vector[4 * rows * columns :].reshape(2, rows))

    def vector(self) -> Floats:
        """The weights one after another."""
        fields = (self.begin, self.share, self.hold, self.leave, self.again, self.rest)
        return np.concatenate([np.ravel(field) for field in fields])


@dataclass(frozen=True)
class Expected:
    """How likely each label is, in one text or (with a first axis more) in several.

    Args:
        begin: [notes x syllables] probability that the syllable is the first that the note begins.
        share: that it is a further one.
        hold: that the note holds it.
        leave: that the singer pauses after it from this note on.
        again: [notes] that the note holds a syllable that was held already.
        rest: that the note is not sung, and the one before was not.
    """

    begin: Floats
    share: Floats
    hold: Floats
    leave: Floats
    again: Floats
    rest: Floats


@dataclass(frozen=True)
class Rows:
    """A text and its melody.

    Args:
        notes: [notes x NOTE_FEATURES].
        words: [syllables x SYLLABLE_FEATURES].
        told: [notes] added to the score of beginning a syllable; 0 for all by default.
    """

    notes: Floats
    words: Floats
    told: Floats = field(default_factory=lambda: np.zeros(1))


class Lattice:
    """Scores of some texts, each on its melody; shorter melodies are padded in front with notes that are not sung.

    Args:
        weights: of the features.
        texts: at least one.
        limit: most syllables that a note begins; notes times limit is at least the number of syllables in each.
        opens: the first note begins the first syllable.
    """

    def __init__(self, weights: Weights, texts: Sequence[Rows], limit: int, *, opens: bool = False) -> None:
        self._limit, self._lengths = limit, [len(text.words) for text in texts]
        self._pads = [max(len(text.notes) for text in texts) - len(text.notes) for text in texts]
        shape = (len(texts), max(len(text.notes) for text in texts), max(self._lengths))
        self._begin, self._hold, self._leave = (np.full(shape, _IMPOSSIBLE) for _ in range(3))
        share, self._again, self._rest = np.zeros(shape), np.zeros(shape[:2]), np.zeros(shape[:2])
        for index, (text, pad) in enumerate(zip(texts, self._pads, strict=True)):
            place = (index, slice(pad, None), slice(len(text.words)))
            self._begin[place] = text.notes @ weights.begin @ text.words.T + text.told[:, None]
            self._hold[place] = text.notes @ weights.hold @ text.words.T
            self._leave[place] = text.notes @ weights.leave @ text.words.T
            share[place] = text.notes @ weights.share @ text.words.T
            self._again[index, pad:] = text.notes @ weights.again
            self._rest[index, pad:] = text.notes @ weights.rest
            if opens:
                self._rest[index, pad] = _IMPOSSIBLE
        self._shared = np.concatenate([np.zeros((*shape[:2], 1)), np.cumsum(share, axis=2)], axis=2)
        self._size = shape[2] + 1

    def _together(self, note: int, count: int) -> Floats:
        """[texts x first syllable] score of beginning `count` syllables on a note."""
        shared, rest = self._shared[:, note], self._size - count
        last_possible = self._begin[:, note, count - 1 :]
        together = self._begin[:, note, :rest] + shared[:, count:] - shared[:, 1 : rest + 1]
        return np.where(last_possible > _IMPOSSIBLE / 2, together, _IMPOSSIBLE)

    def _none(self) -> Floats:
        return np.full((len(self._lengths), self._size), _IMPOSSIBLE)

    def _forward(self) -> list[tuple[Floats, Floats, Floats]]:
        """Before each note and after the last: log sums of all ways to (begun, held, unsung), [texts x begun]."""
        begun, held, unsung = self._none(), self._none(), self._none()
        unsung[:, 0] = 0.0
        states = [(begun, held, unsung)]
        for note in range(self._begin.shape[1]):
            before = np.logaddexp(np.logaddexp(begun, held), unsung)
            next_begun, next_held, left = self._none(), self._none(), self._none()
            for count in range(1, self._limit + 1):
                through = before[:, : self._size - count] + self._together(note, count)
                next_begun[:, count:] = np.logaddexp(next_begun[:, count:], through)
            again, rest = self._again[:, note, None], self._rest[:, note, None]
            next_held[:, 1:] = np.logaddexp(begun[:, 1:], held[:, 1:] + again) + self._hold[:, note]
            left[:, 1:] = np.logaddexp(begun[:, 1:], held[:, 1:]) + self._leave[:, note]
            begun, held, unsung = next_begun, next_held, np.logaddexp(left, unsung + rest)
            states.append((begun, held, unsung))
        return states

    def expected(self) -> list[Expected]:
        """Probabilities of all labels, of each text."""
        forward = self._forward()
        last = np.logaddexp(np.logaddexp(*forward[-1][:2]), forward[-1][2])
        total = last[np.arange(len(self._lengths)), self._lengths][:, None]
        begin, share, hold, leave = (np.zeros(self._begin.shape) for _ in range(4))
        again, rest = np.zeros(self._again.shape), np.zeros(self._again.shape)
        begun_after, held_after, unsung_after = (self._none() for _ in range(3))
        for after in (begun_after, held_after, unsung_after):
            after[np.arange(len(self._lengths)), self._lengths] = 0.0
        for note in reversed(range(self._begin.shape[1])):
            begun, held, unsung = forward[note]
            before = np.logaddexp(np.logaddexp(begun, held), unsung) - total
            opening = self._none()
            for count in range(1, self._limit + 1):
                through = self._together(note, count) + begun_after[:, count:]
                first = self._size - count
                opening[:, :first] = np.logaddexp(opening[:, :first], through)
                chance = np.exp(before[:, :first] + through)
                begin[:, note, :first] += chance
                for further in range(1, count):
                    share[:, note, further : further + first] += chance
            holding, leaving = self._none(), self._none()
            resting = unsung_after + self._rest[:, note, None]
            holding[:, 1:] = self._hold[:, note] + held_after[:, 1:]
            leaving[:, 1:] = self._leave[:, note] + unsung_after[:, 1:]
            holding_again = self._again[:, note, None] + holding
            held_again = np.exp(held + holding_again - total)
            hold[:, note] = (np.exp(begun + holding - total) + held_again)[:, 1:]
            leave[:, note] = np.exp(np.logaddexp(begun, held) + leaving - total)[:, 1:]
            again[:, note] = held_again.sum(axis=1)
            rest[:, note] = np.exp(unsung + resting - total).sum(axis=1)
            shut = np.logaddexp(opening, leaving)
            begun_after, held_after = np.logaddexp(shut, holding), np.logaddexp(shut, holding_again)
            unsung_after = np.logaddexp(opening, resting)
        tables = (begin, share, hold, leave, again, rest)
        return [self._cut(index, tables) for index in range(len(self._lengths))]

    def _cut(self, index: int, tables: Sequence[Floats]) -> Expected:
        """One text's part of the tables, without padding."""
        pad, length = self._pads[index], self._lengths[index]
        own = [table[index, pad:] for table in tables]
        return Expected(*(table[:, :length] if table.ndim == 2 else table for table in own))
