"""The figure of music is told per quarter note, and agrees with the network that was trained."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

import rhapsody_lib
from rhapsody_lib.backing import evaluate
from rhapsody_lib.backing.dataset import pack
from rhapsody_lib.backing.evaluate import evaluate_backing
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
    monkeypatch.setattr(evaluate, "_MAX_TOKENS", 10)
    found = evaluate_backing(BackingModel(vocabulary, names), scores)
    assert found == {"beats": 0, "scores": 0, "unusable_scores": 3}
