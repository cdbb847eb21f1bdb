"""Known-item search: second halves look for first halves, among songs of artists of whom no encoder has read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from rhapsody_lib.corpus.schema import SONGS_FILE
from rhapsody_lib.progress import reporter
from rhapsody_lib.retrieval.calibration import USUAL, Calibration, calibrate, fit_weights
from rhapsody_lib.retrieval.halves import song_halves
from rhapsody_lib.retrieval.metrics import Search, rank_of
from rhapsody_lib.retrieval.pairs import heldout_artist
from rhapsody_lib.retrieval.stanzas import StanzaEmbedder
from rhapsody_lib.retrieval.yardsticks import (
    ANCESTOR,
    BM25,
    ENCODER,
    OURS,
    RANDOM,
    TFIDF,
    Compared,
    KnownItems,
    by_digest,
    compare_methods,
    interval,
)
from rhapsody_lib.words.document import Lyrics, parse_lyrics
from tests.benchmarks.retrieval_bench import Bench
from tests.benchmarks.table import Row

#: Artists whose songs are looked for, and those whose songs the weights are fitted on; tuning reads the others.
HELDOUT_SHARE, FITTED_SHARE = 0.5, 0.6
SEARCHED, QUERIES = 5000, 2000
FITTED_SONGS, FITTED_QUERIES = 1500, 1000
WANTED_MRR, WANTED_RATIO = 0.52, 1.25


@dataclass(frozen=True)
class Parts:
    """Songs by digest of their ids: those looked for, those only searched, and those the weights are fitted on."""

    queries: Sequence[Lyrics]
    others: Sequence[Lyrics]
    fitting: Sequence[Lyrics]


def songs_by_artist(corpus: Path) -> tuple[list[Lyrics], list[Lyrics]]:
    """Songs of held-out artists, and of those that the weights are fitted on, that can be halved."""
    rows: list[dict[str, Any]] = pq.read_table(
        corpus / SONGS_FILE, columns=["song_id", "title", "artist", "lyrics"]
    ).to_pylist()
    held: tuple[list[Lyrics], list[Lyrics]] = ([], [])
    for row in sorted(rows, key=lambda row: by_digest(row["song_id"])):
        artist = row["artist"] or row["song_id"]
        lyrics = parse_lyrics(row["lyrics"] or "", row["title"] or "")
        if heldout_artist(artist, FITTED_SHARE) and song_halves(lyrics):
            held[0 if heldout_artist(artist, HELDOUT_SHARE) else 1].append(lyrics)
    return held


def parts_of(bench: Bench, corpus: Path) -> Parts:
    """What is measured on what; a pool that held-out artists do not fill is filled with other songs, which is told."""
    heldout, between = songs_by_artist(corpus)
    searched = min(SEARCHED, len(heldout) + len(between) // 2)
    pool = heldout[:searched]
    filled = between[: searched - len(pool)]
    bench.notes.append(
        f"Searched: {len(pool)} songs of held-out artists and {len(filled)} others that are not looked for; "
        f"{min(QUERIES, len(pool))} queries."
    )
    rest = between[len(filled) :]
    return Parts(pool[:QUERIES], [*pool[QUERIES:], *filled], rest[:FITTED_SONGS])


def fitted(songs: Sequence[Lyrics], embedder: StanzaEmbedder) -> Calibration:
    """Weights and confidence of songs that are not measured."""
    items = KnownItems.of(songs[:FITTED_QUERIES], songs[FITTED_QUERIES:])
    rows = range(len(items.queries))
    return calibrate(Search.of(items.songs, items.queries, rows, embedder, reporter("Fitting")).features(), rows)


def finding(bench: Bench) -> list[Row]:
    """MRR of each method, beside the better of TF-IDF and BM25."""
    corpus = bench.corpus()
    if corpus is None:
        return []
    parts = parts_of(bench, corpus)
    base = bench.embedder(bench.base_encoder)
    embedder = bench.embedder(bench.encoder) if bench.encoder else base
    name = "tuned encoder" if bench.encoder else "packaged encoder"
    weighed = fitted(parts.fitting, embedder)
    bench.notes.append(f"Weights, fitted on {weighed.queries} other songs: {weighed.to_card()}.")
    rows: list[Row] = []
    for shared in (False, True):
        items = KnownItems.of(parts.queries, parts.others, shared_lines=shared)
        found = compare_methods(items, embedder, weighed, base=base, progress=reporter("Finding"))
        rows += _rows(found, f"{len(items.songs):,} songs, {name}" + (", lines that return shared" if shared else ""))
        if not shared:
            rows += _wanted(found, items, parts, embedder)
            told = found.reliability
            rows.append(Row("calibration error of the confidence", round(told.error, 4)))
            rows.append(
                Row("Brier score, beside that of the mean share", round(told.brier, 4), round(told.brier_base, 4))
            )
            bins = "; ".join(f"{told:.2f}: {seen:.2f} of {count}" for told, seen, count in found.reliability.bins)
            bench.notes.append(f"Confidence told: share of right matches of so many: {bins}.")
    return rows


def _rows(found: Compared, where: str) -> list[Row]:
    words = found.better_words
    yardstick = found.table()[words]["mrr"]
    rows = []
    for name, told in found.table().items():
        low, high = told["interval"]
        others = f"R@1 {told['recall_at_1']:.3f}, R@10 {told['recall_at_10']:.3f}, nDCG@10 {told['ndcg_at_10']:.3f}"
        what = f"MRR, {name} [{low:.3f}, {high:.3f}], {others}; {where}"
        peer = None if name in (RANDOM, words) else yardstick
        rows.append(Row(what, told["mrr"], peer, round(told["mrr"] / peer, 3) if peer else None))
    return rows


def _wanted(found: Compared, items: KnownItems, parts: Parts, embedder: StanzaEmbedder) -> list[Row]:
    """The two figures of the issue; and what the words alone and without the lines' lengths would be."""
    table, (ratio, (low, high)) = found.table(), found.ratio()
    mrr, words = table[OURS]["mrr"], max(table[TFIDF]["mrr"], table[BM25]["mrr"])
    rows = [
        Row("MRR of second half -> first half, artist-disjoint", mrr, target=f">= {WANTED_MRR}", met=mrr >= WANTED_MRR),
        Row(
            f"the same beside the better of TF-IDF and BM25, interval {low:.2f} to {high:.2f}",
            mrr,
            words,
            round(ratio, 3),
            f">= {WANTED_RATIO} x, interval clear",
            low >= WANTED_RATIO,
        ),
    ]
    (over, (first, last)) = found.ratio(OURS, ANCESTOR)
    rows.append(
        Row(
            f"the same beside the ancestor's way, interval {first:.2f} to {last:.2f}",
            mrr,
            table[ANCESTOR]["mrr"],
            round(over, 3),
        )
    )
    for what, columns, hubs in (("the lengths of lines", 2, True), ("the correction for hubs", 3, False)):
        plain = _less(items, parts, embedder, columns, hubs=hubs)
        low, high = interval([plain], lambda means: means[0])
        first, last = interval([1.0 / found.ranks[OURS], plain], lambda means: means[0] / means[1])
        label = (
            f"MRR without {what} [{low:.3f}, {high:.3f}]; beside ours, which is {first:.3f} to {last:.3f} times that"
        )
        rows.append(Row(label, round(float(plain.mean()), 4), mrr))
    rows.append(Row("encoder alone, plain cosine of the means of stanzas", table[ENCODER]["mrr"]))
    return rows


def _less(
    items: KnownItems, parts: Parts, embedder: StanzaEmbedder, columns: int, *, hubs: bool
) -> NDArray[np.float64]:
    """Reciprocal ranks [queries] by the first features alone, or without the correction; weights fitted anew."""
    other = KnownItems.of(parts.fitting[:FITTED_QUERIES], parts.fitting[FITTED_QUERIES:])
    rows = range(len(other.queries))

    def features(of: KnownItems) -> list[NDArray[np.float32]]:
        search = Search.of(of.songs, of.queries, range(len(of.queries)), embedder)
        search = search if hubs else replace(search, matrix=replace(search.matrix, hubness=None))
        return [values[:, :columns] for values in search.features()]

    weights = fit_weights(features(other), rows, USUAL.weights[:columns])
    scores = ((values @ weights).astype(np.float32) for values in features(items))
    return np.array([1.0 / rank_of(score, row) for row, score in enumerate(scores)])
