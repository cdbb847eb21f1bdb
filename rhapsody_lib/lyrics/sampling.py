"""Drawing words: nucleus sampling over many rows at once, and the song's own history as a continuous cache."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from rhapsody_lib.lyrics.model import CACHE_SHARE, CACHE_THETA, CACHE_TOKENS, Floats, softmax

#: A word that is so many times less likely than the likeliest is never drawn.
_LEAST_LIKELY = np.float32(1e-3)
_TINY = np.float32(1e-30)
Ids = npt.NDArray[np.int64]


def draw_nucleus(probabilities: Floats, temperature: float, top_p: float, rng: np.random.Generator) -> Ids:
    """One word a row from the smallest set of words that holds `top_p` of the row's mass; -1 for a row without mass.

    Holtzman et al. 2020, "The Curious Case of Neural Text Degeneration". Rows need not sum to 1. The
    temperature tilts what is left: below 1 the likely become likelier.
    """
    rows = len(probabilities)
    most = probabilities.max(axis=1)
    # Sorting is of the likely alone: of all words it would cost ten times as much.
    owners, words = np.nonzero(probabilities > (most * _LEAST_LIKELY)[:, None])
    counts = np.bincount(owners, minlength=rows)
    starts = np.cumsum(counts) - counts
    likely = np.zeros((rows, int(counts.max(initial=1))), dtype=probabilities.dtype)
    likely[owners, np.arange(len(owners)) - starts[owners]] = probabilities[owners, words]
    order = np.argsort(-likely, axis=1, kind="stable")
    index = np.arange(rows)[:, None]
    largest = likely[index, order]
    before = np.cumsum(largest, axis=1) - largest
    inside = (before < top_p * largest.sum(axis=1, keepdims=True)) & (largest > 0)
    weights = np.where(inside, largest / np.maximum(most, _TINY)[:, None], 0) ** np.float32(1 / temperature)
    edges = np.cumsum(weights, axis=1, dtype=np.float64)
    marks = rng.random((rows, 1)) * edges[:, -1:]
    place = np.minimum((edges <= marks).sum(axis=1), np.maximum(inside.sum(axis=1) - 1, 0))
    found = np.minimum(starts + order[index[:, 0], place], max(len(words) - 1, 0))
    return np.where(counts > 0, words[found] if len(words) else -1, -1).astype(np.int64)


def draw_distinct(probabilities: Floats, temperature: float, count: int, rng: np.random.Generator) -> Ids:
    """`count` different words a row, drawn without replacement, [rows x count]; -1 where a row has no more.

    Gumbel top-k: Kool, van Hoof & Welling 2019, "Stochastic Beams and Where to Find Them", section 2.3.
    """
    words = probabilities.shape[1]
    with np.errstate(divide="ignore"):
        keys = np.log(probabilities) / np.float32(temperature)
    keys += rng.gumbel(size=probabilities.shape).astype(np.float32)
    size = min(count, words)
    likely = np.argpartition(keys, words - size, axis=1)[:, words - size :]
    found = np.take_along_axis(likely, np.argsort(-np.take_along_axis(keys, likely, axis=1), axis=1), axis=1)
    drawn = np.where(np.take_along_axis(keys, found, axis=1) > -np.inf, found, -1)
    return np.pad(drawn, ((0, 0), (0, count - size)), constant_values=-1).astype(np.int64)


class History:
    """What the songs of a batch have said so far, for the continuous cache, which has the last `CACHE_TOKENS` of it.

    Args:
        songs: songs in the batch.
        hidden_size: size of the network's state.
    """

    def __init__(self, songs: int, hidden_size: int) -> None:
        self._states = np.zeros((songs, 64, hidden_size), dtype=np.float32)
        self._words: list[list[int]] = [[] for _ in range(songs)]
        self._said: list[tuple[Ids, Floats] | None] = [None] * songs

    def add(self, song: int, states: Floats, words: Sequence[int]) -> None:
        """Remember that in a song after `states` [n x hidden] came `words` [n]."""
        start, end = len(self._words[song]), len(self._words[song]) + len(words)
        while end > self._states.shape[1]:
            self._states = np.concatenate([self._states, np.zeros_like(self._states)], axis=1)
        self._states[song, start:end] = states
        self._words[song] += words
        self._said[song] = None

    def _different(self, song: int) -> tuple[Ids, Floats]:
        """The different words of a song's end, and which of them stands at each place, as ones [places x words]."""
        said = self._said[song]
        if said is None:
            words, places = np.unique(np.array(self._words[song][-CACHE_TOKENS:], dtype=np.int64), return_inverse=True)
            said = self._said[song] = (words, np.eye(len(words), dtype=np.float32)[places])
        return said

    def mixed(self, probabilities: Floats, states: Floats, songs: Ids) -> Floats:
        """Mix the cache into probabilities [rows x words], in place; `songs` [rows], ascending, says whose each is."""
        present, starts = np.unique(songs, return_index=True)
        for song, start, end in zip(present.tolist(), starts.tolist(), [*starts[1:].tolist(), len(songs)], strict=True):
            length = len(self._words[song])
            if not length:
                continue
            words, places = self._different(song)
            remembered = self._states[song, max(0, length - CACHE_TOKENS) : length]
            weights = softmax(CACHE_THETA * (states[start:end] @ remembered.T))
            probabilities[start:end] *= np.float32(1 - CACHE_SHARE)
            probabilities[start:end, words] += np.float32(CACHE_SHARE) * (weights @ places)
        return probabilities
