from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rhapsody_lib.ngram import FALLBACK_DISCOUNTS, KneserNey, estimate_discounts, perplexity
from rhapsody_lib.seeding import generator

VOCABULARY = 5
SEQUENCES = st.lists(st.lists(st.integers(0, VOCABULARY - 1), max_size=25), max_size=6)
HISTORY = st.lists(st.integers(0, VOCABULARY - 1), max_size=8)


def _plain_probability(texts: list[list[int]], order: int, history: tuple[int, ...], token: int) -> float:
    """The definition, word for word, by dictionaries: slow, and written apart from the arrays."""
    begin = VOCABULARY
    marked = [(begin, *text) for text in texts]
    grams = Counter(t[i : i + n] for t in marked for n in range(1, order + 1) for i in range(len(t) - n + 1))

    def count(gram: tuple[int, ...]) -> int:
        if len(gram) == order or gram[0] == begin:
            return grams[gram]
        return sum(1 for other in grams if len(other) == len(gram) + 1 and other[1:] == gram)

    def probability(history: tuple[int, ...], token: int) -> float:
        seen = {g: count(g) for g in grams if len(g) == len(history) + 1 and g != (begin,)}
        discounts = (0.0, *estimate_discounts(np.asarray(list(seen.values()), dtype=np.int64)))
        after = {g[-1]: c for g, c in seen.items() if g[:-1] == history}
        below = probability(history[1:], token) if history else 1 / VOCABULARY
        if not after:
            return below
        total = sum(after.values())
        freed = sum(discounts[min(c, 3)] for c in after.values())
        own = after.get(token, 0)
        return (own - discounts[min(own, 3)]) / total + freed / total * below

    return probability(((begin, *history)[-(order - 1) :]) if order > 1 else (), token)


def test_tiny_example_by_hand() -> None:
    # Bigrams B0:1 01:2 10:1. Preceded by: 0 by two tokens, 1 by one. Too few for estimates: discounts .5, 1, 1.5.
    model = KneserNey(2).fit([[0, 1, 0, 1]], 2)
    p_0, p_1 = 1 / 3 + 0.5 / 2, 0.5 / 3 + 0.5 / 2
    expected = [0.5 + 0.5 * p_0, 0.5 + 0.5 * p_1, 0.5 + 0.5 * p_0, 0.5 + 0.5 * p_1]
    np.testing.assert_allclose(np.exp(model.log_probabilities([0, 1, 0, 1])), expected)


@given(SEQUENCES, HISTORY, st.integers(1, 5))
def test_probabilities_sum_to_one_and_are_positive(texts: list[list[int]], history: list[int], order: int) -> None:
    probabilities = KneserNey(order).fit(texts, VOCABULARY).probabilities(history)
    assert probabilities.shape == (VOCABULARY,)
    assert probabilities.min() > 0
    assert probabilities.sum() == pytest.approx(1)


@given(SEQUENCES, HISTORY, st.integers(1, 4), st.integers(0, VOCABULARY - 1))
def test_agrees_with_the_definition(texts: list[list[int]], history: list[int], order: int, token: int) -> None:
    model = KneserNey(order).fit(texts, VOCABULARY)
    expected = _plain_probability(texts, order, tuple(history), token)
    assert model.probabilities(history)[token] == pytest.approx(expected)


@given(SEQUENCES, st.lists(st.integers(0, VOCABULARY - 1), max_size=12), st.integers(1, 5))
def test_a_whole_sequence_at_once_is_the_same_as_token_by_token(
    texts: list[list[int]], sequence: list[int], order: int
) -> None:
    model = KneserNey(order).fit(texts, VOCABULARY)
    one_by_one = [np.log(model.probabilities(sequence[:place])[token]) for place, token in enumerate(sequence)]
    np.testing.assert_allclose(model.log_probabilities(sequence), one_by_one)


def test_discounts_are_those_of_chen_and_goodman() -> None:
    counts = np.repeat([1, 2, 3, 4, 9], [8, 4, 2, 1, 3])
    assert estimate_discounts(counts) == pytest.approx((0.5, 1.25, 2.0))  # Y = 8 / (8 + 2 * 4) = .5
    assert estimate_discounts(np.asarray([7, 8, 9])) == FALLBACK_DISCOUNTS


def test_longer_history_helps_on_text_with_structure() -> None:
    random = generator(0, "ngram test")
    texts = []
    for _ in range(40):  # each token is a function of the two before it, but for some noise
        text = [0, 1]
        while len(text) < 60:
            noisy = random.random() < 0.1
            text.append(int(random.integers(6)) if noisy else (2 * text[-1] + 3 * text[-2] + 1) % 6)
        texts.append(text)
    figures = []
    for order in (1, 2, 3):
        model = KneserNey(order).fit(texts[:30], 6)
        figures.append(perplexity(np.concatenate([model.log_probabilities(text) for text in texts[30:]])))
    assert figures[0] > 1.2 * figures[1] > 1.2 * figures[2]
    assert figures[2] < 2.5


def test_nothing_learnt_is_uniform() -> None:
    assert perplexity(KneserNey(5).fit([], 7).log_probabilities([3, 3, 6])) == pytest.approx(7)


def test_what_cannot_be_asked() -> None:
    with pytest.raises(ValueError, match="outside the vocabulary"):
        KneserNey(2).fit([[0, 3]], 3)
    with pytest.raises(ValueError, match="outside the vocabulary"):
        KneserNey(2).fit([[0, 1]], 3).log_probabilities([-1])
    with pytest.raises(ValueError, match="order"):
        KneserNey(0)
    with pytest.raises(ValueError, match="no tokens"):
        perplexity([])
