"""Drawing words: nucleus sampling over many rows at once, and the song's own history as a continuous cache."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from rhapsody_lib.lyrics.model import CACHE_SHARE, CACHE_THETA, CACHE_TOKENS, Floats, softmax

#: A word of less than this share of the likeliest one's weight is never drawn.
_LEAST_LIKELY = np.float32(1e-3)
_TINY = np.float32(1e-30)
#: The score of a place that is not filled.
_BARRED = np.float32(-1e9)
Ids = npt.NDArray[np.int64]


class Nucleus:
    """Of each of many rows the smallest set of words that holds `top_p` of its mass, to draw from.

    Holtzman et al. 2020, "The Curious Case of Neural Text Degeneration". Rows need not sum to 1. The
    temperature tilts what is left: below 1 the likely become likelier.

    Args:
        owners: the row of each word, ascending, [words].
        weights: of each word, above 0, [words].
        rows: number of rows.
        temperature: of the draw.
        top_p: share of the mass that is drawn from.
    """

    def __init__(self, owners: Ids, weights: Floats, rows: int, temperature: float, top_p: float) -> None:
        counts = np.bincount(owners, minlength=rows)
        starts = np.cumsum(counts) - counts
        spread = np.zeros((rows, int(counts.max(initial=1))), dtype=weights.dtype)
        spread[owners, np.arange(len(owners)) - starts[owners]] = weights
        order = np.argsort(-spread, axis=1, kind="stable")
        self._weights = spread[np.arange(rows)[:, None], order]
        self._places = starts[:, None] + order
        self._drawn = np.zeros(rows, dtype=np.int64)
        self._power, self._top_p = np.float32(1 / temperature), top_p

    def draw(self, rows: Ids, rng: np.random.Generator) -> Ids:
        """The place of one word for each of `rows` in what was given, -1 where a row has no word left."""
        largest = self._weights[rows]
        sums = np.cumsum(largest, axis=1)
        inside = (sums - largest < self._top_p * sums[:, -1:]) & (largest > 0)
        tilted = np.where(inside, largest / np.maximum(largest.max(axis=1, keepdims=True), _TINY), 0) ** self._power
        edges = np.cumsum(tilted, axis=1, dtype=np.float64)
        marks = rng.random((len(rows), 1)) * edges[:, -1:]
        last = inside.shape[1] - 1 - np.argmax(inside[:, ::-1], axis=1)
        self._drawn[rows] = found = np.minimum((edges <= marks).sum(axis=1), last)
        return np.where(sums[:, -1] > 0, self._places[rows, found], -1)

    def strike(self, rows: Ids) -> None:
        """What was drawn last for `rows` is not drawn again."""
        self._weights[rows, self._drawn[rows]] = 0


def least_weight(most: Floats) -> Floats:
    """Words of less weight are never drawn beside one of so much: sorting all words would cost ten times as much."""
    return np.asarray(most * _LEAST_LIKELY)


def draw_distinct(probabilities: Floats, temperature: float, count: int, rng: np.random.Generator) -> Ids:
    """`count` different words a row, drawn without replacement, [rows x count]; -1 where a row has no more.

    Gumbel top-k: Kool, van Hoof & Welling 2019, "Stochastic Beams and Where to Find Them", section 2.3.
    """
    drawn = np.full((len(probabilities), count), -1, dtype=np.int64)
    owners, words = np.nonzero(probabilities)
    keys = np.log(probabilities[owners, words]) / np.float32(temperature)
    keys += rng.gumbel(size=len(keys)).astype(np.float32)
    edges = np.searchsorted(owners, np.arange(len(probabilities) + 1)).tolist()
    for row, (start, end) in enumerate(itertools.pairwise(edges)):
        best = np.argsort(-keys[start:end], kind="stable")[:count]
        drawn[row, : len(best)] = words[start:end][best]
    return drawn


class History:
    """What the songs of a batch have said so far, for the continuous cache, which has the last `CACHE_TOKENS` of it.

    Args:
        songs: songs in the batch.
        hidden_size: size of the network's state.
        nothing: the word that stands for none, where songs have said fewer different words than others.
    """

    def __init__(self, songs: int, hidden_size: int, nothing: int = 0) -> None:
        self._states = np.zeros((songs, 64, hidden_size), dtype=np.float32)
        self._words: list[list[int]] = [[] for _ in range(songs)]
        self._nothing = nothing
        self._said: tuple[Floats, Ids, Floats] | None = None

    def add(self, song: int, states: Floats, words: Sequence[int]) -> None:
        """Remember that in a song after `states` [n x hidden] came `words` [n]."""
        start, end = len(self._words[song]), len(self._words[song]) + len(words)
        if end > CACHE_TOKENS:
            states = np.concatenate([self._states[song, :start], states])[-CACHE_TOKENS:]
            start, end = 0, CACHE_TOKENS
        while end > self._states.shape[1]:
            self._states = np.concatenate([self._states, np.zeros_like(self._states)], axis=1)
        self._states[song, start:end] = states
        self._words[song] = [*self._words[song], *words][-CACHE_TOKENS:]
        self._said = None

    def _prepared(self) -> tuple[Floats, Ids, Floats]:
        """What bars the places that a song has not filled, [songs x 1 x places], its different words, [songs x words].

        And which of them stands at each place, as ones [songs x places x words].
        """
        if self._said is None:
            found = [np.unique(np.array(words, dtype=np.int64), return_inverse=True) for words in self._words]
            longest, most = (max((len(one[part]) for one in found), default=0) for part in (1, 0))
            bars = np.full((len(found), 1, longest), _BARRED, dtype=np.float32)
            said = np.full((len(found), most), self._nothing, dtype=np.int64)
            ones = np.zeros((len(found), longest, most), dtype=np.float32)
            for song, (words, places) in enumerate(found):
                bars[song, :, : len(places)], said[song, : len(words)] = 0, words
                ones[song, np.arange(len(places)), places] = 1
            self._said = bars, said, ones
        return self._said

    def shares(self, states: Floats, songs: Ids) -> tuple[Ids, Floats]:
        """The words that each row's song has said and what the cache gives them, both [rows x words].

        Args:
            states: of each row, [rows x hidden].
            songs: whose history each row has, ascending, [rows].
        """
        bars, said, ones = self._prepared()
        if not said.shape[1]:
            return said[songs], np.zeros((len(songs), 0), dtype=np.float32)
        if len(said) == 1:
            weights = states @ self._states[0, : bars.shape[2]].T
            return said[songs], softmax(np.float32(CACHE_THETA) * weights) @ ones[0]
        counts = np.bincount(songs, minlength=len(said))
        places = np.arange(len(songs)) - (np.cumsum(counts) - counts)[songs]
        asked = np.zeros((len(said), int(counts.max()), states.shape[1]), dtype=np.float32)
        asked[songs, places] = states
        weights = asked @ self._states[:, : bars.shape[2]].transpose(0, 2, 1)
        weights *= np.float32(CACHE_THETA)
        weights += bars
        return said[songs], (softmax(weights) @ ones)[songs, places]

    def met(self, songs: Ids) -> npt.NDArray[np.bool_]:
        """Whether the song of each row has said anything, [rows]."""
        return np.array([len(words) > 0 for words in self._words], dtype=np.bool_)[songs]

    def mixed(self, probabilities: Floats, states: Floats, songs: Ids) -> Floats:
        """Mix the cache into probabilities [rows x words], in place; `songs` [rows], ascending, says whose each is."""
        said, shares = self.shares(states, songs)
        met = self.met(songs)
        rows, words = np.nonzero((shares > 0) & met[:, None])
        probabilities[met] *= np.float32(1 - CACHE_SHARE)
        probabilities[rows, said[rows, words]] += np.float32(CACHE_SHARE) * shares[rows, words]
        return probabilities
