"""What the catalogue's search is measured beside, on the same queries: chance, words alone, the encoder, the ancestor.

Each method ranks the same songs for the same queries; a figure's interval is the bootstrap's over the queries.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rhapsody_lib.progress import Progress, silent
from rhapsody_lib.retrieval.calibration import FEATURES, SHOWN, Calibration, Reliability, calibrate, reliability
from rhapsody_lib.retrieval.halves import song_halves
from rhapsody_lib.retrieval.lexical import LexicalIndex, words_of
from rhapsody_lib.retrieval.metrics import Search, figures, rank_of
from rhapsody_lib.retrieval.scoring import Scores
from rhapsody_lib.retrieval.stanzas import StanzaEmbedder, lexical_text
from rhapsody_lib.seeding import generator
from rhapsody_lib.words.document import Lyrics, LyricSection

Ranks = NDArray[np.int64]
RANDOM, TFIDF, BM25, ANCESTOR, ENCODER, BASE, OURS = (
    "random order",
    "TF-IDF, sublinear",
    "BM25",
    "the ancestor's way",
    "encoder",
    "encoder before tuning",
    "ours",
)
_PARTS = {
    "dense": "encoder, about the mean, less hubs",
    "lexical": "TF-IDF with pairs of words",
    "shape": "lengths of lines",
}
RESAMPLES = 1000


def bm25(songs: Sequence[str], *, k1: float = 1.5, b: float = 0.75) -> Callable[[str], Scores]:
    """Scores of songs by Okapi BM25 (Robertson, Zaragoza 2009), with the usual parameters."""
    counts = [Counter(words_of(text)) for text in songs]
    lengths = np.array([sum(count.values()) for count in counts], dtype=np.float64)
    held: dict[str, list[tuple[int, int]]] = {}
    for row, count in enumerate(counts):
        for word, number in count.items():
            held.setdefault(word, []).append((row, number))
    scale = k1 * (1 - b + b * lengths / max(lengths.mean(), 1.0))

    def score(text: str) -> Scores:
        result = np.zeros(len(songs))
        for word, times in Counter(words_of(text)).items():
            rows, numbers = np.array(held.get(word, []), dtype=np.int64).reshape(-1, 2).T
            idf = np.log1p((len(songs) - len(rows) + 0.5) / (len(rows) + 0.5))
            result[rows] += times * idf * numbers * (k1 + 1) / (numbers + scale[rows])
        return result.astype(np.float32)

    return score


@dataclass(frozen=True)
class KnownItems:
    """Queries that were cut from songs, and the songs they look for; query `i` looks for song `i`, others follow."""

    songs: Sequence[Lyrics]
    queries: Sequence[Lyrics]

    @classmethod
    def of(cls, queries: Sequence[Lyrics], others: Sequence[Lyrics], *, shared_lines: bool = False) -> KnownItems:
        """Second halves of songs that look for the first halves among these and those of other songs.

        Args:
            queries: the songs that are looked for; those too short to be cut are left out.
            others: songs among which, beside themselves.
            shared_lines: a line that returns stays in both halves, as a chorus does.
        """
        cut = with_shared_lines if shared_lines else song_halves
        halves = [half for half in map(cut, queries) if half]
        rest = [half[0] for half in map(cut, others) if half]
        return cls([*(first for first, _ in halves), *rest], [second for _, second in halves])


def with_shared_lines(lyrics: Lyrics) -> tuple[Lyrics, Lyrics] | None:
    """Both halves of the lines of a song as they stand, those that return too; none if it is too short for that."""
    if song_halves(lyrics) is None:
        return None
    left = len(lyrics.lines) // 2
    if not left:
        return song_halves(lyrics)
    halves: tuple[list[LyricSection], list[LyricSection]] = ([], [])
    for section in lyrics.sections:
        for half, lines in zip(halves, (section.lines[:left], section.lines[left:]), strict=True):
            if lines:
                half.append(LyricSection(section.name, lines))
        left = max(0, left - len(section.lines))
    return Lyrics(lyrics.title, tuple(halves[0])), Lyrics(lyrics.title, tuple(halves[1]))


@dataclass(frozen=True)
class Compared:
    """Ranks of each method, and how true our confidences are."""

    ranks: Mapping[str, Ranks]
    songs: int
    reliability: Reliability

    def table(self) -> dict[str, dict[str, Any]]:
        """Figures of each method; `interval` of 95 in 100 about its MRR."""
        return {
            name: {**figures(ranks), "interval": interval([1.0 / ranks], lambda means: means[0])}
            for name, ranks in self.ranks.items()
        }

    @property
    def better_words(self) -> str:
        """The better of TF-IDF and BM25."""
        return max((TFIDF, BM25), key=lambda name: float(np.mean(1.0 / self.ranks[name])))

    def ratio(self, name: str = OURS, beside: str = "") -> tuple[float, tuple[float, float]]:
        """MRR of a method by another's, the better of TF-IDF and BM25 unless named; and its interval, paired."""
        one, other = 1.0 / self.ranks[name], 1.0 / self.ranks[beside or self.better_words]
        return float(one.mean() / other.mean()), interval([one, other], lambda means: means[0] / means[1])


