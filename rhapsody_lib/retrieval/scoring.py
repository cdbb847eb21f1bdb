"""How similar a text is to every song: by the encoder's cosine, plain and about the catalogue's mean, and by TF-IDF."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from rhapsody_lib.processors import available_processors
from rhapsody_lib.retrieval.hubs import neighbourhoods
from rhapsody_lib.retrieval.serving import Vectors
from rhapsody_lib.retrieval.shapes import ShapeTable

Scores = NDArray[np.float32]
_TINY = 1e-6
#: Songs from which on threads share the products.
_SONGS_FOR_THREADS = 20_000


class Lexical(Protocol):
    """A lexical index."""

    def scores(self, text: str) -> Scores:
        """How similar each song's words are to a text's [songs]."""


@dataclass(frozen=True)
class SongMatrix:
    """Unit vectors of all songs in chunks [songs x dimension] that are read where they lie, and what centring needs.

    `hubness`, where it is known, is of each song [songs] how near it is to texts of whatever kind: the mean cosine to
    the nearest of some (CSLS: Conneau et al., Word Translation Without Parallel Data, ICLR 2018). Half of it is taken
    from the song's centred cosine, so that a song that is near to everything is not found by everything.
    """

    chunks: tuple[Vectors, ...]
    mean: Vectors
    products: Scores
    lengths: Scores
    wordless: NDArray[np.bool_]
    hubness: Scores | None = None

    @classmethod
    def of(cls, chunks: Sequence[Vectors], sums: Sequence[NDArray[np.float64]] | None = None) -> SongMatrix:
        """Matrix of chunks, of which at least one holds a song. Zero vectors are songs without words.

        Args:
            chunks: vectors [songs x dimension].
            sums: of the vectors of each chunk [dimension]; none: they are summed here.
        """
        squares = np.concatenate([np.vecdot(chunk, chunk) for chunk in chunks])
        count = max(1, int(np.count_nonzero(squares > _TINY)))
        sums = [chunk.sum(axis=0, dtype=np.float64) for chunk in chunks] if sums is None else sums
        mean = np.asarray(sum(sums) / count, dtype=np.float32)
        products = dot_products(chunks, mean)
        lengths = np.sqrt(np.maximum(squares - 2 * products + mean @ mean, 0))
        return cls(tuple(chunks), mean, products, lengths, squares <= _TINY)

    def with_hubness(self) -> SongMatrix:
        """The same with the hubness of its songs."""
        return replace(self, hubness=neighbourhoods(self.chunks, self.mean))

    def cosines(self, query: Vectors) -> Scores:
        """Cosine of a unit vector to each song [songs]."""
        return dot_products(self.chunks, query)

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
        if self.hubness is not None:
            result -= self.hubness / 2
        result[self.wordless] = -1
        return result


def dot_products(chunks: Sequence[Vectors], query: Vectors) -> Scores:
    """Product of a vector and each row of some chunks [rows]; large ones are shared by threads.

    Dot products, not a product of a matrix and a vector: for that OpenBLAS takes twice the time that reading takes.
    """
    firsts = np.cumsum([0, *map(len, chunks)])
    result = np.empty(int(firsts[-1]), np.float32)

    def work(number: int) -> None:
        np.vecdot(chunks[number], query, out=result[firsts[number] : firsts[number + 1]])

    if len(result) < _SONGS_FOR_THREADS or len(chunks) < 2:
        for number in range(len(chunks)):
            work(number)
    else:
        with ThreadPoolExecutor(available_processors()) as pool:
            list(pool.map(work, range(len(chunks))))
    return result


def standardised(scores: Scores) -> Scores:
    """Scores in standard deviations from their mean; all 0 if they are all the same."""
    deviation = float(scores.std())
    return (scores - scores.mean()) / deviation if deviation > _TINY else np.zeros_like(scores)


def features_of(
    matrix: SongMatrix, lexicon: Lexical, shapes: ShapeTable, query: Vectors, text: str
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
