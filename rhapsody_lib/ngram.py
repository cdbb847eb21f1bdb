"""Interpolated modified Kneser-Ney n-grams over integer tokens: the yardstick beside which the networks are measured.

Chen and Goodman, "An Empirical Study of Smoothing Techniques for Language Modeling" (1998), section 3: three discounts
an order, estimated from counts of counts; below the highest order an n-gram counts the tokens that precede it, not its
own occurrences. Each sequence begins with one begin marker, which is history only; n-grams that start with it have no
token before them and keep their plain counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]

#: Discounts of counts 1, 2 and 3 or more, where counts of counts are too few to estimate them.
FALLBACK_DISCOUNTS = (0.5, 1.0, 1.5)


@dataclass(frozen=True)
class _Order:
    """The n-grams of one order. `h` is the index of a history among the n-grams one order below (0 for unigrams).

    Attributes:
        keys: `[grams]`, sorted: h * (vocabulary_size + 1) + token.
        discounted: `[grams]`, the n-gram's probability after its history, less the discount.
        backoff: `[histories]`, the weight of the order below; 1 for histories that nothing follows.
    """

    keys: IntArray
    discounted: FloatArray
    backoff: FloatArray

    def find(self, keys: IntArray) -> IntArray:
        """Index of each key, -1 where there is none; negative keys are never found."""
        if not len(self.keys):
            return np.full(len(keys), -1, dtype=np.int64)
        places = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        return np.where((self.keys[places] == keys) & (keys >= 0), places, -1)


@dataclass(frozen=True)
class _Grams:
    """The distinct n-grams of one order in the training text, with what the order below needs of them."""

    keys: IntArray
    counts: IntArray
    suffixes: IntArray
    at_begin: npt.NDArray[np.bool_]


def estimate_discounts(counts: IntArray) -> tuple[float, float, float]:
    """Discounts of counts 1, 2 and 3 or more from the counts of counts 1 to 4 (Chen and Goodman, equation 26).

    `FALLBACK_DISCOUNTS` where a count of counts is 0 or an estimate lies outside (0, count].
    """
    of_one, of_two, of_three, of_four = (int(np.count_nonzero(counts == count)) for count in (1, 2, 3, 4))
    if not (of_one and of_two and of_three):
        return FALLBACK_DISCOUNTS
    share = of_one / (of_one + 2 * of_two)
    estimates = (
        1 - 2 * share * of_two / of_one,
        2 - 3 * share * of_three / of_two,
        3 - 4 * share * of_four / of_three,
    )
    if any(not 0 < estimate <= count for count, estimate in enumerate(estimates, start=1)):
        return FALLBACK_DISCOUNTS
    return estimates


def _build_order(keys: IntArray, counts: IntArray, histories: int, vocabulary_size: int) -> _Order:
    discounts = np.asarray([0.0, *estimate_discounts(counts)])[np.minimum(counts, 3)]
    of_history = keys // (vocabulary_size + 1)
    totals = np.bincount(of_history, weights=counts, minlength=histories)
    freed = np.bincount(of_history, weights=discounts, minlength=histories)
    backoff = np.divide(freed, totals, out=np.ones(histories), where=totals > 0)
    return _Order(keys, (counts - discounts) / totals[of_history], backoff)


class KneserNey:
    """An interpolated modified Kneser-Ney model.

    Args:
        order: tokens in the longest n-gram, its last token included; 5 takes four tokens of history.
    """

    def __init__(self, order: int = 5) -> None:
        if order < 1:
            raise ValueError("the order of an n-gram model is 1 or more")
        self.order = order
        self.vocabulary_size = 0
        self._orders: list[_Order] = []

    def fit(self, sequences: Iterable[Sequence[int]], vocabulary_size: int) -> KneserNey:
        """Count and smooth.

        Args:
            sequences: one a song; integers in [0, vocabulary_size). An empty sequence teaches nothing.
            vocabulary_size: number of tokens that share the probability, seen or not.

        Returns:
            This model.

        Raises:
            ValueError: a token outside the vocabulary.
        """
        self.vocabulary_size = vocabulary_size
        marked = [self._marked(sequence) for sequence in sequences]
        tokens = np.concatenate(marked) if marked else np.zeros(0, dtype=np.int64)
        places = np.concatenate([np.arange(len(part)) for part in marked]) if marked else tokens
        grams = self._count(tokens, places)
        self._orders = []
        for level, this in enumerate(grams):
            counts = this.counts
            if level + 1 < len(grams):
                preceding = np.bincount(grams[level + 1].suffixes, minlength=len(counts))
                counts = np.where(this.at_begin, counts, preceding)
            if level == 0:  # the begin marker is never predicted
                kept = (this.keys < vocabulary_size) & (counts > 0)
                self._orders.append(_build_order(this.keys[kept], counts[kept], 1, vocabulary_size))
            else:
                below = len(grams[level - 1].keys)
                self._orders.append(_build_order(this.keys, counts, below, vocabulary_size))
        return self

    def _marked(self, sequence: Sequence[int]) -> IntArray:
        tokens = np.asarray(sequence, dtype=np.int64).reshape(-1)
        if len(tokens) and (int(tokens.min()) < 0 or int(tokens.max()) >= self.vocabulary_size):
            raise ValueError(f"a token lies outside the vocabulary of {self.vocabulary_size}")
        return np.concatenate([np.asarray([self.vocabulary_size], dtype=np.int64), tokens])

    def _count(self, tokens: IntArray, places: IntArray) -> list[_Grams]:
        """Distinct n-grams of each order; unigrams are all tokens and the begin marker: a token is its index."""
        width = self.vocabulary_size + 1
        counts = np.bincount(tokens, minlength=width)
        begin = np.arange(width) == self.vocabulary_size
        grams = [_Grams(np.arange(width), counts, np.zeros(width, dtype=np.int64), begin)]
        ending_at = tokens  # index of the n-gram that ends at each place of the text
        for length in range(2, self.order + 1):
            inside = np.flatnonzero(places >= length - 1)
            if not len(inside):  # no sequence is that long
                break
            keys, first, inverse, counts = np.unique(
                ending_at[inside - 1] * width + tokens[inside],
                return_index=True,
                return_inverse=True,
                return_counts=True,
            )
            grams.append(_Grams(keys, counts, ending_at[inside[first]], places[inside[first]] == length - 1))
            ending_at = np.full(len(tokens), -1, dtype=np.int64)
            ending_at[inside] = inverse
        return grams

    def log_probabilities(self, sequence: Sequence[int]) -> FloatArray:
        """Natural logarithm of the probability of each token after all before it, `[len(sequence)]`.

        Raises:
            ValueError: a token outside the vocabulary.
        """
        tokens = self._marked(sequence)
        probability = np.full(len(tokens) - 1, 1.0 / max(1, self.vocabulary_size))
        history = np.zeros(
            len(tokens) - 1, dtype=np.int64
        )  # index of the history of each predicted token, -1 if unseen
        for level, order in enumerate(self._orders):
            known = history >= 0
            found = order.find(np.where(known, history * (self.vocabulary_size + 1) + tokens[1:], -1))
            share = np.where(found >= 0, order.discounted[found] if len(order.discounted) else 0.0, 0.0)
            backoff = np.where(known, order.backoff[history], 1.0)
            probability = share + backoff * probability
            # The next order's history of a token is this order's n-gram that ends just before it.
            ending = tokens[1:] if level == 0 else found
            start = self.vocabulary_size if level == 0 else -1
            history = np.concatenate([[start], ending[:-1]]) if len(ending) else ending
        logarithms: FloatArray = np.log(probability)
        return logarithms

    def probabilities(self, history: Sequence[int]) -> FloatArray:
        """Probability of every token of the vocabulary after a history, `[vocabulary_size]`; they sum to 1.

        Args:
            history: the whole sequence so far; empty for its beginning. Only the last `order - 1` tokens count.
        """
        width = self.vocabulary_size + 1
        tokens = self._marked(history)
        result = np.full(self.vocabulary_size, 1.0 / max(1, self.vocabulary_size))
        for level, order in enumerate(self._orders):
            index = self._history_index(tokens[len(tokens) - level :]) if level <= len(tokens) else -1
            if index < 0:
                break
            first, last = np.searchsorted(order.keys, (index * width, (index + 1) * width))
            result *= order.backoff[index]
            result[order.keys[first:last] - index * width] += order.discounted[first:last]
        return result

    def _history_index(self, tokens: IntArray) -> int:
        """Index of a history among the n-grams of its length; -1 if training never met it."""
        if not len(tokens):
            return 0
        index = int(tokens[0])
        for level, token in enumerate(tokens[1:], start=1):
            key = np.asarray([index * (self.vocabulary_size + 1) + int(token)])
            index = int(self._orders[level].find(key)[0])
            if index < 0:
                break
        return index


def perplexity(log_probabilities: npt.ArrayLike) -> float:
    """Exponential of the mean negative log-probability.

    Raises:
        ValueError: there are none.
    """
    values = np.asarray(log_probabilities, dtype=np.float64)
    if not values.size:
        raise ValueError("no tokens to measure the perplexity of")
    return float(np.exp(-values.mean()))
