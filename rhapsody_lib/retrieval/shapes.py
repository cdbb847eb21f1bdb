"""The shape of a song's lines: how long they are and how they alternate, which is what its tune has to hold.

A text of the same metre can be sung to the same music, whatever it is about; and songs keep their metre, so the shape
finds the other half of a song too (`docs/retrieval.md`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rhapsody_lib.errors import DamagedArtifactError
from rhapsody_lib.recipe import BUILD_AGAIN
from rhapsody_lib.retrieval.lexical import words_of

#: Of the logarithms of the lines' lengths: mean, least, most, and the mean differences to the next line and to the one
#: after it. A ballad's long and short lines in turn differ from the next line, not from the one after it.
FIGURES = ("length", "shortest", "longest", "next", "next_but_one")
#: How much each tells, by songs that are in no figure of ours.
_IMPORTANCE = np.array([3.0, 0.5, 1.0, 0.5, 0.5], np.float32)
#: Figures are whole numbers of these steps. So sums over songs are exact, in whatever order and pieces.
STEP = 1 / 2048
_NONE = np.iinfo(np.int16).min
_SMALL = 1e-3
Shapes = NDArray[np.int16]


def shape_of(text: str) -> Shapes:
    """The shape [figures] of a text in steps; the least number without a word, for no words have no shape."""
    logs = [math.log1p(sum(map(len, words))) for words in map(words_of, text.splitlines()) if words]
    if not logs:
        return np.full(len(FIGURES), _NONE, np.int16)
    figures = (math.fsum(logs) / len(logs), min(logs), max(logs), _mean_step(logs, 1), _mean_step(logs, 2))
    most = np.iinfo(np.int16).max
    return np.array([min(round(figure / STEP), most) for figure in figures], np.int16)


def _mean_step(values: Sequence[float], apart: int) -> float:
    """Mean difference of values that stand so far apart; 0 without any."""
    steps = [abs(one - other) for one, other in zip(values, values[apart:], strict=False)]
    return math.fsum(steps) / len(steps) if steps else 0.0


@dataclass(frozen=True)
class ShapeTable:
    """Shapes of all songs in chunks [songs x figures], and the spread of each figure over them, in steps [figures]."""

    chunks: Sequence[Shapes]
    spreads: NDArray[np.float32]

    @classmethod
    def build(cls, texts: Iterable[str]) -> ShapeTable:
        """Table of texts; song `i` is the i-th text."""
        shapes = np.array([shape_of(text) for text in texts], np.int16).reshape(-1, len(FIGURES))
        return cls.of([shapes], [shape_sums(shapes)])

    @classmethod
    def of(cls, chunks: Sequence[Shapes], sums: Sequence[NDArray[np.int64]]) -> ShapeTable:
        """Table of shapes in chunks, with `shape_sums` of each."""
        count, total, squares = sum(sums, np.zeros((3, len(FIGURES)), np.int64)).astype(object)
        if not count[0]:
            return cls(chunks, np.ones(len(FIGURES), np.float32))
        # Whole numbers of any size: the squares of many songs times their number do not fit 64 bits.
        variances = [
            (int(n * square - each * each)) / int(n * n) for n, each, square in zip(count, total, squares, strict=True)
        ]
        spreads = np.maximum(np.sqrt(np.array(variances, np.float64)), _SMALL / STEP)
        return cls(chunks, spreads.astype(np.float32))

    def scores(self, text: str) -> NDArray[np.float32]:
        """How near each song's shape is to the text's, float32 [songs]: the higher the nearer, 0 the same.

        The weighted sum of the differences in spreads, with its sign turned. A song without words is as far as the
        farthest; to a text without words all are alike.

        Raises:
            DamagedArtifactError: a score is no number.
        """
        wanted, weights = shape_of(text), _IMPORTANCE / self.spreads
        near = np.zeros(sum(map(len, self.chunks)), np.float32)
        if wanted[0] == _NONE:
            return near
        first = 0
        # The flag of an invalid value was once seen set here, not again in millions of tries: the values are looked at.
        with np.errstate(invalid="ignore"):
            for chunk in self.chunks:
                np.matmul(-np.abs(chunk.astype(np.float32) - wanted), weights, out=near[first : first + len(chunk)])
                first += len(chunk)
        if not np.isfinite(near).all():
            raise DamagedArtifactError(f"The catalogue's shapes of lines are no numbers: it is damaged. {BUILD_AGAIN}")
        wordless = np.concatenate([chunk[:, 0] == _NONE for chunk in self.chunks])
        if wordless.any():
            near[wordless] = near[~wordless].min(initial=0.0)
        return near


def shape_sums(shapes: Shapes) -> NDArray[np.int64]:
    """Of the songs with words their number, and the sums and sums of squares of each figure [3 x figures]."""
    told = shapes[shapes[:, 0] != _NONE].astype(np.int64)
    return np.stack([np.full(len(FIGURES), len(told)), told.sum(axis=0), (told**2).sum(axis=0)])
