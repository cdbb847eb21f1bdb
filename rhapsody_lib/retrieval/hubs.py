"""Songs that lie near to everything (hubs), and what is taken off their cosines so that they do not match everything.

Cross-domain similarity local scaling (Conneau et al.: Word Translation Without Parallel Data, ICLR 2018, section 2.3):
a cosine counts for less at a song whose own neighbours are near (`scoring.SongMatrix.centred`). The paper's neighbours
are queries; those of a catalogue are not known when it is made, so here they are other songs of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from rhapsody_lib.processors import available_processors
from rhapsody_lib.retrieval.serving import Vectors

Scores = NDArray[np.float32]

#: Songs among which neighbours are looked for, and how many of them count: measured in `docs/retrieval.md`.
REFERENCES, NEIGHBOURS = 250, 5
#: Songs whose products are held at once.
_BLOCK = 8192
_TINY = 1e-6


def neighbourhoods(
    chunks: Sequence[Vectors], mean: Vectors, *, references: int = REFERENCES, neighbours: int = NEIGHBOURS
) -> Scores:
    """Mean cosine about the mean of each song to its nearest among other songs [songs]; 0 of songs without words.

    Time is that of one product [songs x dimension] by [dimension x references].

    Args:
        chunks: unit vectors of the songs [songs x dimension] each; zero vectors are songs without words.
        mean: of the vectors of songs with words [dimension].
        references: songs, at even distances, among which neighbours are looked for.
        neighbours: of a song that count; fewer where there are fewer songs.
    """
    starts = np.cumsum([0, *(len(chunk) for chunk in chunks)])
    rows, others = _references(chunks, starts, mean, references)
    count = min(neighbours, len(rows) - 1)
    result = np.zeros(int(starts[-1]), np.float32)
    if count < 1:
        return result

    def work(place: tuple[int, int]) -> None:
        number, first = place
        block = np.asarray(chunks[number][first : first + _BLOCK])
        start = int(starts[number]) + first
        products = _about(block, mean) @ others.T
        own = (rows >= start) & (rows < start + len(block))
        products[rows[own] - start, np.flatnonzero(own)] = -2  # a song is no neighbour of its own
        nearest = np.partition(products, -count, axis=1)[:, -count:].mean(axis=1)
        known = np.einsum("ij,ij->i", block, block) > _TINY
        result[start : start + len(block)] = np.where(known, nearest, 0)

    places = [(number, first) for number, chunk in enumerate(chunks) for first in range(0, len(chunk), _BLOCK)]
    # One thread of BLAS to each of ours: two products on two threads each take half as long again.
    with threadpool_limits(1, "blas"), ThreadPoolExecutor(available_processors()) as pool:
        list(pool.map(work, places))
    return result


def _references(
    chunks: Sequence[Vectors], starts: NDArray[np.int64], mean: Vectors, count: int
) -> tuple[NDArray[np.int64], Vectors]:
    """Rows of songs with words at even distances, and their unit vectors about the mean."""
    total = int(starts[-1])
    rows = np.unique(np.linspace(0, max(0, total - 1), min(count, total)).round().astype(np.int64))
    places = np.searchsorted(starts, rows, side="right") - 1
    found = [chunks[place][row - starts[place]] for row, place in zip(rows, places, strict=True)]
    vectors = np.array(found, np.float32).reshape(len(rows), len(mean))
    known = np.einsum("ij,ij->i", vectors, vectors) > _TINY
    return rows[known], _about(vectors[known], mean)


def _about(vectors: Vectors, mean: Vectors) -> Vectors:
    """Unit vectors about the mean; zero at the mean itself."""
    moved = vectors - mean
    lengths = np.linalg.norm(moved, axis=1, keepdims=True)
    return np.asarray(moved / np.maximum(lengths, _TINY), dtype=np.float32)
