"""The network of the notebooks: what it is fed, that it learns, and that its figures are of the same tokens as ours."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rhapsody_lib.errors import InputError
from rhapsody_lib.lyrics import evaluate, seed_network
from rhapsody_lib.lyrics.framework import load_keras
from rhapsody_lib.lyrics.seed_network import (
    EMBEDDING_SIZE,
    SEED_WEIGHT_NAMES,
    build_seed_network,
    measure_seed_network,
    perplexity,
    prefix_batches,
    seed_epoch,
)
from rhapsody_lib.lyrics.streams import joined
from rhapsody_lib.lyrics.vocabulary import SONG_ID, Vocabulary
from rhapsody_lib.settings import LyricsSettings
from rhapsody_lib.words.document import Lyrics

FILLING = 50
SETTINGS = LyricsSettings(streams=2, steps=12, learning_rate=0.01)
SONGS = st.lists(st.lists(st.integers(5, FILLING - 1), max_size=30), min_size=1, max_size=5)


@given(SONGS, st.one_of(st.none(), st.integers(0, 2**63 - 1)))
def test_each_target_is_told_by_what_stands_before_it_in_its_song(words: list[list[int]], seed: int | None) -> None:
    songs = [np.array([SONG_ID, *song], dtype=np.int32) for song in words]
    told = [
        (tuple(prefix[prefix != FILLING].tolist()), int(target))
        for batch in prefix_batches(joined(songs), FILLING, SETTINGS, seed)
        for prefix, target, weight in zip(batch.inputs, batch.targets, batch.weights, strict=True)
        if weight
    ]
    expected = [
        (tuple(song[max(0, place - SETTINGS.steps) : place].tolist()), int(song[place]))
        for song in songs
        for place in range(1, len(song))
    ]
    assert sorted(told) == sorted(expected)


@given(SONGS)
def test_prefixes_are_filled_in_front_and_little(words: list[list[int]]) -> None:
    stream = joined([np.array([SONG_ID, *song], dtype=np.int32) for song in words])
    for batch in prefix_batches(stream, FILLING, SETTINGS):
        filled = (batch.inputs == FILLING).sum(axis=1)
        assert all((row[:count] == FILLING).all() for row, count in zip(batch.inputs, filled, strict=True))
        assert len(batch.targets) == SETTINGS.streams * SETTINGS.steps
        assert batch.inputs.shape[1] <= SETTINGS.steps
        # A power of two is at most twice what it holds.
        assert (filled < np.maximum(batch.inputs.shape[1] / 2 + 1, 8)).all()


def test_it_learns_and_an_epoch_from_the_same_state_ends_the_same(songs: list[Lyrics]) -> None:
    vocabulary = Vocabulary.build(songs, 1, 1000)
    stream = joined([vocabulary.encode_song(song) for song in songs])
    settings = SETTINGS.model_copy(update={"streams": 4, "steps": 8, "learning_rate": 0.03})
    load_keras().utils.set_random_seed(1)
    network = build_seed_network(len(vocabulary), settings)
    assert len(network.trainable_variables) == len(SEED_WEIGHT_NAMES)
    assert network.trainable_variables[0].shape == (len(vocabulary) + 1, EMBEDDING_SIZE)
    before = perplexity(network, stream, settings)
    # Nothing is known at first: all tokens are about as likely.
    assert before == pytest.approx(len(vocabulary), rel=0.05)
    seed_epoch(network, stream, settings, 0)
    state = [variable.numpy() for variable in (*network.trainable_variables, *network.optimizer.variables)]
    ends = []
    for _ in range(2):
        for variable, value in zip((*network.trainable_variables, *network.optimizer.variables), state, strict=True):
            variable.assign(value)
        seed_epoch(network, stream, settings, 1)
        ends.append([variable.numpy() for variable in network.trainable_variables])
    assert perplexity(network, stream, settings) < 0.8 * before
    assert all(np.array_equal(one, other) for one, other in zip(*ends, strict=True))


def told_by(songs: list[Lyrics], monkeypatch: pytest.MonkeyPatch, found: list[float]) -> tuple[dict[str, float], int]:
    """What is told where each epoch's perplexity is one of these, and the number of epochs."""
    vocabulary = Vocabulary.build(songs, 1, 1000)
    streams = [vocabulary.encode_song(song) for song in songs]
    monkeypatch.setattr(seed_network, "seed_epoch", lambda *_: 0.0)
    monkeypatch.setattr(seed_network, "build_seed_network", lambda *_: None)
    left = iter(found)
    measured: list[int] = []

    def next_perplexity(_: object, stream: np.ndarray, *__: object) -> float:
        measured.append(len(stream))
        return next(left)

    monkeypatch.setattr(seed_network, "perplexity", next_perplexity)
    monkeypatch.setattr(evaluate, "_SONG_TOKENS", 10)
    told = measure_seed_network(streams[:2], streams[1:], len(vocabulary))
    assert set(measured) == {20}
    return told, len(measured)


@pytest.mark.parametrize("worse", [70.0, 60.0, float("nan")])
def test_it_is_measured_at_its_best_on_what_the_others_are(
    songs: list[Lyrics], monkeypatch: pytest.MonkeyPatch, worse: float
) -> None:
    told, epochs = told_by(songs, monkeypatch, [80.0, 60.0, worse, 1.0])
    assert epochs == 3
    assert told["heldout_perplexity_bilstm_seed"] == 60
    assert told["bits_per_word_bilstm_seed"] > np.log2(60)


def test_a_network_that_diverges_at_once_has_no_figures(songs: list[Lyrics], monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="without --with-seed-network"):
        told_by(songs, monkeypatch, [float("nan"), 1.0])
