"""What a song has said so far, as a second opinion on its next word: songs repeat themselves.

Five opinions are mixed linearly, each a distribution over the vocabulary:

- `network`: the LSTM;
- `cache`: the continuous cache (Grave, Joulin & Usunier 2017, "Improving Neural Language Models with a Continuous
  Cache", section 3): what followed where the network's state was alike, by `softmax(theta * h_i . h_t)`;
- `match`: what followed the longest run of last tokens that the song has said before, as in a pointer (Merity et al.
  2017, "Pointer Sentinel Mixture Models") or a song-long n-gram cache (Kuhn & De Mori 1990);
- `pair`: what followed the last token alone;
- `ngram`: a modified Kneser-Ney 5-gram of the training songs, where one is given.

Their shares are a softmax of a linear function of what is known before the word: the length of the match, how far the
song is, and whether the last token is a mark. So they are no constants, and a song that has begun to repeat a line
is believed to go on with it. Shares and `theta` are fitted by likelihood, with a Gaussian prior around `DEFAULT`, on
songs that the network was not trained on.

This measures a model and writes no song: `sampling.py` mixes network and cache with a constant share.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rhapsody_lib.lyrics.vocabulary import MARKS, Tokens

EXPERTS = ("network", "cache", "match", "pair", "ngram")
NETWORK, CACHE, MATCH, PAIR, NGRAM = range(len(EXPERTS))
#: A match of so many tokens counts as any longer one for the shares; the longest that is looked for.
LONG_MATCH, LONGEST_MATCH = 4, 8
#: One for each match length, then the position in the song, then whether the last token is a mark.
FEATURES = LONG_MATCH + 3
THETAS = (0.3, 0.6, 1.0, 1.5)

Array = npt.NDArray[np.float64]
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class MixtureSettings:
    """How the opinions are mixed.

    Args:
        theta: flatness of the cache's distribution.
        gates: weights of the shares without a 5-gram, [FEATURES x experts]; the column of `ngram` is of no use.
        gates_with_ngram: the same with one.
    """

    theta: float
    gates: tuple[tuple[float, ...], ...]
    gates_with_ngram: tuple[tuple[float, ...], ...]

    def weights(self, *, with_ngram: bool) -> Array:
        """The weights of the shares, [FEATURES x experts]."""
        return np.array(self.gates_with_ngram if with_ngram else self.gates)


def gate_table(weights: Array) -> tuple[tuple[float, ...], ...]:
    """Weights of the shares, [FEATURES x experts], as settings hold them, rounded."""
    return tuple(tuple(map(float, row)) for row in weights.round(4))


#: Rows: match of 0, 1, 2, 3, 4 tokens or more, position, mark. Columns as `EXPERTS`. Set by hand, not by a
#: fit: they are the prior of every fit, and no song that figures are told of may have formed them.
DEFAULT = MixtureSettings(
    0.6,
    gates=(
        (3.0, 0.0, 0.0, 0.0, 0.0),
        (2.5, 0.0, -1.0, -1.0, 0.0),
        (2.0, 0.0, 0.0, -1.0, 0.0),
        (1.0, 0.0, 1.0, -1.0, 0.0),
        (0.0, 0.0, 2.0, -1.0, 0.0),
        (0.0, 0.0, 0.0, 0.0, 0.0),
        (0.0, 0.0, 0.0, 0.0, 0.0),
    ),
    gates_with_ngram=(
        (3.0, 0.0, 0.0, 0.0, 2.0),
        (2.5, 0.0, -1.0, -1.0, 1.5),
        (2.0, 0.0, 0.0, -1.0, 1.0),
        (1.0, 0.0, 1.0, -1.0, 0.0),
        (0.0, 0.0, 2.0, -1.0, -1.0),
        (0.0, 0.0, 0.0, 0.0, 0.0),
        (0.0, 0.0, 0.0, 0.0, 0.0),
    ),
)


@dataclass(frozen=True)
class Opinions:
    """What each expert gave the tokens of a song after its first, and what the shares depend on.

    Args:
        cache: by theta, [tokens].
        experts: the others, [tokens x experts]; the column of `cache` is empty.
        known: which experts have an opinion, [tokens x experts].
        features: [tokens x FEATURES].
    """

    cache: dict[float, Array]
    experts: Array
    known: npt.NDArray[np.bool_]
    features: Array

    def __len__(self) -> int:
        return len(self.experts)

    @property
    def network(self) -> Array:
        """Probability of each token by the network alone, [tokens]."""
        return np.asarray(self.experts[:, NETWORK])

    @property
    def ngram(self) -> Array:
        """The same by the 5-gram, [tokens]; zeros where there is none."""
        return np.asarray(self.experts[:, NGRAM])

    def at(self, theta: float) -> Array:
        """Probability of each token by each expert, [tokens x experts]."""
        experts: Array = self.experts.copy()
        experts[:, CACHE] = self.cache[theta]
        return experts

    def mixed(self, settings: MixtureSettings, *, with_ngram: bool) -> Array:
        """Probability of each token, [tokens]."""
        known = self.known if with_ngram else without_ngram(self.known)
        shares = shares_of(self.features, known, settings.weights(with_ngram=with_ngram))
        return np.asarray((shares * self.at(settings.theta)).sum(axis=1))


def without_ngram(known: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """The same experts, but not the 5-gram."""
    return np.asarray(known & (np.arange(len(EXPERTS)) != NGRAM))


def features_of(match: npt.NDArray[np.int64], position: npt.NDArray[np.int64], last: npt.NDArray[np.int64]) -> Array:
    """What the shares depend on, [rows x FEATURES], from match length, position in the song and last token."""
    features = np.zeros((len(match), FEATURES))
    features[np.arange(len(match)), np.minimum(match, LONG_MATCH)] = 1
    features[:, LONG_MATCH + 1] = np.log1p(position) / 5 - 0.8  # about -0.8 to 0.6
    features[:, LONG_MATCH + 2] = last < len(MARKS)
    return features


def shares_of(features: Array, known: npt.NDArray[np.bool_], weights: Array) -> Array:
    """The share of each expert, [rows x experts]; none for one without an opinion."""
    scores = np.where(known, features @ weights, -np.inf)
    shares = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(shares / shares.sum(axis=1, keepdims=True))


def opinions(
    stream: Tokens, hidden: Floats, network: Array, ngram: Array | None = None, thetas: Sequence[float] = THETAS
) -> Opinions:
    """What each expert gives the tokens of one song, each after all before it.

    Args:
        stream: the song, int32 [tokens + 1].
        hidden: the network's state before each token after the first, [tokens x hidden].
        network: its probability of each of them, [tokens].
        ngram: that of a 5-gram, [tokens].
        thetas: for which the cache is computed.
    """
    read, targets = stream[:-1].astype(np.int64), stream[1:].astype(np.int64)
    size = len(targets)
    places = np.arange(size)
    past = places[:, None] > places[None, :]
    hits = (targets[:, None] == targets[None, :]) & past
    match, opinion_of_match, opinion_of_pair = _matches(read, past, hits)
    products = np.where(past, hidden @ hidden.T, -np.inf)
    experts = np.zeros((size, len(EXPERTS)))
    experts[:, NETWORK], experts[:, MATCH], experts[:, PAIR] = network, opinion_of_match, opinion_of_pair
    known = np.ones((size, len(EXPERTS)), dtype=np.bool_)
    known[:, CACHE], known[:, MATCH], known[:, PAIR] = places > 0, match > 0, match > 0
    known[:, NGRAM] = ngram is not None
    if ngram is not None:
        experts[:, NGRAM] = ngram
    cache = {theta: _cached(products, hits, theta) for theta in thetas}
    return Opinions(cache, experts, known, features_of(match, places, read))


def _cached(products: Floats, hits: npt.NDArray[np.bool_], theta: float) -> Array:
    found = np.zeros(len(hits))
    if len(hits) > 1:
        scores = np.float32(theta) * products[1:]
        weights = np.exp(scores - scores.max(axis=1, keepdims=True))
        found[1:] = (weights * hits[1:]).sum(axis=1) / weights.sum(axis=1)
    return found


def _matches(
    read: npt.NDArray[np.int64], past: npt.NDArray[np.bool_], hits: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.int64], Array, Array]:
    """Length of the longest match before each target, and what match and pair give the target, [tokens] each."""
    same = (read[:, None] == read[None, :]) & past
    length = np.zeros(len(read), dtype=np.int64)
    of_match, of_pair = np.zeros(len(read)), np.zeros(len(read))
    ending = same
    for count in range(1, LONGEST_MATCH + 1):
        if count > 1:
            longer = np.zeros_like(ending)
            longer[1:, 1:] = ending[:-1, :-1] & same[1:, 1:]
            ending = longer
        found = ending.sum(axis=1)
        rows = np.flatnonzero(found)
        if not len(rows):
            break
        length[rows] = count
        of_match[rows] = (ending[rows] & hits[rows]).sum(axis=1) / found[rows]
        if count == 1:
            of_pair = of_match.copy()
    return length, of_match, of_pair
