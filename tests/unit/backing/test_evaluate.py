"""The figure of music is told per quarter note, and agrees with the network that was trained."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

import rhapsody_lib
from rhapsody_lib.backing import evaluate
from rhapsody_lib.backing.dataset import pack
from rhapsody_lib.backing.evaluate import evaluate_backing, heldout_nats, measure_priming
from rhapsody_lib.backing.model import BackingModel
from rhapsody_lib.backing.network import build_network
from rhapsody_lib.backing.tokens import HEADER_TOKENS, encode
from rhapsody_lib.backing.vocabulary import Vocabulary
from rhapsody_lib.corpus.songbook import read_song, songbook_files
from rhapsody_lib.corpus.songbook_reader import read_songbook_track
from rhapsody_lib.music.score import TICKS_PER_BEAT, Score
from rhapsody_lib.settings import BackingSettings


@pytest.fixture(scope="module")
def scores() -> list[Score]:
    files = itertools.islice(songbook_files(Path(rhapsody_lib.__file__).parent / "songbook"), 3)
    return [read_songbook_track(read_song(path)) for path in files]


@pytest.fixture(scope="module")
def vocabulary(scores: list[Score]) -> Vocabulary:
    return Vocabulary(tuple(sorted({score.style for score in scores})))


def test_it_is_the_trained_network_s_loss(scores: list[Score], vocabulary: Vocabulary) -> None:
    torch = pytest.importorskip("torch")
    from rhapsody_lib.backing.training import heldout_nll

    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = build_network(len(vocabulary), BackingSettings(embedding_size=8, hidden_size=12))
    songs = [pack(vocabulary, encode(vocabulary, score), drop_repeats=False) for score in scores]
    tokens = sum(len(song.ids) - HEADER_TOKENS for song in songs)
    beats = sum(score.end_ticks for score in scores) / TICKS_PER_BEAT
    model = BackingModel(vocabulary, {name: value.numpy() for name, value in network.state_dict().items()})
    found = evaluate_backing(model, scores)
    assert found["nats_per_beat"] == pytest.approx(heldout_nll(network, songs) * tokens / beats, rel=1e-4)
    assert (found["beats"], found["scores"], found["unusable_scores"]) == (beats, 3, 0)


def test_a_model_that_knows_nothing_costs_the_logarithm_of_its_vocabulary(
    scores: list[Score], vocabulary: Vocabulary
) -> None:
    settings = BackingSettings(embedding_size=8, hidden_size=8)
    names = {name: value.numpy() * 0 for name, value in build_network(len(vocabulary), settings).state_dict().items()}
    tokens = sum(len(encode(vocabulary, score).ids) - HEADER_TOKENS for score in scores)
    beats = sum(score.end_ticks for score in scores) / TICKS_PER_BEAT
    found = evaluate_backing(BackingModel(vocabulary, names), scores)
    assert found["nats_per_beat"] == pytest.approx(tokens * np.log(len(vocabulary)) / beats, rel=1e-5)


def test_what_cannot_be_told_is_left_out(
    scores: list[Score], vocabulary: Vocabulary, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = BackingSettings(embedding_size=8, hidden_size=8)
    names = {name: value.numpy() for name, value in build_network(len(vocabulary), settings).state_dict().items()}
    monkeypatch.setattr(evaluate, "MOST_TOKENS", 10)
    found = evaluate_backing(BackingModel(vocabulary, names), scores)
    assert found == {"beats": 0, "scores": 0, "unusable_scores": 3}


def _untrained(vocabulary: Vocabulary) -> BackingModel:
    settings = BackingSettings(embedding_size=8, hidden_size=8)
    tensors = build_network(len(vocabulary), settings).state_dict()
    return BackingModel(vocabulary, {name: value.numpy() for name, value in tensors.items()})


def test_the_likelihood_of_a_song_does_not_depend_on_the_songs_beside_it(
    scores: list[Score], vocabulary: Vocabulary, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = _untrained(vocabulary)
    songs = [pack(vocabulary, encode(vocabulary, score), drop_repeats=False) for score in scores]
    together = heldout_nats(model, songs)
    monkeypatch.setattr(evaluate, "_BATCH_SCORES", 1)
    assert together == pytest.approx(heldout_nats(model, songs), rel=1e-5)
    assert heldout_nats(model, []).shape == (0,)


def test_the_same_bars_are_told_after_each_beginning(
    scores: list[Score], vocabulary: Vocabulary, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model that knows nothing is helped by no beginning, so all four must be alike; and few songs have others."""
    nothing = {name: value.numpy() * 0 for name, value in build_network(
        len(vocabulary), BackingSettings(embedding_size=8, hidden_size=8)
    ).state_dict().items()}  # fmt: skip
    monkeypatch.setattr(evaluate, "PRIMED_BARS", 2)
    monkeypatch.setattr(evaluate, "TOLD_BARS", 3)
    found = measure_priming(BackingModel(vocabulary, nothing), [scores[0], scores[0], scores[1]])
    for nats in (found.own, found.others, found.others_bars, found.none):
        assert nats == pytest.approx(np.log(len(vocabulary)), rel=1e-6)
    assert found.figures()["better_than_others"] == 0
    # A song that is its own other is helped by it as much as by itself.
    twice = measure_priming(_untrained(vocabulary), [scores[0], scores[0]])
    assert twice.own == pytest.approx(twice.others)
    assert twice.own == pytest.approx(twice.others_bars)
    assert not np.allclose(twice.own, twice.none)


def test_without_another_song_or_enough_bars_there_is_no_priming(scores: list[Score], vocabulary: Vocabulary) -> None:
    model = _untrained(vocabulary)
    assert measure_priming(model, scores[:1]).figures() == {"songs": 0}
    assert measure_priming(model, []).figures() == {"songs": 0}
