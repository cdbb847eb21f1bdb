"""The figures of lyrics do not depend on how songs are batched, nor are they flattered by what they were fitted on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rhapsody_lib.lyrics import evaluate
from rhapsody_lib.lyrics.cache import DEFAULT
from rhapsody_lib.lyrics.evaluate import (
    crossfitted,
    evaluate_lyrics,
    measure_heldout,
    measured_streams,
    tell,
)
from rhapsody_lib.lyrics.mixture_fit import fit_gates
from rhapsody_lib.lyrics.model import LyricsModel
from rhapsody_lib.lyrics.vocabulary import MARKS, Vocabulary
from rhapsody_lib.ngram import KneserNey, perplexity
from rhapsody_lib.words.document import Lyrics


def test_songs_side_by_side_give_what_each_gives_alone(model: LyricsModel, songs: list[Lyrics]) -> None:
    streams = [model.vocabulary.encode_song(song) for song in songs]
    words = sum(int((stream >= len(MARKS)).sum()) for stream in streams)
    found = evaluate_lyrics(model, songs)
    nats = -sum(float(model.log_probabilities(stream).sum()) for stream in streams)
    assert found["word_perplexity"] == pytest.approx(np.exp(nats / words), rel=1e-4)
    assert (found["words"], found["songs"], found["unknown_share"]) == (words, 3, 0)


def test_batches_change_nothing(model: LyricsModel, songs: list[Lyrics], monkeypatch: pytest.MonkeyPatch) -> None:
    whole = evaluate_lyrics(model, songs)
    monkeypatch.setattr(evaluate, "_BATCH_SONGS", 1)
    assert evaluate_lyrics(model, songs[::-1]) == pytest.approx(whole, rel=1e-3)


def test_no_song_is_measured_by_shares_that_were_fitted_on_it(model: LyricsModel, songs: list[Lyrics]) -> None:
    told = tell(model, [model.vocabulary.encode_song(song) for song in songs])
    cached, _ = crossfitted(told, with_ngram=False)
    settings = fit_gates(told.found[1:], with_ngram=False)
    assert np.exp(cached[: len(told.found[0])]) == pytest.approx(told.found[0].mixed(settings, with_ngram=False))
    alone, _ = crossfitted(tell(model, told.streams[:1]), with_ngram=False)
    assert np.exp(alone) == pytest.approx(told.found[0].mixed(DEFAULT, with_ngram=False))


def test_the_figures_of_a_training(model: LyricsModel, songs: list[Lyrics]) -> None:
    streams = [model.vocabulary.encode_song(song) for song in songs]
    ngram = KneserNey(5).fit([stream.tolist() for stream in streams[:2]], len(model.vocabulary))
    figures = measure_heldout(model, streams[2:], ngram)
    assert figures["heldout_perplexity"] == pytest.approx(model.perplexity(streams[2:]), rel=1e-4)
    told = ngram.log_probabilities(streams[2].tolist())[1:]
    assert figures["heldout_perplexity_5gram"] == pytest.approx(perplexity(told))
    words = int((streams[2] >= len(MARKS)).sum())
    assert figures["bits_per_word_5gram"] == pytest.approx(-told.sum() / np.log(2) / words)
    # A network of random weights is worse than a 5-gram that has counted: mixed, they are better than it.
    assert figures["heldout_perplexity_with_mixture"] < figures["heldout_perplexity_with_cache"]
    assert (figures["measured_songs"], figures["measured_tokens"]) == (1, len(streams[2]))
    assert measure_heldout(model, [], ngram) == {}


@given(st.lists(st.lists(st.integers(1, 9), max_size=30), max_size=40), st.integers(1, 300))
def test_what_is_measured_is_bounded_and_does_not_depend_on_the_order(songs: list[list[int]], most: int) -> None:
    streams = [np.array(song, dtype=np.int32) for song in songs]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluate, "_MEASURED_TOKENS", most)
        patch.setattr(evaluate, "_SONG_TOKENS", 20)
        kept, backwards = ([stream.tolist() for stream in measured_streams(of)] for of in (streams, streams[::-1]))
        again = [stream.tolist() for stream in measured_streams(np.array(song) for song in kept)]
    assert kept == backwards == again
    assert bool(kept) == any(len(song) > 1 for song in songs)
    assert sum(map(len, kept)) <= most or len(kept) == 1
    assert all(song in [other[:20] for other in songs] for song in kept)


def test_figures_are_of_the_measured_tokens(
    model: LyricsModel, songs: list[Lyrics], monkeypatch: pytest.MonkeyPatch
) -> None:
    streams = [model.vocabulary.encode_song(song) for song in songs]
    ngram = KneserNey(5).fit([streams[0].tolist()], len(model.vocabulary))
    monkeypatch.setattr(evaluate, "_SONG_TOKENS", 10)
    cut = measure_heldout(model, streams, ngram)
    assert (cut["measured_songs"], cut["measured_tokens"]) == (3, 30)
    assert cut["heldout_perplexity"] == pytest.approx(model.perplexity(measured_streams(streams)), rel=1e-4)


def test_an_unknown_word_costs_more_than_it_takes_to_say_unknown(model: LyricsModel, songs: list[Lyrics]) -> None:
    """A model that knows few words finds text easy, token for token: the charge turns this round."""
    known = model.vocabulary
    kept = 4
    rows = np.arange(len(MARKS) + kept)
    small = replace(
        model,
        vocabulary=Vocabulary(known.words[:kept]),
        weights={**model.weights, **{name: model.weights[name][rows] for name in ("embedding", "output_bias")}},
    )
    stream = songs[:1]
    tokens = small.vocabulary.encode_song(stream[0])
    assert small.perplexity([tokens]) < model.perplexity([known.encode_song(stream[0])])
    few, many = evaluate_lyrics(small, stream), evaluate_lyrics(model, stream)
    assert few["words"] == many["words"]
    assert few["unknown_share"] > 0.5
    assert few["word_perplexity"] > many["word_perplexity"]


def test_without_words_there_is_no_perplexity(model: LyricsModel) -> None:
    assert evaluate_lyrics(model, []) == {"words": 0, "songs": 0}
