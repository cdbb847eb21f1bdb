"""The catalogue's lexical index: its formula, its pieces, and what is taken over from segment to segment."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rhapsody_lib.retrieval.lexical import LexicalIndex, terms_of
from rhapsody_lib.retrieval.lexicon import Lexicon, Postings, joined
from rhapsody_lib.retrieval.segments import load_postings

TEXTS = st.lists(
    st.lists(st.sampled_from(["ab", "c'd", "snow", "\u00e9", "\u96ea", "\n"]), max_size=12).map(" ".join),
    min_size=1,
    max_size=8,
)


def naive_scores(texts: list[str], query: str) -> list[float]:
    """`lnc` for songs, logarithm times idf squared for the query, word by word."""
    documents = [Counter(terms_of(text)) for text in texts]
    said = sum(map(bool, documents))
    frequency = Counter(word for document in documents for word in document)
    idf = {word: math.log((1 + said) / (1 + count)) + 1 for word, count in frequency.items()}

    def unit(weights: dict[str, float]) -> dict[str, float]:
        norm = math.sqrt(sum(weight**2 for weight in weights.values()))
        return {word: weight / norm for word, weight in weights.items()}

    def logs(counts: Counter[str]) -> dict[str, float]:
        return {word: 1 + math.log(count) for word, count in counts.items()}

    wanted = unit(
        {word: weight * idf[word] ** 2 for word, weight in logs(Counter(terms_of(query))).items() if word in idf}
    )
    return [
        sum(weight * wanted.get(word, 0) for word, weight in unit(logs(document)).items()) for document in documents
    ]


def in_pieces(texts: list[str], size: int) -> Lexicon:
    pieces = [texts[start : start + size] for start in range(0, len(texts), size)]
    postings = [Postings.of_texts(piece) for piece in pieces]
    return Lexicon(lambda: postings, [part.norms(len(piece)) for part, piece in zip(postings, pieces, strict=True)])


@given(TEXTS, TEXTS, st.integers(1, 4))
def test_scores_are_the_formula_in_whatever_pieces(texts, queries, size):
    index, cut = Lexicon.build(texts), in_pieces(texts, size)
    for query in queries:
        scores = index.scores(query)
        np.testing.assert_allclose(scores, naive_scores(texts, query), atol=1e-5)
        np.testing.assert_array_equal(cut.scores(query), scores)


@given(TEXTS, TEXTS)
def test_cosines_are_those_of_the_textbook(texts, queries):
    if "" in texts:  # the textbook counts songs without words, we do not
        return
    index, textbook = Lexicon.build(texts), LexicalIndex.build(texts)
    if index.songs_with_words == len(texts):
        for query in queries:
            np.testing.assert_allclose(index.cosines(query, texts), textbook.scores(query), atol=1e-5)


@given(TEXTS, st.lists(st.integers(0, 7), max_size=10))
def test_rows_taken_over_are_those_of_their_texts(texts, wanted):
    rows = np.array([row % len(texts) for row in wanted], np.int64)
    taken = Postings.of(*Postings.of_texts(texts).taken(rows, np.arange(len(rows))))
    anew = Postings.of_texts([texts[row] for row in rows])
    for name in ("terms", "starts", "rows", "counts"):
        np.testing.assert_array_equal(getattr(taken, name), getattr(anew, name), err_msg=name)


@given(st.lists(TEXTS, min_size=1, max_size=3), st.randoms())
def test_rows_of_several_segments_come_together_in_any_order(pieces, random):
    texts = [text for piece in pieces for text in piece]
    new = random.sample(range(len(texts)), len(texts))
    firsts = np.cumsum([0, *map(len, pieces)])
    parts = [
        Postings.of_texts(piece).taken(np.arange(len(piece)), np.array(new[first : first + len(piece)]))
        for first, piece in zip(firsts, pieces, strict=False)
    ]
    order = dict(zip(new, texts, strict=True))
    both, anew = Postings.of(*joined(parts)), Postings.of_texts([order[row] for row in range(len(texts))])
    for name in ("terms", "starts", "rows", "counts"):
        np.testing.assert_array_equal(getattr(both, name), getattr(anew, name), err_msg=name)


@given(texts=TEXTS)
def test_written_postings_are_the_same_and_are_not_copied(texts, tmp_path_factory):
    path = tmp_path_factory.mktemp("lexicon") / "lexicon.arrow"
    postings = Postings.of_texts(texts)
    postings.write(path)
    loaded = load_postings(path)
    for name in ("terms", "starts", "rows", "counts"):
        np.testing.assert_array_equal(getattr(loaded, name), getattr(postings, name))
        assert not getattr(loaded, name).flags.owndata
    postings.write(path.with_suffix(".again"))
    assert path.with_suffix(".again").read_bytes() == path.read_bytes()


@pytest.mark.parametrize("query", ["", "...", "unheard", "\U0001f600"])
def test_no_known_word_is_similar_to_nothing(query):
    assert not Lexicon.build(["snow", "", "rain"]).scores(query).any()
    assert Lexicon.build(["snow"]).cosines(query, ["snow", ""]) == [0, 0]


def test_a_word_said_a_thousand_times_is_counted_as_often_as_a_byte_can():
    scores = Lexicon.build(["la " * 1000, "la " * 255, "la"]).scores("la la")
    assert scores[0] == pytest.approx(scores[1], abs=1e-4)
    assert scores[1] > scores[2] > 0
