from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rhapsody_lib.lyrics.alternatives import draw


@given(size=st.integers(2, 400), seed=st.integers(0, 999), data=st.data())
def test_different_words_of_the_vocabulary_are_drawn(size: int, seed: int, data: st.DataObject) -> None:
    count = data.draw(st.integers(1, size - 1))
    by_count = np.random.default_rng(seed + 1).permutation(size)
    words, log_expected = draw(np.random.default_rng(seed), by_count, count)
    assert len(set(words.tolist())) == count
    assert words.min() >= 0
    assert words.max() < size
    assert log_expected.shape == (size,)
    assert (np.diff(log_expected[by_count]) <= 1e-6).all()  # rarer words are expected less often


def test_words_are_drawn_as_often_as_expected() -> None:
    """The frequent ones the most, whatever their numbers."""
    drawn, expected = np.zeros(100), np.zeros(100)
    by_count = np.arange(100)[::-1]
    for seed in range(2000):
        words, log_expected = draw(np.random.default_rng(seed), by_count, 20)
        drawn[words] += 1
        expected += np.exp(log_expected)
    assert np.abs(drawn - expected).max() / 2000 < 0.04
    assert drawn[90:].min() > 2 * drawn[:50].max()


def test_a_sample_is_smaller_than_the_vocabulary() -> None:
    with pytest.raises(ValueError, match="fewer"):
        draw(np.random.default_rng(0), np.arange(10), 10)
