import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rhapsody_lib.retrieval.scoring import SongMatrix, standardised


def unit_vectors(seed, rows):
    vectors = np.random.default_rng(seed).normal(size=(rows, 6)) + 1
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


@given(st.integers(0, 1000), st.integers(2, 20), st.integers(1, 19))
def test_centred_cosine_is_the_cosine_about_the_mean(seed, rows, cut):
    vectors, query = unit_vectors(seed, rows), unit_vectors(seed + 1, 1)[0]
    cut = min(cut, rows - 1)
    matrix = SongMatrix.of([vectors[:cut], vectors[cut:]])
    cosines = matrix.cosines(query)
    np.testing.assert_allclose(cosines, vectors @ query, atol=1e-6)
    moved, wanted = vectors - vectors.mean(axis=0), query - vectors.mean(axis=0)
    expected = moved @ wanted / np.linalg.norm(moved, axis=1) / np.linalg.norm(wanted)
    np.testing.assert_allclose(matrix.centred(query, cosines), expected, atol=1e-4)


def test_centring_removes_what_all_songs_share():
    shared = np.array([5, 0, 0], np.float32)
    vectors = np.array([[0, 1, 0], [0, 0, 1]], np.float32) + shared
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    matrix = SongMatrix.of([vectors])
    cosines = matrix.cosines(vectors[0])
    assert cosines[1] > 0.9
    assert matrix.centred(vectors[0], cosines)[1] == pytest.approx(-1, abs=1e-3)


def test_one_song_is_not_divided_by_zero():
    one = unit_vectors(0, 1)
    matrix = SongMatrix.of([one])
    assert matrix.centred(one[0], matrix.cosines(one[0])).tolist() == [0]
    matrix = SongMatrix.of([np.zeros((2, 6), np.float32)])
    assert matrix.centred(one[0], matrix.cosines(one[0])).tolist() == [-1, -1]


def test_songs_without_words_come_last_and_move_no_mean():
    vectors = unit_vectors(0, 3)
    padded = np.concatenate([vectors, np.zeros((5, 6), np.float32)])
    plain, with_empty = SongMatrix.of([vectors]), SongMatrix.of([padded])
    query = unit_vectors(7, 1)[0]
    scores = with_empty.centred(query, with_empty.cosines(query))
    np.testing.assert_allclose(scores[:3], plain.centred(query, plain.cosines(query)), atol=1e-6)
    assert scores[3:].tolist() == [-1] * 5


def test_standardised():
    assert standardised(np.array([3, 3, 3], np.float32)).tolist() == [0, 0, 0]
    np.testing.assert_allclose(standardised(np.array([1, 3], np.float32)), [-1, 1])
