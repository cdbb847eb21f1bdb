"""Which note each syllable begins on: text underlay by dynamic programming, its costs learnt from lead sheets.

The notes of a melody are gone through in order. Each of them

- begins the next syllable (`begin`), or several at once, and is divided between them (`share` for each further),
- holds the syllable that is being sung (`hold`, `again` where it was held already): a melisma,
- or is not sung: before the first syllable, and in an interlude (`leave` for its first note, then `rest`).

What a note does is scored by the product of the note's features, a matrix of weights and the features of the syllable
begun, held or left; a way to sing the whole is as likely as the exponential of its scores' sum (`underlay_lattice`).
From it follows how likely each syllable begins on each note, and the syllables are put where the expected number of
right ones is greatest (posterior decoding), never one before another. All lines of a song are gone through twice: the
second time a note that returns knows what its parallels did (`underlay_parallels`). The weights were learnt on half of
the lead sheets of OpenEWLD, by `python -m tests.benchmarks.underlay_fit`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from rhapsody_lib.music.score import Metre, Note
from rhapsody_lib.song.sung_words import SungSyllable
from rhapsody_lib.song.underlay_features import bar_offsets, note_rows, syllable_rows, usual_places
from rhapsody_lib.song.underlay_lattice import Expected, Floats, Lattice, Rows, Weights
from rhapsody_lib.song.underlay_parallels import parallel_groups, told_by_parallels

#: Syllables that one note begins, unless there are too few notes.
SHARE_LIMIT = 2
#: Lines that are gone through side by side.
_BATCH = 32


@dataclass(frozen=True)
class Line:
    """Some syllables and the melody that they are sung on.

    Args:
        notes: at least one, monophonic, sorted.
        bars: (start tick, metre) of the bars it lies in, in order.
        words: at least one syllable.
    """

    notes: tuple[Note, ...]
    bars: tuple[tuple[int, Metre], ...]
    words: tuple[SungSyllable, ...]


@cache
def learnt(*, opens: bool) -> Weights:
    """The weights that `align` uses: of lines that begin with their first note, or of whole songs."""
    from rhapsody_lib.song.underlay_weights import LINES, SONGS

    return Weights.of_vector(np.array((LINES if opens else SONGS).split(), dtype=np.float64))


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


def rows_of(lines: Sequence[Line]) -> list[Rows]:
    """The features of the lines of one song."""
    places = usual_places([(line.notes, line.bars) for line in lines])
    return [Rows(note_rows(line.notes, line.bars, places), syllable_rows(line.words)) for line in lines]


def _expected(weights: Weights, rows: Sequence[Rows], *, opens: bool) -> list[Expected]:
    """Probabilities for each of the texts, those of one `share_limit` side by side."""
    limits = [share_limit(len(text.notes), len(text.words)) for text in rows]
    found: dict[int, Expected] = {}
    for limit in sorted(set(limits)):
        here = [index for index, other in enumerate(limits) if other == limit]
        for start in range(0, len(here), _BATCH):
            batch = here[start : start + _BATCH]
            lattice = Lattice(weights, [rows[index] for index in batch], limit, opens=opens)
            found.update(zip(batch, lattice.expected(), strict=True))
    return [found[index] for index in range(len(rows))]


def _with_parallels(lines: Sequence[Line], rows: Sequence[Rows], chances: Sequence[Floats]) -> list[Rows]:
    """The features with what parallel notes of the song tell, given how likely each note begins a syllable."""
    notes = [note for line in lines for note in line.notes]
    groups = parallel_groups(notes, [place for line in lines for place in bar_offsets(line.notes, line.bars)])
    told = told_by_parallels(groups, np.concatenate(chances))
    cuts = np.cumsum([len(line.notes) for line in lines])[:-1]
    return [replace(text, told=part) for text, part in zip(rows, np.split(told, cuts), strict=True)]


def align_with(weights: Weights, lines: Sequence[Line], *, opens: bool = False) -> list[list[int]]:
    """`align` with these weights."""
    rows = rows_of(lines)
    asked = [index for index, line in enumerate(lines) if len(line.notes) != len(line.words)]
    chances = [np.ones(len(line.notes)) for line in lines]
    for index, expected in zip(asked, _expected(weights, [rows[i] for i in asked], opens=opens), strict=True):
        chances[index] = expected.begin.sum(axis=1)
    told = _with_parallels(lines, rows, chances) if asked else rows
    landed = [list(range(len(line.words))) for line in lines]
    for index, expected in zip(asked, _expected(weights, [told[i] for i in asked], opens=opens), strict=True):
        limit = share_limit(len(lines[index].notes), len(lines[index].words))
        landed[index] = likeliest(expected.begin + expected.share, limit)
    return landed


def align(lines: Sequence[Line], *, opens: bool = False) -> list[list[int]]:
    """Of each line the index of the note that each syllable begins on, never falling.

    A note may begin several syllables, or none. A line of as many notes as syllables has one on each. A whole song may
    be one line: time and memory grow with the product of a line's notes and syllables.

    Args:
        lines: those of one song, in order; what returns in their melody is sung alike.
        opens: the first syllable begins on the first note; otherwise notes before it may be unsung.
    """
    return align_with(learnt(opens=opens), lines, opens=opens) if lines else []
