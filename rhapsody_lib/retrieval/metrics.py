"""How well the catalogue finds songs: the second half of a song looks for its first half (known-item search).

Halves share no line (`halves.song_halves`), so a chorus that returns does not give the answer away; a chorus that
returns with a changed word still does in part.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rhapsody_lib.progress import Progress, silent
from rhapsody_lib.retrieval.calibration import FEATURES, SHOWN, USUAL, Calibration, calibrate, reliability
from rhapsody_lib.retrieval.corpus_songs import read_songs
from rhapsody_lib.retrieval.halves import song_halves
from rhapsody_lib.retrieval.lexicon import Lexicon
from rhapsody_lib.retrieval.pairs import heldout_artist
from rhapsody_lib.retrieval.scoring import Scores, SongMatrix, features_of, standardised
from rhapsody_lib.retrieval.serving import Encoder, Vectors
from rhapsody_lib.retrieval.shapes import ShapeTable
from rhapsody_lib.retrieval.stanzas import StanzaEmbedder, lexical_text, song_stanzas
from rhapsody_lib.words.document import Lyrics

Halves = tuple[Lyrics, Lyrics]
#: The names of the features' own figures.
_NAMES = dict(zip(FEATURES, ("sbert_centred", "tfidf", "shape"), strict=True))


def rank_of(scores: Scores, wanted: int) -> int:
    """Rank of an item from 1; every other item with the same score stands before it, so that no tie flatters."""
    return int(np.count_nonzero(scores >= scores[wanted]))


def figures(ranks: NDArray[np.int64]) -> dict[str, float]:
    """Recall@1, Recall@10, mean reciprocal rank and nDCG@10 of ranks [queries], each with one right answer."""
    gains = np.where(ranks <= 10, 1.0 / np.log2(1.0 + ranks), 0.0)
    return {
        "recall_at_1": round(float(np.mean(ranks <= 1)), 4),
        "recall_at_10": round(float(np.mean(ranks <= 10)), 4),
        "mrr": round(float(np.mean(1.0 / ranks)), 4),
        "ndcg_at_10": round(float(np.mean(gains)), 4),
    }


def sampled_halves(corpus: Path, max_songs: int, unread: float | None = None) -> list[Halves]:
    """Halves of at most `max_songs` songs, chosen by the digest of their ids, in the order of these digests.

    Args:
        corpus: a prepared corpus.
        max_songs: songs at most.
        unread: share of the artists whose songs alone are taken (`pairs.heldout_artist`); none: all are.
    """
    chosen: list[tuple[str, Halves]] = []
    for batch in read_songs(corpus):
        for song in batch:
            taken = unread is None or heldout_artist(song.artist, unread)
            halves = song_halves(song.lyrics) if taken else None
            if halves:
                chosen.append((hashlib.sha256(song.song_id.encode()).hexdigest(), halves))
        chosen = sorted(chosen, key=lambda item: item[0])[:max_songs]
    return [halves for _, halves in chosen]


@dataclass(frozen=True)
class Search:
    """Known-item queries and what is searched; query `i` looks for song `wanted[i]`.

    Args:
        matrix: vectors of the songs.
        lexicon: their lexical index.
        shapes: of their lines.
        queries: unit vectors [queries x dimension].
        texts: the queries' words.
        wanted: row of the song of each query.
    """

    matrix: SongMatrix
    lexicon: Lexicon
    shapes: ShapeTable
    queries: Vectors
    texts: Sequence[str]
    wanted: Sequence[int]

    @classmethod
    def of(
        cls,
        songs: Sequence[Lyrics],
        queries: Sequence[Lyrics],
        wanted: Sequence[int],
        embedder: StanzaEmbedder,
        progress: Progress = silent,
    ) -> Search:
        """Embed and index songs, and queries that look for them."""
        encoder = embedder.encoder
        vectors, _ = embedder.songs([song_stanzas(song, encoder) for song in songs], progress=progress)
        asked, _ = embedder.songs([song_stanzas(query, encoder) for query in queries], progress=progress)
        texts = list(map(lexical_text, songs))
        matrix, lexicon, shapes = SongMatrix.of([vectors]).with_hubness(), Lexicon.build(texts), ShapeTable.build(texts)
        return cls(matrix, lexicon, shapes, asked, list(map(lexical_text, queries)), wanted)

    def features(self) -> list[NDArray[np.float32]]:
        """Of each query the standardised features [songs x features]."""
        found = []
        for query, text in zip(self.queries, self.texts, strict=True):
            _, values = features_of(self.matrix, self.lexicon, self.shapes, query, text)
            found.append(np.stack([standardised(value) for value in values], axis=1))
        return found

    def ranks(self, calibration: Calibration) -> NDArray[np.int64]:
        """Rank of the song of each query by the score."""
        weights = np.asarray(calibration.weights)
        pairs = zip(self.features(), self.wanted, strict=True)
        return np.array([rank_of(values @ weights, row) for values, row in pairs])


def _crossed(
    features: Sequence[NDArray[np.float32]], wanted: Sequence[int], fixed: float | None
) -> tuple[NDArray[np.int64], dict[str, Any]]:
    """Ranks by the score, and how true its confidences are: each half of the queries by what the other half taught."""
    ranks = np.zeros(len(wanted), np.int64)
    confidences: list[NDArray[np.float64]] = []
    right: list[NDArray[np.bool_]] = []
    for part in (0, 1):
        fitted = _fitted(features[1 - part :: 2], wanted[1 - part :: 2], fixed)
        for place in range(part, len(wanted), 2):
            scores = (features[place] @ np.asarray(fitted.weights)).astype(np.float32)
            ranks[place] = rank_of(scores, wanted[place])
            best = np.argsort(-scores, kind="stable")[:SHOWN]
            confidences.append(fitted.confidences(scores)[best])
            right.append(best == wanted[place])
    told = reliability(np.concatenate(confidences), np.concatenate(right))
    numbers = {"brier": told.brier, "brier_of_the_mean": told.brier_base, "calibration_error": told.error}
    return ranks, {name: round(value, 4) for name, value in numbers.items()}


def _fitted(features: Sequence[NDArray[np.float32]], wanted: Sequence[int], fixed: float | None) -> Calibration:
    if fixed is None:
        return calibrate(features, wanted)
    return calibrate(features, wanted, USUAL.with_lexical_share(fixed), keep_weights=True)


def evaluate_retrieval(
    corpus: Path,
    encoder: Encoder,
    *,
    lexical_weight: float | None = None,
    max_songs: int = 1000,
    unread: float | None = None,
    embedder: StanzaEmbedder | None = None,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Known-item search, second half to first half, among at most `max_songs` songs; and how scores are to be weighed.

    Args:
        corpus: a prepared corpus.
        encoder: the encoder to judge.
        lexical_weight: share of TF-IDF beside the encoder in `sum`; none: the weights are fitted.
        max_songs: songs compared with one another; the figures fall as it grows.
        unread: share of the artists of whom a tuned encoder has read nothing (`pairs.unread_artists`): it is judged by
            their songs alone. None: by all.
        embedder: one of this encoder that already knows the songs' stanzas.
        progress: told of the texts embedded.

    Returns:
        `songs`; for `sbert` (plain cosine), `sbert_centred`, `tfidf`, `shape` and `sum` (the score, weighed by what the
        other half of the queries taught) recall_at_1, recall_at_10, mrr and ndcg_at_10; `confidence`, how true that of
        `sum` is; and `score`, the calibration fitted on all queries. Without a song that can be halved, `songs` is 0
        and no figure stands but `score`.
    """
    halves = sampled_halves(corpus, max_songs, unread)
    result: dict[str, Any] = {"task": "second half -> first half", "songs": len(halves)}
    if unread is not None:
        result["artists"] = "held out"
    if not halves:
        return result | {"score": _fitted([], [], lexical_weight).to_card()}
    firsts, seconds = [first for first, _ in halves], [second for _, second in halves]
    rows = range(len(halves))
    search = Search.of(firsts, seconds, rows, embedder or StanzaEmbedder(encoder), progress)
    features = search.features()
    ranks = {
        "sbert": [rank_of(search.matrix.cosines(query), row) for query, row in zip(search.queries, rows, strict=True)]
    }
    for column, name in enumerate(_NAMES.values()):
        ranks[name] = [rank_of(values[:, column], row) for values, row in zip(features, rows, strict=True)]
    summed, confidence = _crossed(features, rows, lexical_weight)
    told = {name: figures(np.array(values)) for name, values in ranks.items()} | {"sum": figures(summed)}
    return result | told | {"confidence": confidence, "score": _fitted(features, rows, lexical_weight).to_card()}
