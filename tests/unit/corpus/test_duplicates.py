from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rhapsody_lib.corpus.duplicates import DuplicateIndex, jaccard, rows_per_band, shingles

word_lists = st.lists(st.sampled_from(["a", "b", "c", "d", "e", "f", "g"]), min_size=1, max_size=30)


def _song(seed: int, length: int = 120) -> list[str]:
    return [f"w{number}" for number in np.random.default_rng(seed).integers(0, 400, length)]


@given(word_lists, word_lists)
def test_hashed_shingles_have_the_jaccard_similarity_of_the_real_ones(one: list[str], other: list[str]) -> None:
    def real(words: list[str]) -> set[tuple[str, ...]]:
        return {tuple(words[i : i + 3]) for i in range(max(1, len(words) - 2))}

    expected = len(real(one) & real(other)) / len(real(one) | real(other))
    assert abs(jaccard(shingles(one), shingles(other)) - expected) < 1e-9


def test_same_words_are_an_exact_duplicate_of_the_first() -> None:
    with DuplicateIndex(0.8) as index:
        assert index.add_or_find("first", _song(1)) is None
        found = index.add_or_find("second", _song(1))
    assert found is not None
    assert (found.song_id, found.exact) == ("first", True)


def test_every_near_duplicate_above_the_threshold_is_found_and_none_below() -> None:
    with DuplicateIndex(0.6) as index:
        for seed in range(60):
            assert index.add_or_find(f"song {seed}", _song(seed)) is None
        for seed in range(60):
            changed = _song(seed)
            for place in range(0, 5 * (1 + seed % 8), 5):
                changed[place] = f"new{place}"
            expected = jaccard(shingles(changed), shingles(_song(seed)))
            found = index.add_or_find(f"copy {seed}", changed)
            assert (found is not None) == (expected >= 0.6), (seed, expected)
            if found is not None:
                assert found.song_id == f"song {seed}"
                assert abs(found.similarity - expected) < 1e-9


def test_one_word_songs_are_compared_too() -> None:
    with DuplicateIndex(0.8) as index:
        assert index.add_or_find("a", ["la"]) is None
        assert index.add_or_find("b", ["lo"]) is None
        assert index.add_or_find("c", ["la"]) is not None


def test_bands_are_as_selective_as_the_recall_allows() -> None:
    assert rows_per_band(1.0) == 16
    assert 1 <= rows_per_band(0.3) < rows_per_band(0.6) < rows_per_band(0.9)
