"""The figure of lyrics does not depend on how songs are batched, nor is it flattered by a small vocabulary."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rhapsody_lib.lyrics import evaluate
from rhapsody_lib.lyrics.evaluate import evaluate_lyrics, longest_shared_run, words_of
from rhapsody_lib.lyrics.model import CACHE_SHARE, LyricsModel
from rhapsody_lib.lyrics.vocabulary import MARKS, Vocabulary
from rhapsody_lib.words.document import Lyrics, parse_lyrics


def test_songs_side_by_side_give_what_each_gives_alone(model: LyricsModel, songs: list[Lyrics]) -> None:
    streams = [model.vocabulary.encode_song(song) for song in songs]
    words = sum(int((stream >= len(MARKS)).sum()) for stream in streams)
    found = evaluate_lyrics(model, songs)
    for name, share in (("word_perplexity", 0.0), ("word_perplexity_with_cache", CACHE_SHARE)):
        nats = -sum(float(model.log_probabilities(stream, cache_share=share).sum()) for stream in streams)
        assert found[name] == pytest.approx(np.exp(nats / words), rel=1e-4)
    assert (found["words"], found["songs"], found["unknown_share"]) == (words, 3, 0)


def test_batches_change_nothing(model: LyricsModel, songs: list[Lyrics], monkeypatch: pytest.MonkeyPatch) -> None:
    whole = evaluate_lyrics(model, songs)
    monkeypatch.setattr(evaluate, "_BATCH_SONGS", 1)
    assert evaluate_lyrics(model, songs) == pytest.approx(whole, rel=1e-4)


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


def test_the_longest_shared_run() -> None:
    song = parse_lyrics("I walk along the shore\nand never look behind\n")
    new = words_of(parse_lyrics("she said and never look behind you walk along the shore"))
    assert longest_shared_run(new, [song]) == 4
    assert longest_shared_run(new, [song], but_within=new[2:6]) == 4
    assert longest_shared_run(new, [song], but_within=new) == 0
    assert longest_shared_run(new, []) == 0
    # Lines of a song follow one another: a run may go over their end.
    assert longest_shared_run(["the", "shore", "and", "never"], [song]) == 4


@given(st.lists(st.sampled_from("abc"), max_size=12), st.lists(st.sampled_from("abc"), max_size=12))
def test_the_longest_run_is_that_of_all_runs(new: list[str], old: list[str]) -> None:
    runs = {tuple(old[i:j]) for i in range(len(old)) for j in range(i + 1, len(old) + 1)}
    mine = [tuple(new[i:j]) for i in range(len(new)) for j in range(i + 1, len(new) + 1)]
    song = parse_lyrics(" ".join(old))
    if words_of(song) == old:
        assert longest_shared_run(new, [song]) == max((len(run) for run in mine if run in runs), default=0)
