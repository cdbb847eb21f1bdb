"""Drawing words: nucleus sampling over many rows at once, and the song's own history as a continuous cache."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from rhapsody_lib.lyrics.model import CACHE_SHARE, CACHE_THETA, Floats, softmax

#: The nucleus is looked for among this many words.
_WIDEST_NUCLEUS = 128
_TINY = np.float32(1e-30)
Ids = npt.NDArray[np.int64]


def draw_nucleus(probabilities: Floats, temperature: float, top_p: float, rng: np.random.Generator) -> Ids:
    """One word a row from the smallest set of words that holds `top_p` of the row's mass; -1 for a row without mass.

    Holtzman et al. 2020, "The Curious Case of Neural Text Degeneration". Rows need not sum to 1. The
    temperature tilts what is left: below 1 the likely become likelier.
    """
    rows, words = probabilities.shape
    size = min(_WIDEST_NUCLEUS, words)
    # Only values are sorted, and only the largest: sorting places too takes four times as long.
    largest = np.sort(np.partition(probabilities, words - size, axis=1)[:, words - size :], axis=1)[:, ::-1]
    before = np.cumsum(largest, axis=1) - largest
    inside = (before < top_p * largest.sum(axis=1, keepdims=True)).sum(axis=1)
    least = largest[np.arange(rows), np.maximum(inside - 1, 0)]
    nucleus = (probabilities >= least[:, None]) & (probabilities > 0)
    weights = np.zeros((rows, words))
    weights[nucleus] = (probabilities / np.maximum(largest[:, :1], _TINY))[nucleus] ** (1 / temperature)
    edges = np.cumsum(weights, axis=1)
    marks = rng.random((rows, 1)) * edges[:, -1:]
    last = words - 1 - np.argmax(nucleus[:, ::-1], axis=1)
    drawn = np.minimum((edges <= marks).sum(axis=1), last)
    return np.where(nucleus.any(axis=1), drawn, -1).astype(np.int64)


def draw_distinct(probabilities: Floats, temperature: float, count: int, rng: np.random.Generator) -> Ids:
    """`count` different words a row, drawn without replacement, [rows x count]; -1 where a row has no more.

    Gumbel top-k: Kool, van Hoof & Welling 2019, "Stochastic Beams and Where to Find Them", section 2.3.
    """
    with np.errstate(divide="ignore"):
        keys = np.log(probabilities) / np.float32(temperature) + rng.gumbel(size=probabilities.shape).astype(np.float32)
    count_found = min(count, probabilities.shape[1])
    found = np.argsort(-keys, axis=1, kind="stable")[:, :count_found]
    drawn = np.where(np.take_along_axis(keys, found, axis=1) > -np.inf, found, -1)
    return np.pad(drawn, ((0, 0), (0, count - count_found)), constant_values=-1).astype(np.int64)


class History:
    """What the songs of a batch have said so far, for the continuous cache.

    Args:
        songs: songs in the batch.
        hidden_size: size of the network's state.
        vocabulary_size: words, those of the prompt that the model does not know included.
    """

    def __init__(self, songs: int, hidden_size: int, vocabulary_size: int) -> None:
        self._states = np.zeros((songs, 64, hidden_size), dtype=np.float32)
        self._words = np.full((songs, 64), -1, dtype=np.int64)
        self._lengths = np.zeros(songs, dtype=np.int64)
        self._size = vocabulary_size

    def add(self, songs: Sequence[int] | Ids, states: Floats, words: Ids) -> None:
        """Remember that after `states` [songs x hidden] came `words` [songs]."""
        at = self._lengths[songs]
        if at.size and int(at.max()) >= self._words.shape[1]:
            self._states = np.concatenate([self._states, np.zeros_like(self._states)], axis=1)
            self._words = np.concatenate([self._words, np.full_like(self._words, -1)], axis=1)
        self._states[songs, at], self._words[songs, at] = states, words
        self._lengths[songs] += 1

    def mixed(self, probabilities: Floats, states: Floats, songs: Ids) -> Floats:
        """Mix the cache into probabilities [rows x words], in place; `songs` [rows] says whose history each row has."""
        for song in np.unique(songs):
            length = self._lengths[song]
            if not length:
                continue
            rows = np.flatnonzero(songs == song)
            words = self._words[song, :length]
            weights = softmax(CACHE_THETA * (states[rows] @ self._states[song, :length].T))
            cached = np.zeros((len(rows), self._size), dtype=np.float32)
            np.add.at(cached.T, words, weights.T)
            probabilities[rows] = (1 - CACHE_SHARE) * probabilities[rows] + CACHE_SHARE * cached
        return probabilities
