import numpy as np
import pytest

from rhapsody_lib.retrieval.calibration import USUAL
from rhapsody_lib.retrieval.metrics import evaluate_retrieval, figures, rank_of, sampled_halves
from rhapsody_lib.retrieval.pairs import heldout_artist
from rhapsody_lib.retrieval.stanzas import StanzaEmbedder


def test_ties_do_not_flatter():
    assert rank_of(np.array([0.5, 0.9, 0.5, 0.1]), 0) == 3
    assert rank_of(np.array([0.5, 0.9, 0.5, 0.1]), 1) == 1
    assert rank_of(np.zeros(4), 2) == 4


def test_figures():
    assert figures(np.array([1, 2, 10, 20])) == {
        **{"recall_at_1": 0.25, "recall_at_10": 0.75, "mrr": 0.4125},
        "ndcg_at_10": round((1 + 1 / np.log2(3) + 1 / np.log2(11)) / 4, 4),
    }


def test_halves_with_words_of_their_own_are_found(make_corpus, encoder, tmp_path):
    texts = {"a": "river boat\nboat river", "b": "ice snow\nsnow ice", "c": "oven\noven oven", "d": "rail\nrail rail"}
    result = evaluate_retrieval(make_corpus(tmp_path, texts), encoder)
    assert result["songs"] == 4
    for method in ("sbert", "sbert_centred", "tfidf"):
        assert result[method] == {"recall_at_1": 1, "recall_at_10": 1, "mrr": 1, "ndcg_at_10": 1}, method
    assert result["sum"]["mrr"] > 0.8
    assert result["score"]["queries"] == 4


def test_halves_without_common_words_are_not(make_corpus, encoder, tmp_path):
    texts = {"a": "river boat\nsnow ice", "b": "snow ice coat\nbread oven", "c": "bread oven flour\nriver boat sail"}
    result = evaluate_retrieval(make_corpus(tmp_path, texts), encoder)
    assert result["tfidf"]["recall_at_1"] == 0
    assert result["sbert"]["recall_at_1"] == 0


def test_the_lexical_weight_is_kept_where_it_is_given(make_corpus, encoder, tmp_path):
    texts = {"a": "river zig\nriver zag", "b": "snow zag\nriver zig boat", "c": "bread zig zig\nsnow zag zag"}
    corpus = make_corpus(tmp_path, texts)
    for share in (1.0, 0.0, 0.25):
        weights = evaluate_retrieval(corpus, encoder, lexical_weight=share)["score"]["weights"]
        assert weights["lexical"] / (weights["lexical"] + weights["dense"]) == pytest.approx(share, abs=1e-4)


def test_a_sample_depends_on_the_ids_alone(make_corpus, tmp_path):
    texts = {f"song {index}": f"line {index} one\nline {index} two" for index in range(20)}
    backwards = dict(reversed(texts.items()))
    one, two = (
        sampled_halves(make_corpus(tmp_path / name, songs), 5) for name, songs in (("a", texts), ("b", backwards))
    )
    assert len(one) == 5
    assert one == two


def test_only_songs_of_unread_artists_are_taken_whatever_the_split_of_the_corpus(make_corpus, encoder, tmp_path):
    texts = {f"song {index}": f"line {index} one\nline {index} two" for index in range(20)}
    artists = {song: f"Artist {index // 4}" for index, song in enumerate(texts)}
    corpus = make_corpus(tmp_path, texts, artists=artists)
    unread = [song for song, artist in artists.items() if heldout_artist(artist, 0.4)]
    assert 0 < len(unread) < 20
    chosen = sampled_halves(corpus, 20, 0.4)
    assert sorted(first.title for first, _ in chosen) == sorted(song.title() for song in unread)
    assert evaluate_retrieval(corpus, encoder, unread=0.4)["songs"] == len(unread)
    assert len(sampled_halves(corpus, 20)) == 20


@pytest.mark.parametrize("texts", [{"a": "snow"}, {"a": ""}])
def test_nothing_to_halve(make_corpus, encoder, tmp_path, texts):
    result = evaluate_retrieval(make_corpus(tmp_path, texts), encoder, embedder=StanzaEmbedder(encoder))
    assert result == {"task": "second half -> first half", "songs": 0, "score": USUAL.to_card()}
