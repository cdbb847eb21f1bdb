"""Exact search is a full sort, whatever the cut, the threads and the filter."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rhapsody_lib.errors import InputError
from rhapsody_lib.retrieval import index
from rhapsody_lib.retrieval.index import DECIMALS, ExactIndex

DIMENSION = 6


def vectors(seed: int, rows: int) -> np.ndarray:
    """Unit vectors, of which some are the same and some zero."""
    random = np.random.default_rng(seed)
    found = random.integers(-1, 2, (rows, DIMENSION)).astype(np.float32) + random.integers(0, 2) * 1e-7
    lengths = np.linalg.norm(found, axis=1, keepdims=True)
    return np.divide(found, lengths, out=np.zeros_like(found), where=lengths > 1e-3)


def full_sort(songs, query, k, allowed):
    scores = np.round(songs.astype(np.float64) @ query, DECIMALS)
    rows = [row for row in range(len(songs)) if allowed is None or allowed[row]]
    return sorted(rows, key=lambda row: (-scores[row], row))[:k]


@given(
    st.integers(0, 10_000),
    st.integers(1, 60),
    st.integers(0, 70),
    st.integers(1, 4),
    st.sampled_from([None, 0.0, 0.2, 0.9]),
    st.lists(st.integers(1, 59), max_size=3),
)
def test_search_is_a_full_sort(seed, rows, k, threads, share, cuts):
    songs, queries = vectors(seed, rows), vectors(seed + 1, 3)
    chunks = [part for part in np.split(songs, sorted(cut for cut in cuts if cut < rows)) if len(part)]
    allowed = None if share is None else np.random.default_rng(seed).random(rows) < share
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(index, "_ROWS_A_BLOCK", 7)
        patch.setattr(index, "_QUERIES_A_BLOCK", 2)
        found, scores = ExactIndex(chunks).search(queries, k, allowed=allowed, threads=threads)
    assert [list(one) for one in found] == [full_sort(songs, query, k, allowed) for query in queries]
    for query, one, values in zip(queries, found, scores, strict=True):
        np.testing.assert_allclose(values, songs[one] @ query, atol=2e-5)


def test_near_ties_at_the_end_are_told_by_the_row():
    """Two scores that are rounded to the same are a tie, whatever block they stand in and whichever is higher."""
    songs = np.zeros((9, 2), np.float32)
    songs[:, 0] = [0.1, 0.500001, 0.2, 0.500004, 0.500002, 0.1, 0.9, 0.500003, 0.3]
    query = np.array([[1, 0]], np.float32)
    for threads in (1, 2, 3):
        for size in (1, 2, 5, 9):
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(index, "_ROWS_A_BLOCK", size)
                found, _ = ExactIndex([songs]).search(query, 3, threads=threads)
            assert found[0].tolist() == [6, 1, 3]


def test_a_query_that_is_no_numbers_or_of_another_encoder_is_refused():
    songs = ExactIndex([vectors(0, 5)])
    assert len(songs) == 5
    with pytest.raises(InputError, match="no numbers"):
        songs.search(np.full((1, DIMENSION), np.nan, np.float32), 1)
    with pytest.raises(InputError, match="has 7 numbers, the catalogue's have 6"):
        songs.search(np.zeros((1, 7), np.float32), 1)


def test_nothing_to_search_finds_nothing():
    assert ExactIndex([]).search(np.zeros((0, 4), np.float32), 3) == ([], [])
    found, _ = ExactIndex([]).search(np.zeros((1, 4), np.float32), 3)
    assert found[0].tolist() == []
