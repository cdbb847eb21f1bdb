from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from rhapsody_lib.lyrics import sampling
from rhapsody_lib.lyrics.model import CACHE_SHARE
from rhapsody_lib.lyrics.sampling import History, Nucleus, draw_distinct

ROWS = hnp.arrays(np.float32, (3, 9), elements=st.floats(0, 1, width=32, allow_subnormal=False))


def drawn_from(rows: np.ndarray, temperature: float, top_p: float, seed: int) -> np.ndarray:
    """One word of each row, -1 for a row without mass."""
    owners, words = np.nonzero(rows)
    nucleus = Nucleus(owners, rows[owners, words], len(rows), temperature, top_p)
    found = nucleus.draw(np.arange(len(rows)), np.random.default_rng(seed))
    return np.where(found >= 0, np.append(words, -1)[found], -1)


@given(ROWS, st.sampled_from([0.1, 0.5, 1.0]), st.sampled_from([0.1, 1.0, 2.0]), st.integers(0, 99))
def test_a_drawn_word_lies_in_the_nucleus(rows: np.ndarray, top_p: float, temperature: float, seed: int) -> None:
    drawn = drawn_from(rows, temperature, top_p, seed)
    for row, word in zip(rows, drawn, strict=True):
        if not row.any():
            assert word == -1
            continue
        likelier = row[row > row[word]].sum(dtype=np.float64)
        assert row[word] > 0
        assert likelier <= top_p * row.sum(dtype=np.float64) * (1 + 1e-5)


def test_draws_follow_the_distribution() -> None:
    rows = np.tile(np.array([0.6, 0.3, 0.1], dtype=np.float32), (20_000, 1))
    plain = np.bincount(drawn_from(rows, 1.0, 1.0, 0), minlength=3) / 20_000
    assert plain == pytest.approx([0.6, 0.3, 0.1], abs=0.02)
    cold = np.bincount(drawn_from(rows, 0.5, 1.0, 0), minlength=3) / 20_000
    assert cold == pytest.approx(np.array([0.36, 0.09, 0.01]) / 0.46, abs=0.02)
    assert set(drawn_from(rows, 1.0, 0.5, 0).tolist()) == {0}


@given(ROWS, st.integers(1, 12), st.integers(0, 99))
def test_distinct_draws_are_distinct_and_possible(rows: np.ndarray, count: int, seed: int) -> None:
    drawn = draw_distinct(rows, 1.0, count, np.random.default_rng(seed))
    assert drawn.shape == (3, count)
    for row, words in zip(rows, drawn, strict=True):
        found = [word for word in words if word >= 0]
        assert len(set(found)) == len(found) == min(count, np.count_nonzero(row))
        assert all(row[word] > 0 for word in found)


def test_the_cache_prefers_what_followed_a_like_state() -> None:
    history = History(1, 2)
    history.add(0, np.array([[5, 0], [0, 5]], dtype=np.float32), [2, 3])
    mixed = history.mixed(np.full((1, 4), 0.25, dtype=np.float32), np.array([[5, 0]], dtype=np.float32), np.array([0]))
    assert mixed.sum() == pytest.approx(1)
    assert mixed[0, 2] == pytest.approx(0.25 * (1 - CACHE_SHARE) + CACHE_SHARE, abs=1e-4)
    assert mixed[0, 2] > mixed[0, 3]


def test_each_song_has_a_history_of_its_own_and_it_grows() -> None:
    history = History(2, 2)
    for _ in range(75):
        history.add(1, np.ones((2, 2), dtype=np.float32), [2, 2])
    plain = np.full((3, 3), 1 / 3, dtype=np.float32)
    mixed = history.mixed(plain.copy(), np.ones((3, 2), dtype=np.float32), np.array([0, 1, 1]))
    assert (mixed[0] == plain[0]).all()
    assert mixed[1:, 2] == pytest.approx((1 - CACHE_SHARE) / 3 + CACHE_SHARE)


def test_the_cache_looks_back_so_far_and_no_farther(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampling, "CACHE_TOKENS", 3)
    histories = [History(1, 2), History(1, 2)]
    rng = np.random.default_rng(0)
    old, late = rng.normal(size=(2, 3, 2)).astype(np.float32)
    histories[0].add(0, old, [0, 1, 2])
    for history in histories:
        history.add(0, late, [2, 3, 2])
    plain, states, songs = np.full((1, 4), 0.25, dtype=np.float32), old[:1], np.array([0])
    whole, short = (history.mixed(plain.copy(), states, songs) for history in histories)
    assert (whole == short).all()
    assert whole[0, 0] == pytest.approx(0.25 * (1 - CACHE_SHARE))
    assert whole[0, 2] > whole[0, 0]
