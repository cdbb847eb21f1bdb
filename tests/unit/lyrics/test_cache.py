"""The mixture is a distribution, tells alike word for word and at once, and its fit is worth what it says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rhapsody_lib.errors import DamagedArtifactError
from rhapsody_lib.lyrics.cache import (
    DEFAULT,
    EXPERTS,
    FEATURES,
    MIXTURE_FILE,
    MixtureSettings,
    Opinions,
    opinions,
)
from rhapsody_lib.lyrics.memory import SongMemory
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
def test_word_by_word_it_is_a_distribution_and_the_one_that_songs_are_measured_by(
    words: list[int], gates: list[float], with_ngram: bool, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    mixture = MixtureSettings(0.6, table(gates), table(gates[::-1]))
    stream = np.array([1, *words], dtype=np.int32)
    hidden = rng.normal(size=(len(words), HIDDEN)).astype(np.float32)
    network, ngram = distributions(rng, len(words)), distributions(rng, len(words))
    memory, told = SongMemory(mixture, HIDDEN, 1), []
    for place, word in enumerate(words):
        given_ngram = ngram[place : place + 1] if with_ngram else None
        row = memory.mixed(network[place : place + 1], hidden[place : place + 1], ngram=given_ngram)[0]
        assert row.min() >= 0
        assert row.sum() == pytest.approx(1, abs=1e-4)
        told.append(row[word])
        memory.add(hidden[place], word)
    rows = np.arange(len(words))
    found = opinions(stream, hidden, network[rows, words].astype(np.float64), ngram[rows, words].astype(np.float64))
    assert found.mixed(mixture, with_ngram=with_ngram) == pytest.approx(told, rel=1e-3, abs=1e-6)


def test_a_line_that_is_tried_is_matched_with_what_was_kept() -> None:
    memory = SongMemory(DEFAULT, 1, 1)
    for word in (10, 11, 12, 13):
        memory.add(np.zeros(1, dtype=np.float32), word)
    assert memory.match() == 0
    assert memory.match([14, 10, 11]) == 2
    flat = np.full((2, WORDS), 1 / WORDS, dtype=np.float32)
    mixed = memory.mixed(flat, np.zeros((2, 1), dtype=np.float32), [[10, 11], [14]])
    assert mixed[0].argmax() == 12
    assert mixed[0, 12] > mixed[1, 12]
    assert mixed.sum(axis=1) == pytest.approx(1, abs=1e-4)


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
    assert fitted.tokens == 8 * 50
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


def test_settings_are_read_as_written(tmp_path: Path) -> None:
    assert MixtureSettings.load(tmp_path) == DEFAULT
    other = replace(DEFAULT, theta=1.0, tokens=7)
    other.save(tmp_path)
    assert MixtureSettings.load(tmp_path) == other
    (tmp_path / MIXTURE_FILE).write_text('{"theta": 1, "gates": [[1]], "gates_with_ngram": [], "tokens": 0}')
    with pytest.raises(DamagedArtifactError, match=r"mixture\.json.*Train the lyrics model again"):
        MixtureSettings.load(tmp_path)
