"""Exact search: the songs with the highest cosines to one or many queries, by matrix product over the mapped vectors.

Nothing is approximated and nothing is copied. A search reads all vectors once, however many queries it has, so that a
hundred together cost little more than ten alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rhapsody_lib.errors import InputError
from rhapsody_lib.processors import available_processors
from rhapsody_lib.recipe import BUILD_AGAIN
from rhapsody_lib.retrieval.scoring import Scores
from rhapsody_lib.retrieval.serving import Vectors

#: Cosines that differ by less are ties: more digits are the processor's, not the songs'.
DECIMALS = 5
#: Two scores that are rounded to the same differ by no more, a little aside for the rounding of the floor itself.
_ROUNDING = 1.1 * 10.0**-DECIMALS
#: Songs and queries of one product: its result stays in a core's cache.
_ROWS_A_BLOCK, _QUERIES_A_BLOCK = 4096, 128
#: Queries that are faster one by one than in a product of two matrices.
_FEW_QUERIES = 3
Rows = NDArray[np.int64]
Mask = NDArray[np.bool_]


@lru_cache(maxsize=1)
def _controller() -> Any:
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def _one_blas_thread() -> AbstractContextManager[Any]:
    """The threads are ours: a product over vectors in memory is bound by its bandwidth, which BLAS does not know of."""
    context: AbstractContextManager[Any] = _controller().limit(limits=1, user_api="blas")
    return context


@dataclass(frozen=True)
class ExactIndex:
    """Unit vectors of all songs, in chunks [songs x dimension]."""

    chunks: Sequence[Vectors]

    def __len__(self) -> int:
        return sum(len(chunk) for chunk in self.chunks)

    def search(
        self, queries: Vectors, k: int, *, allowed: Mask | None = None, threads: int = 0
    ) -> tuple[list[Rows], list[Scores]]:
        """The k rows with the highest cosines to each query, best first, exactly; of equal ones the first row first.

        Args:
            queries: unit vectors [queries x dimension].
            k: how many; fewer are found where fewer are allowed.
            allowed: whether each song may be found [songs]; none: all.
            threads: 0 is one for each processor. The result does not depend on it.

        Returns:
            For each query the rows, and their cosines rounded to `DECIMALS`.

        Raises:
            InputError: the queries have another dimension, or are no numbers.
        """
        queries = self.checked(queries)
        parts = [
            self._search(queries[first : first + _QUERIES_A_BLOCK], k, allowed, threads)
            for first in range(0, len(queries), _QUERIES_A_BLOCK)
        ]
        return [rows for part in parts for rows in part[0]], [scores for part in parts for scores in part[1]]

    def checked(self, queries: Vectors) -> Vectors:
        """The queries as they are searched for.

        Raises:
            InputError: they have another dimension, or are no numbers.
        """
        dimension = self.chunks[0].shape[1] if self.chunks else queries.shape[-1]
        if queries.ndim != 2 or queries.shape[1] != dimension:
            raise InputError(f"The query's vector has {queries.shape[-1]} numbers, the catalogue's have {dimension}.")
        if not np.isfinite(queries).all():
            raise InputError(f"The query's vector is no numbers. {BUILD_AGAIN}")
        return np.ascontiguousarray(queries, dtype=np.float32)

    def _blocks(self, allowed: Mask | None) -> Iterator[tuple[int, Vectors, Mask | None]]:
        """(first row, vectors, mask) of runs of rows, without those of which none is allowed."""
        row = 0
        for chunk in self.chunks:
            for start in range(0, len(chunk), _ROWS_A_BLOCK):
                block = chunk[start : start + _ROWS_A_BLOCK]
                mask = None if allowed is None else allowed[row : row + len(block)]
                if mask is None or mask.any():
                    yield row, block, mask
                row += len(block)

    def _search(self, queries: Vectors, k: int, allowed: Mask | None, threads: int) -> tuple[list[Rows], list[Scores]]:
        blocks, count = list(self._blocks(allowed)) if k > 0 else [], threads or available_processors()

        def work(number: int) -> list[_Best]:
            best, floors = [_Best(k) for _ in queries], np.full(len(queries), -np.inf, np.float32)
            for first, vectors, mask in blocks[number::count]:
                products = _products(queries, vectors)
                if mask is not None:
                    products[:, ~mask] = -np.inf
                for place in np.flatnonzero(products.max(axis=1) > floors):
                    floors[place] = best[place].add(first, products[place])
            return best

        with _one_blas_thread():
            if count == 1 or len(blocks) < 2:
                parts = [work(number) for number in range(count)]
            else:
                with ThreadPoolExecutor(count) as pool:
                    parts = list(pool.map(work, range(count)))
        found = [_merged([part[place] for part in parts], k) for place in range(len(queries))]
        return [rows for rows, _ in found], [scores for _, scores in found]


def _products(queries: Vectors, vectors: Vectors) -> Scores:
    """Product of each query with each vector [queries x vectors]."""
    if len(queries) <= _FEW_QUERIES:
        # OpenBLAS takes twice as long for a matrix and a vector as reading the matrix does; not so for dot products.
        return np.stack([np.vecdot(vectors, query) for query in queries])
    together: Scores = vectors @ queries.T
    transposed: Scores = together.T
    return transposed


class _Best:
    """The rows that may be among the k best of those seen so far: all whose rounded score may equal the k-th."""

    def __init__(self, k: int) -> None:
        self._k, self._floor = k, -np.inf
        self.rows, self.scores = np.empty(0, np.int64), np.empty(0, np.float32)

    def add(self, first: int, scores: Scores) -> float:
        """Look at the scores of the rows from `first` on; returns the score above which a row is of interest."""
        places = np.flatnonzero(scores > self._floor)
        self.rows = np.concatenate([self.rows, places + first])
        self.scores = np.concatenate([self.scores, scores[places]])
        if len(self.scores) >= self._k:
            kth = np.partition(self.scores, len(self.scores) - self._k)[len(self.scores) - self._k]
            self._floor = float(kth) - _ROUNDING
            kept = self.scores > self._floor
            self.rows, self.scores = self.rows[kept], self.scores[kept]
        return self._floor


def _merged(parts: Sequence[_Best], k: int) -> tuple[Rows, Scores]:
    """The k best of what several threads found."""
    rows, scores = (np.concatenate([getattr(part, name) for part in parts]) for name in ("rows", "scores"))
    return best_of(rows, scores, k)


def best_of(rows: Rows, scores: Scores, k: int) -> tuple[Rows, Scores]:
    """The k best of some rows by their scores, which are rounded to `DECIMALS`; of equal ones the first row first."""
    rounded = np.round(scores, DECIMALS)
    order = np.lexsort((rows, -rounded))[:k]
    return rows[order], rounded[order]
