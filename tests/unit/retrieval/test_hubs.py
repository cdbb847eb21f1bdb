"""A song near to all others counts for less, whatever pieces the catalogue is in."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rhapsody_lib.retrieval import hubs
from rhapsody_lib.retrieval.hubs import neighbourhoods
from rhapsody_lib.retrieval.scoring import SongMatrix


def unit(values: np.ndarray) -> np.ndarray:
    return (values / np.linalg.norm(values, axis=1, keepdims=True)).astype(np.float32)


@settings(max_examples=30)
@given(st.integers(0, 1000), st.integers(3, 40), st.integers(0, 40), st.integers(1, 50))
def test_it_is_the_mean_cosine_to_the_nearest_others_in_any_pieces(seed: int, songs: int, cut: int, block: int) -> None:
    vectors = unit(np.random.default_rng(seed).normal(size=(songs, 6)) + 1)
    mean, cut = vectors.mean(axis=0), min(cut, songs)
    about = unit(vectors - mean)
    products = about @ about.T
    np.fill_diagonal(products, -2)
    expected = np.sort(products, axis=1)[:, -2:].mean(axis=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hubs, "_BLOCK", block)
        found = neighbourhoods([vectors[:cut], vectors[cut:]], mean, neighbours=2)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_hub_loses_to_a_song_that_is_near_to_the_query_alone() -> None:
    random = np.random.default_rng(0)
    crowd = unit(random.normal(size=(200, 8)) * 0.2 + np.eye(8)[0])
    apart = unit(random.normal(size=(200, 8)) + np.eye(8)[1])
    vectors = np.concatenate([crowd, apart])
    near = neighbourhoods([vectors], vectors.mean(axis=0), references=100)
    assert near[:200].mean() > near[200:].mean() + 0.1
    plain = SongMatrix.of([vectors])
    corrected, query = plain.with_hubness(), vectors[:20].mean(axis=0)
    lost = plain.centred(query, plain.cosines(query)) - corrected.centred(query, corrected.cosines(query))
    assert lost[:200].mean() > lost[200:].mean() + 0.05


def test_songs_without_words_are_no_neighbours_and_come_last() -> None:
    vectors = unit(np.random.default_rng(1).normal(size=(5, 6)))
    padded = np.concatenate([vectors, np.zeros((4, 6), np.float32)])
    plain, near = (neighbourhoods([held], vectors.mean(axis=0)) for held in (vectors, padded))
    np.testing.assert_allclose(near[:5], plain, atol=1e-6)
    assert not near[5:].any()
    matrix = SongMatrix.of([padded]).with_hubness()
    scores = matrix.centred(vectors[0], matrix.cosines(vectors[0]))
    assert scores[:5].min() > scores[5:].max()


def test_one_song_and_none_have_no_neighbours() -> None:
    one = unit(np.ones((1, 6)))
    assert neighbourhoods([one], one[0]).tolist() == [0]
    assert neighbourhoods([np.zeros((2, 6), np.float32)], np.zeros(6, np.float32)).tolist() == [0, 0]
    assert neighbourhoods([one[:0]], one[0]).tolist() == []
