"""Which note each syllable begins on: text underlay by dynamic programming, its costs learnt from lead sheets.

The notes of a melody are gone through in order. Each of them

- begins the next syllable (`begin`), or several at once, and is divided between them (`share` for each further),
- holds the syllable that is being sung (`hold`, `again` where it was held already): a melisma,
- or is not sung: before the first syllable, and in an interlude (`leave` for its first note, then `rest`).

What a note does is scored by the product of the note's features, a matrix of weights and the features of the syllable
begun, held or left; a way to sing the whole is as likely as the exponential of its scores' sum (`underlay_lattice`).
From it follows how likely each syllable begins on each note, and the syllables are put where the expected number of
right ones is greatest (posterior decoding), never one before another. The weights were learnt on half of the lead
sheets of OpenEWLD, by `python -m tests.benchmarks.underlay_fit`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np

from rhapsody_lib.music.score import Metre, Note
from rhapsody_lib.song.sung_words import SungSyllable
from rhapsody_lib.song.underlay_features import note_rows, syllable_rows
from rhapsody_lib.song.underlay_lattice import Floats, Lattice, Rows, Weights

#: Syllables that one note begins, unless there are too few notes.
SHARE_LIMIT = 2


@cache
def learnt() -> Weights:
    """The weights that `align` uses."""
    from rhapsody_lib.song.underlay_weights import WEIGHTS

    return Weights.of_vector(np.array(WEIGHTS.split(), dtype=np.float64))


def share_limit(notes: int, words: int) -> int:
    """Syllables that one note may have to begin."""
    return SHARE_LIMIT if words <= notes else max(SHARE_LIMIT, -(-words // notes) + 1)


def likeliest(chances: Floats, limit: int) -> list[int]:
    """The note of each syllable, never falling, for which the sum of chances is greatest.

    Args:
        chances: [notes x syllables] that the syllable begins on the note.
        limit: most syllables on one note.
    """
    size = chances.shape[1] + 1
    sums = np.concatenate([np.zeros((len(chances), 1)), np.cumsum(chances, axis=1)], axis=1)
    best = np.where(np.arange(size) == 0, 0.0, -np.inf)
    begun = []
    for row in sums:
        counts, reached = np.zeros(size, dtype=np.int64), best.copy()
        for count in range(1, min(limit, size - 1) + 1):
            through = best[: size - count] + row[count:] - row[: size - count]
            better = through > reached[count:]
            reached[count:][better], counts[count:][better] = through[better], count
        best = reached
        begun.append(counts)
    notes: list[int] = []
    for note in reversed(range(len(chances))):
        notes += [note] * int(begun[note][size - 1 - len(notes)])
    return notes[::-1]


def rows_of(notes: Sequence[Note], bars: Sequence[tuple[int, Metre]], words: Sequence[SungSyllable]) -> Rows:
    """The features of a text and its melody."""
    return Rows(note_rows(notes, bars), syllable_rows(words))


def align_rows(weights: Weights, rows: Rows, *, opens: bool = False) -> list[int]:
    """`align` of features, with these weights."""
    limit = share_limit(len(rows.notes), len(rows.words))
    (expected,) = Lattice(weights, [rows], limit, opens=opens).expected()
    return likeliest(expected.begin + expected.share, limit)


def align(
    notes: Sequence[Note], bars: Sequence[tuple[int, Metre]], words: Sequence[SungSyllable], *, opens: bool = False
) -> list[int]:
    """The index of the note that each syllable begins on, never falling; a note may begin several, or none.

    A line or a whole song: time and memory grow with the product of notes and syllables.

    Args:
        notes: the melody, at least one note, monophonic, sorted.
        bars: (start tick, metre) of the bars it lies in.
        words: at least one syllable.
        opens: the first syllable begins on the first note; otherwise notes before it may be unsung.
    """
    return align_rows(learnt(), rows_of(notes, bars, words), opens=opens)
