"""The mixture is a distribution, believes a song that repeats itself, and its fit is worth what it says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rhapsody_lib.lyrics.cache import (
    DEFAULT,
    EXPERTS,
    FEATURES,
    MixtureSettings,
    Opinions,
    opinions,
)
from rhapsody_lib.lyrics.mixture_fit import fit_gates

WORDS, HIDDEN = 15, 4
STREAMS = st.lists(st.integers(10, WORDS - 1), min_size=1, max_size=30)
TABLES = st.lists(st.floats(-5, 5), min_size=FEATURES * len(EXPERTS), max_size=FEATURES * len(EXPERTS))


def table(values: list[float]) -> tuple[tuple[float, ...], ...]:
    return tuple(map(tuple, np.array(values).reshape(FEATURES, len(EXPERTS)).tolist()))


def distributions(rng: np.random.Generator, rows: int) -> np.ndarray:
    return rng.dirichlet(np.full(WORDS, 0.3), rows).astype(np.float32)


@given(STREAMS, TABLES, st.booleans(), st.integers(0, 99))
@settings(deadline=None)
def test_the_words_that_may_come_next_share_one_probability(
    words: list[int], gates: list[float], with_ngram: bool, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    mixture = MixtureSettings(0.6, table(gates), table(gates[::-1]))
    hidden = rng.normal(size=(len(words), HIDDEN)).astype(np.float32)
    network, ngram = distributions(rng, len(words)), distributions(rng, len(words))
    rows, told = np.arange(len(words)), []
    for last in range(WORDS):
        stream = np.array([1, *words[:-1], last], dtype=np.int32)
        given_by = [table[rows, stream[1:]].astype(np.float64) for table in (network, ngram)]
        found = opinions(stream, hidden, given_by[0], given_by[1]).mixed(mixture, with_ngram=with_ngram)
        told.append(found[-1])
    assert min(told) >= 0
    assert sum(told) == pytest.approx(1, abs=1e-4)


def test_a_line_that_was_said_before_goes_on_as_it_did() -> None:
    stream = np.array([1, 10, 11, 12, 13, 14, 10, 11, 12], dtype=np.int32)
    other = np.array([*stream[:-1], 13], dtype=np.int32)
    alike, unlike = (
        opinions(of, np.zeros((8, 1), dtype=np.float32), np.full(8, 1 / WORDS)).mixed(DEFAULT, with_ngram=False)
        for of in (stream, other)
    )
    assert alike[:-1] == pytest.approx(unlike[:-1])
    assert alike[-1] > 2 / WORDS > 2 * unlike[-1] > 0


def repeating_songs(count: int) -> list[Opinions]:
    """Songs whose second half repeats the first, told by a network that knows nothing."""
    rng, found = np.random.default_rng(0), []
    for _ in range(count):
        half = rng.integers(12, 400, 25)
        stream = np.array([1, *half, *half], dtype=np.int32)
        hidden = rng.normal(size=(50, HIDDEN)).astype(np.float32)
        found.append(opinions(stream, hidden, np.full(50, 1 / 400), np.full(50, 1 / 300)))
    return found


def perplexity(songs: list[Opinions], mixture: MixtureSettings, *, with_ngram: bool = False) -> float:
    told = np.concatenate([song.mixed(mixture, with_ngram=with_ngram) for song in songs])
    return float(np.exp(-np.log(told).mean()))


def test_what_is_fitted_on_songs_is_better_on_others() -> None:
    songs = repeating_songs(12)
    fitted = fit_gates(songs[:8], with_ngram=True)
    assert perplexity(songs[8:], fitted) < 0.9 * perplexity(songs[8:], DEFAULT) < 0.6 * 400
    assert perplexity(songs[8:], fitted, with_ngram=True) < perplexity(songs[8:], fitted)


def test_without_songs_the_defaults_stay() -> None:
    assert fit_gates([], with_ngram=True) == DEFAULT
    alone = opinions(np.array([1, 12], dtype=np.int32), np.ones((1, HIDDEN), dtype=np.float32), np.array([0.25]))
    assert perplexity([alone], DEFAULT) == pytest.approx(4)


def test_one_short_song_moves_the_defaults_little() -> None:
    song = opinions(np.array([1, 12, 13, 12, 13]), np.eye(4, dtype=np.float32), np.full(4, 0.1))
    short = fit_gates([song], with_ngram=False)
    moved = np.abs(short.weights(with_ngram=False) - DEFAULT.weights(with_ngram=False)).max()
    assert 0 < moved < 1.5
