import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rhapsody_lib.retrieval.lexical import LexicalIndex, terms_of, words_of

TEXTS = st.lists(
    st.lists(st.sampled_from(["ab", "c'd", "snow", "é", "雪"]), max_size=12).map(" ".join), min_size=1, max_size=8
)


def naive_scores(texts: list[str], query: str) -> list[float]:
    """The textbook formula, word by word."""
    documents = [Counter(terms_of(text)) for text in texts]
    idf = {
        word: math.log((1 + len(texts)) / (1 + sum(word in document for document in documents))) + 1
        for document in documents
        for word in document
    }

    def vector(counts: Counter[str]) -> dict[str, float]:
        weights = {word: (1 + math.log(count)) * idf[word] for word, count in counts.items() if word in idf}
        norm = math.sqrt(sum(weight**2 for weight in weights.values()))
        return {word: weight / norm for word, weight in weights.items()}

    wanted = vector(Counter(terms_of(query)))
    return [sum(weight * wanted.get(word, 0) for word, weight in vector(document).items()) for document in documents]


@given(TEXTS, TEXTS)
def test_scores_are_the_textbook_formula(texts, queries):
    index = LexicalIndex.build(texts)
    for query in queries:
        np.testing.assert_allclose(index.scores(query), naive_scores(texts, query), atol=1e-5)


def test_a_song_is_most_similar_to_itself():
    texts = ["the river and the boat", "the train and the rail", "snow on the roof"]
    scores = LexicalIndex.build(texts).scores(texts[1])
    assert scores[1] == pytest.approx(1, abs=1e-6)
    assert scores.argmax() == 1


@pytest.mark.parametrize("query", ["", "...", "unheard", "\U0001f600"])
def test_no_known_word_is_similar_to_nothing(query):
    assert not LexicalIndex.build(["snow", "", "rain"]).scores(query).any()


def test_words():
    assert words_of("Don’t go, 'cause I'm YOURS!") == ["don't", "go", "cause", "i'm", "yours"]


def test_terms_are_words_and_their_neighbours_in_a_line():
    assert terms_of("The cold cold\nnight") == ["the", "cold", "cold", "the cold", "cold cold", "night"]


def test_a_phrase_counts_more_than_its_words():
    scores = LexicalIndex.build(["cold night train", "night of cold train", "rain"]).scores("cold night")
    assert scores[0] > scores[1] > scores[2] == 0
    words = LexicalIndex.build(["cold night train", "train night cold"], words_of).scores("cold night")
    assert words[0] == words[1]
