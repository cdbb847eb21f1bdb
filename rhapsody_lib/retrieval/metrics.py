"""How well the catalogue finds songs: the second half of a song looks for its first half (known-item search).

Halves share no line (`halves.song_halves`), so a chorus that returns does not give the answer away; a chorus that
returns with a changed word still does in part. Artists are not disjoint, so part of any figure is their style.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rhapsody_lib.progress import Progress, silent
from rhapsody_lib.retrieval.corpus_songs import read_songs
from rhapsody_lib.retrieval.halves import song_halves
from rhapsody_lib.retrieval.lexical import LexicalIndex
from rhapsody_lib.retrieval.scoring import Scores, SongMatrix, hybrid
from rhapsody_lib.retrieval.serving import Encoder, Vectors
from rhapsody_lib.retrieval.stanzas import StanzaEmbedder, lexical_text, song_stanzas
from rhapsody_lib.words.document import Lyrics

Halves = tuple[Lyrics, Lyrics]


def rank_of(scores: Scores, wanted: int) -> int:
    """Rank of an item from 1; every other item with the same score stands before it, so that no tie flatters."""
    return int(np.count_nonzero(scores >= scores[wanted]))


def figures(ranks: NDArray[np.int64]) -> dict[str, float]:
    """Recall@1, Recall@10 and mean reciprocal rank of ranks [queries]."""
    return {
        "recall_at_1": round(float(np.mean(ranks <= 1)), 4),
        "recall_at_10": round(float(np.mean(ranks <= 10)), 4),
        "mrr": round(float(np.mean(1.0 / ranks)), 4),
    }


def sampled_halves(corpus: Path, max_songs: int, split: str = "") -> list[Halves]:
    """Halves of at most `max_songs` songs, chosen by the digest of their ids, in the order of these digests."""
    chosen: list[tuple[str, Halves]] = []
    for batch in read_songs(corpus):
        for song in batch:
            halves = song_halves(song.lyrics) if split in ("", song.split) else None
            if halves:
                chosen.append((hashlib.sha256(song.song_id.encode()).hexdigest(), halves))
        chosen = sorted(chosen, key=lambda item: item[0])[:max_songs]
    return [halves for _, halves in chosen]


def _ranks(halves: list[Halves], vectors: tuple[Vectors, Vectors], lexical_weight: float) -> dict[str, list[int]]:
    matrix = SongMatrix.of([vectors[0]])
    index = LexicalIndex.build(lexical_text(first) for first, _ in halves)
    ranks: dict[str, list[int]] = {"sbert": [], "sbert_centred": [], "tfidf": [], "sum": []}
    for wanted, (query, (_, second)) in enumerate(zip(vectors[1], halves, strict=True)):
        cosines, lexical = matrix.cosines(query), index.scores(lexical_text(second))
        centred = matrix.centred(query, cosines)
        scores = (cosines, centred, lexical, hybrid(centred, lexical, lexical_weight))
        for name, values in zip(ranks, scores, strict=True):
            ranks[name].append(rank_of(values, wanted))
    return ranks


def evaluate_retrieval(
    corpus: Path,
    encoder: Encoder,
    *,
    lexical_weight: float = 0.5,
    max_songs: int = 1000,
    split: str = "",
    embedder: StanzaEmbedder | None = None,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Known-item search, second half to first half, among at most `max_songs` songs.

    Args:
        corpus: a prepared corpus.
        encoder: the encoder to judge.
        lexical_weight: share of TF-IDF in `sum`.
        max_songs: songs compared with one another; the figures fall as it grows.
        split: `train` or `heldout`; empty for both. An encoder tuned on songs is to be judged on `heldout`.
        embedder: one of this encoder that already knows the songs' stanzas.
        progress: told of the texts embedded.

    Returns:
        `songs`, and for `sbert` (plain cosine), `sbert_centred`, `tfidf` and `sum` (of the last two) recall_at_1,
        recall_at_10 and mrr. Without a song that can be halved, `songs` is 0 and no figure stands.
    """
    halves = sampled_halves(corpus, max_songs, split)
    result: dict[str, Any] = {"task": "second half -> first half", "songs": len(halves), "split": split or "all"}
    if not halves:
        return result
    embedder = embedder or StanzaEmbedder(encoder)
    firsts, _ = embedder.songs([song_stanzas(first, encoder) for first, _ in halves], progress=progress)
    seconds, _ = embedder.songs([song_stanzas(second, encoder) for _, second in halves], progress=progress)
    ranks = _ranks(halves, (firsts, seconds), lexical_weight)
    return result | {name: figures(np.array(values)) for name, values in ranks.items()}
