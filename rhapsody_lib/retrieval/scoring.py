"""How similar a text is to every song: by the encoder's cosine, plain and about the catalogue's mean, and by TF-IDF."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rhapsody_lib.retrieval.lexical import LexicalIndex
from rhapsody_lib.retrieval.serving import Vectors
from rhapsody_lib.retrieval.shapes import ShapeTable

Scores = NDArray[np.float32]
_TINY = 1e-6


@dataclass(frozen=True)
class SongMatrix:
    """Unit vectors of all songs in chunks [songs x dimension] that are read where they lie, and what centring needs."""

    chunks: tuple[Vectors, ...]
    mean: Vectors
    products: Scores
    lengths: Scores
    wordless: NDArray[np.bool_]

    @classmethod
    def of(cls, chunks: Sequence[Vectors]) -> SongMatrix:
        """Matrix of chunks, of which at least one holds a song. Zero vectors are songs without words."""
        squares = np.concatenate([np.einsum("ij,ij->i", chunk, chunk) for chunk in chunks])
        count = max(1, int(np.count_nonzero(squares > _TINY)))
        mean = np.asarray(sum(chunk.sum(axis=0, dtype=np.float64) for chunk in chunks) / count, dtype=np.float32)
        products = np.concatenate([chunk @ mean for chunk in chunks])
        lengths = np.sqrt(np.maximum(squares - 2 * products + mean @ mean, 0))
        return cls(tuple(chunks), mean, products, lengths, squares <= _TINY)

    def cosines(self, query: Vectors) -> Scores:
        """Cosine of a unit vector to each song [songs]."""
        # As in `index`: for a matrix and one vector, dot products are twice as fast as the product.
        return np.concatenate([np.vecdot(chunk, query) for chunk in self.chunks])

    def centred(self, query: Vectors, cosines: Scores) -> Scores:
        """Cosine after the songs' mean vector was taken from both sides [songs]; -1 to songs without words.

        All songs share a direction (they are songs), which says nothing of any of them: without it, the other half of a
        song is found more often (Mu, Viswanath: All-but-the-Top, ICLR 2018, with the mean alone).
        """
        length = float(np.linalg.norm(query - self.mean))
        products = cosines - self.products - query @ self.mean + self.mean @ self.mean
        scale = self.lengths * length
        result = np.zeros_like(cosines)
        np.divide(products, scale, out=result, where=scale > _TINY)
        result[self.wordless] = -1
        return result


def standardised(scores: Scores) -> Scores:
    """Scores in standard deviations from their mean; all 0 if they are all the same."""
    deviation = float(scores.std())
    return (scores - scores.mean()) / deviation if deviation > _TINY else np.zeros_like(scores)


def features_of(
    matrix: SongMatrix, lexicon: LexicalIndex, shapes: ShapeTable, query: Vectors, text: str
) -> tuple[Scores, tuple[Scores, Scores, Scores]]:
    """Plain cosines [songs], and what a song's score is the sum of (`calibration.FEATURES`), [songs] each.

    Args:
        matrix: vectors of the songs.
        lexicon: their lexical index.
        shapes: of their lines.
        query: unit vector of the text.
        text: the words that are looked for.
    """
    cosines = matrix.cosines(query)
    return cosines, (matrix.centred(query, cosines), lexicon.scores(text), shapes.scores(text))
