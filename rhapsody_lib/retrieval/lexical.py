"""TF-IDF with sublinear term frequency (Manning, Raghavan, Schuetze: Introduction to Information Retrieval, 6.4.1).

The textbook's index, in memory: what a catalogue's own (`lexicon`) is measured beside. A term is a word, or two words
side by side in a line: with the pairs, phrases count too.
"""

from __future__ import annotations

import bisect
import itertools
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

_WORD = re.compile(r"\w+(?:'\w+)*")


def words_of(text: str) -> list[str]:
    """Lower-cased words; an apostrophe inside a word belongs to it."""
    return _WORD.findall(text.replace("\u2019", "'").lower())


def terms_of(text: str) -> list[str]:
    """The words of a text, and the pairs of words that stand side by side in a line, joined by a space."""
    terms: list[str] = []
    for line in text.splitlines():
        words = words_of(line)
        terms += words
        terms += map(" ".join, itertools.pairwise(words))
    return terms


def _term_weights(words: Iterable[str]) -> dict[str, float]:
    return {term: 1.0 + math.log(count) for term, count in Counter(words).items()}


@dataclass(frozen=True)
class LexicalIndex:
    """Postings of all terms: those of term `i` are `songs[starts[i]:starts[i + 1]]`, with `weights` alike."""

    song_count: int
    terms: pa.StringArray
    idf: NDArray[np.float32]
    starts: NDArray[np.int64]
    songs: NDArray[np.int32]
    weights: NDArray[np.float32]
    split: Callable[[str], list[str]] = field(default=terms_of)

    @classmethod
    def build(cls, texts: Iterable[str], split: Callable[[str], list[str]] = terms_of) -> LexicalIndex:
        """Index texts; song `i` is the i-th text, cut into terms by `split`."""
        number: dict[str, int] = {}
        columns: list[NDArray[np.int32]] = []
        values: list[NDArray[np.float32]] = []
        for text in texts:
            weights = _term_weights(split(text))
            columns.append(np.array([number.setdefault(term, len(number)) for term in weights], dtype=np.int32))
            values.append(np.array(list(weights.values()), dtype=np.float32))
        lengths = np.array([len(column) for column in columns], dtype=np.int64)
        terms = np.concatenate([np.empty(0, np.int32), *columns])
        songs = np.repeat(np.arange(len(columns), dtype=np.int32), lengths)
        frequency = np.bincount(terms, minlength=len(number))
        idf = (np.log((1 + len(columns)) / (1 + frequency)) + 1).astype(np.float32)
        weights_ = np.concatenate([np.empty(0, np.float32), *values]) * idf[terms]
        norms = np.sqrt(np.bincount(songs, weights_.astype(np.float64) ** 2, minlength=len(columns)))
        weights_ = (weights_ / norms[songs]).astype(np.float32)
        names = sorted(number)
        rank = np.empty(len(names), dtype=np.int64)
        rank[[number[name] for name in names]] = np.arange(len(names))
        order = np.argsort(rank[terms], kind="stable")
        by_name = np.argsort(rank)
        starts = np.concatenate([[0], np.cumsum(frequency[by_name])]).astype(np.int64)
        return cls(
            len(columns), pa.array(names, pa.string()), idf[by_name], starts, songs[order], weights_[order], split
        )

    def scores(self, text: str) -> NDArray[np.float32]:
        """Cosine of the text's TF-IDF vector to each song's, in [0, 1], float32 [songs]; 0 without a known word."""
        result = np.zeros(self.song_count, dtype=np.float32)
        query = _term_weights(self.split(text))
        known = [
            (place, weight * float(self.idf[place]))
            for term, weight in query.items()
            if (place := self._place(term)) is not None
        ]
        norm = float(np.sqrt(sum(weight**2 for _, weight in known)))
        for term, weight in known:
            postings = slice(self.starts[term], self.starts[term + 1])
            result[self.songs[postings]] += np.float32(weight / norm) * self.weights[postings]
        return result

    def _place(self, term: str) -> int | None:
        """Row of a term, found by halving: of a mapped index little more is read than what is looked for."""
        place = bisect.bisect_left(range(len(self.terms)), term, key=lambda row: str(self.terms[row]))
        return place if place < len(self.terms) and str(self.terms[place]) == term else None