def interval(
    values: Sequence[NDArray[np.float64]], figure: Callable[[Sequence[NDArray[np.float64]]], NDArray[np.float64]]
) -> tuple[float, float]:
    """Interval of 95 in 100 of a figure of means over queries (bootstrap by percentiles; Efron, Tibshirani 1993)."""
    random = generator(0, "retrieval", "bootstrap")
    count = len(values[0])
    weights = random.multinomial(count, np.full(count, 1 / count), RESAMPLES) / count
    low, high = np.quantile(figure([weights @ value for value in values]), (0.025, 0.975))
    return round(float(low), 4), round(float(high), 4)


def compare_methods(
    items: KnownItems,
    embedder: StanzaEmbedder,
    calibration: Calibration | None,
    *,
    base: StanzaEmbedder | None = None,
    progress: Progress = silent,
) -> Compared:
    """Rank the songs of known-item queries by every method.

    Args:
        items: the songs and the queries.
        embedder: of the encoder that is judged.
        calibration: how our score is weighed, fitted on other songs; none: it is fitted on these, for each half of the
            queries on the other half.
        base: of the encoder before tuning, by which the ancestor's way is measured: `embedder` itself where it is not
            tuned. None: neither is measured.
        progress: told of the texts embedded.
    """
    wanted = range(len(items.queries))
    search = Search.of(items.songs, items.queries, wanted, embedder, progress)
    ranks: dict[str, Ranks] = {
        RANDOM: generator(0, "retrieval", "random").integers(1, len(items.songs) + 1, len(items.queries)),
        TFIDF: _ranked(LexicalIndex.build(map(lexical_text, items.songs), words_of).scores, items),
        BM25: _ranked(bm25(list(map(lexical_text, items.songs))), items),
    }
    if base is not None:
        ranks[ANCESTOR] = _whole_texts(items, base, progress)
    if base is not None and base is not embedder:
        ranks[BASE] = _by_cosine(Search.of(items.songs, items.queries, wanted, base, progress))
    ranks[ENCODER] = _by_cosine(search)
    features = search.features()
    told = [calibration] * len(wanted) if calibration else crossed(features, wanted)
    for column, name in enumerate(FEATURES):
        ranks[_PARTS[name]] = np.array([rank_of(values[:, column], row) for row, values in enumerate(features)])
    scores = [(values @ np.asarray(by.weights)).astype(np.float32) for values, by in zip(features, told, strict=True)]
    ranks[OURS] = np.array([rank_of(score, row) for row, score in enumerate(scores)])
    return Compared(ranks, len(items.songs), _reliability(scores, told))


def _ranked(score: Callable[[str], Scores], items: KnownItems) -> Ranks:
    return np.array([rank_of(score(lexical_text(query)), row) for row, query in enumerate(items.queries)])


def _by_cosine(search: Search) -> Ranks:
    return np.array([rank_of(search.matrix.cosines(query), row) for row, query in enumerate(search.queries)])


def _whole_texts(items: KnownItems, embedder: StanzaEmbedder, progress: Progress) -> Ranks:
    """The ancestor's way: one vector of the whole text, cut at the encoder's limit."""
    songs, queries = (
        embedder.encode(["\n".join(song.lines) for song in part], progress=progress)
        for part in (items.songs, items.queries)
    )
    return np.array([rank_of(songs @ query, row) for row, query in enumerate(queries)])


def crossed(features: Sequence[NDArray[np.float32]], wanted: Sequence[int]) -> list[Calibration]:
    """Of each query the calibration that the queries of the other parity taught."""
    halves = [calibrate(features[1 - part :: 2], wanted[1 - part :: 2]) for part in (0, 1)]
    return [halves[place % 2] for place in range(len(wanted))]


def _reliability(scores: Sequence[Scores], calibrations: Sequence[Calibration]) -> Reliability:
    told, right = [], []
    for row, (score, calibration) in enumerate(zip(scores, calibrations, strict=True)):
        best = np.argsort(-score, kind="stable")[:SHOWN]
        told.append(calibration.confidences(score)[best])
        right.append(best == row)
    return reliability(np.concatenate(told), np.concatenate(right))


def by_digest(song_id: str) -> str:
    """By what songs are put in an order that has nothing to do with what they are."""
    return hashlib.sha256(song_id.encode()).hexdigest()
