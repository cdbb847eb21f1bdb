"""A catalogue of a million songs: opened, searched, filtered, grown by a hundred; exact search and inverted file."""

from __future__ import annotations

import heapq
import itertools
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from rhapsody_lib import operations
from rhapsody_lib.artifacts import Store
from rhapsody_lib.operations.opening import open_catalogue
from rhapsody_lib.processors import available_processors
from rhapsody_lib.retrieval.corpus_songs import read_songs
from rhapsody_lib.retrieval.filters import MatchFilters
from rhapsody_lib.retrieval.index import ExactIndex
from rhapsody_lib.retrieval.lexical import LexicalIndex
from rhapsody_lib.retrieval.lexicon import Lexicon
from rhapsody_lib.retrieval.metrics import rank_of
from rhapsody_lib.retrieval.opened import Catalogue
from rhapsody_lib.retrieval.search import find_matches
from rhapsody_lib.retrieval.serving import Encoder, Vectors
from rhapsody_lib.retrieval.stanzas import lexical_text, song_stanzas
from rhapsody_lib.retrieval.yardsticks import KnownItems, by_digest
from rhapsody_lib.words.document import parse_lyrics
from tests.benchmarks.retrieval_bench import ROOT, Bench, factor
from tests.benchmarks.retrieval_inverted import BEST, inverted, lancedb_beside, median_s
from tests.benchmarks.retrieval_million import (
    ADDED,
    Million,
    Mixed,
    forget,
    make_million,
    mixed_catalogue,
    put_corpus,
    put_encoder,
)
from tests.benchmarks.table import Row, at_most, beside, run

SONGS, QUICK_SONGS = 1_000_000, 20_000
#: Real stanzas embedded: some are the queries, of the others the songs' vectors are mixed. Real lines drawn from.
STANZAS, QUICK_STANZAS, QUERIES, LINES = 4_000, 800, 200, 200_000
#: Songs of the catalogue in a remote store.
_REMOTE_SONGS = 3_000
_BLOCK = 50_000
#: Songs that look for their other halves by terms alone.
_HALVED, _QUICK_HALVED = 5_000, 500


def index(bench: Bench) -> list[Row]:
    """The rows of the index."""
    count = QUICK_SONGS if bench.quick else SONGS
    lines, texts = _real(bench)
    vectors = bench.embedder(bench.base_encoder).encode(texts)
    few = min(QUERIES, len(texts) // 4)
    queries, real = vectors[:few], vectors[few:]
    made = make_million(bench.folder, bench.base_encoder, lines, real, count)
    bench.notes.append(
        f"Index: {count:,} songs of two stanzas of four lines, drawn from {len(lines):,} real lines; the vector of a "
        f"stanza is a mixture of two of {len(real):,} real stanzas' vectors and some noise, a song's the mean of its "
        f"two. The queries of exact search are {len(queries)} other real stanzas. Opening and adding are each in a "
        "process of their own."
    )
    store = Store(made.store)
    opened = open_catalogue(store, made.catalogue)
    rows = [*_opening(made, bench.folder, opened), *_adding(made), *_filtering(opened), *_remote(bench, lines, real)]
    rows += [*_exact(opened.index, queries), *_terms(bench)]
    return [*rows, *inverted(bench, opened.index, queries), *lancedb_beside(bench, opened.index, queries)]


def _real(bench: Bench) -> tuple[list[str], list[str]]:
    """Lines and stanzas of real songs; of the songbook where the large table is absent."""
    encoder = Encoder.load(bench.base_encoder)
    corpus = bench.corpus()
    if corpus is None:
        corpus = Store(bench.store).fetch(operations.prepare_corpus(bench.store, bench.settings(), ["songbook"]))
    lines: dict[str, None] = {}
    texts: dict[str, None] = {}
    for songs in read_songs(corpus):
        for song in songs:
            lines |= dict.fromkeys(song.lyrics.lines)
            if len(texts) <= (QUICK_STANZAS if bench.quick else STANZAS):
                texts |= dict.fromkeys(text for _, text in song_stanzas(song.lyrics, encoder))
        if len(lines) > LINES:
            break
    return list(lines), list(texts)


def _child(*arguments: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.benchmarks.retrieval_million", *arguments]
    told: dict[str, Any] = json.loads(run(command, cwd=ROOT).stdout)
    return told


def _opening(made: Million, folder: Path, opened: Catalogue) -> list[Row]:
    """Seconds until a search can begin, and what is then on the heap; the ancestor reads a list of all."""
    told = _child("open", made.store, made.catalogue.key)
    count = f"{told['songs']:,}"
    return [
        at_most(f"opening {count} songs, all but the files' digests, s", told["load_s"], 0.3),
        beside(
            "opening, s, beside a list of all, as the ancestor's",
            told["load_s"],
            _read_whole_s(folder, opened),
            better="lower",
        ),
        at_most("opening: growth of the heap, MB (the vectors are 1,536 of a million)", told["heap_mb"], 50),
        Row("opening through the store, every digest verified, s", round(told["through_store_s"], 2)),
        Row(f"a song's match among {count}, first after opening, s", round(told["first_search_s"], 3)),
        Row(f"a song's match among {count}: scores, five best, closest lines, s", round(told["search_s"], 3)),
        *(Row(f"  of that: {name}, s", round(told[f"{name}_s"], 4)) for name in ("dense", "lexical", "shape")),
        Row("heap after the searches, MB", round(told["heap_after_mb"], 1)),
    ]


def _read_whole_s(folder: Path, opened: Catalogue) -> float:
    """Seconds to read a list of ids and vectors into memory, as the ancestor does (from arrays, which is faster)."""
    path = folder / "ancestor.npz"
    if not path.exists():
        ids = np.array(opened.songs.column("song_id").to_pylist())
        np.savez(path, ids=ids, vectors=np.concatenate(opened.matrix.chunks))
    began = time.perf_counter()
    with np.load(path) as held:
        list(zip(held["ids"].tolist(), held["vectors"], strict=True))
    return time.perf_counter() - began


def _adding(made: Million) -> list[Row]:
    """A hundred songs more: of another source, which come last, and spread over all."""
    rows = []
    for what, ref in (("of a new source", made.after), ("spread over all", made.between)):
        forget(made.store, ref)
        told = _child("add", made.store, ref.key)
        forget(made.store, ref)
        rows += [
            at_most(f"adding {ADDED} songs {what} to {told['songs'] - ADDED:,}, whole step, s", told["seconds"], 10),
            Row(f"  loading the encoder beside it, and embedding ({what}), s", round(told["embedding_s"], 2)),
            Row(f"  segments made of {told['segments']} ({what})", told["new_segments"]),
            Row(f"  peak memory, mapped files and all ({what}), MB", round(told["peak_mb"], 1)),
        ]
    return rows


def _filtering(opened: Catalogue) -> list[Row]:
    """All filters together, without a look at any music."""
    filters = MatchFilters(language="en", style="folk", tempo_bpm=(60, 120), key="G major", licence="CC0")
    (seconds,) = median_s(lambda: filters.passing(opened.songs), times=5)
    left = int(filters.passing(opened.songs).sum())
    return [
        Row(f"filters by language, style, tempo, key and licence ({left:,} songs pass), ms", round(seconds * 1e3, 1))
    ]


def _remote(bench: Bench, lines: Sequence[str], real: Vectors) -> list[Row]:
    """What a match reads of a catalogue in a remote store, beside what there is."""
    with tempfile.TemporaryDirectory() as scratch:
        store, elsewhere = (Store("memory://retrieval", scratch=Path(scratch) / name) for name in ("here", "elsewhere"))
        count = 1_000 if bench.quick else _REMOTE_SONGS
        corpus, encoder = put_corpus(store, lines, count), put_encoder(store, bench.base_encoder)
        ref = mixed_catalogue(store, corpus, encoder, Mixed.of(bench.base_encoder, real))
        read, plain = list[int](), store.read_part

        def noted(start: int, end: int, *names: str) -> bytes:
            read.append(end - start)
            return plain(start, end, *names)

        with mock.patch.object(elsewhere, "read_part", noted):
            opened = open_catalogue(elsewhere, ref)
            read.clear()  # large files are fetched in parts
            find_matches(opened, Encoder.load(bench.base_encoder), parse_lyrics("\n".join(lines[:4])))
        parts = [store.manifest(store.part(*part))["files"] for part in store.parts(ref)]
    sizes = {name: sum(part[name]["bytes"] for part in parts) / 1e3 for name in parts[0]}
    once = sizes["vectors.arrow"] + sizes["lexicon.arrow"]
    return [
        Row(f"remote store, {count:,} songs: vectors and terms, fetched once a machine, KB", round(once)),
        factor(
            "  stanzas read for the five matches, KB, beside all", sum(read) / 1e3, sizes["stanzas.arrow"], at_most=0.02
        ),
        Row("  requests for them", len(read)),
    ]


def _terms(bench: Bench) -> list[Row]:
    """How well terms alone find the other half of a song, beside the textbook's TF-IDF, which knows all songs' idf."""
    corpus = bench.corpus()
    if corpus is None:
        return []
    songs = sorted(itertools.chain.from_iterable(read_songs(corpus)), key=lambda song: by_digest(song.song_id))
    lyrics = [song.lyrics for song in songs[: _QUICK_HALVED if bench.quick else _HALVED]]
    items = KnownItems.of(lyrics[: len(lyrics) // 4], lyrics[len(lyrics) // 4 :])
    texts, queries = list(map(lexical_text, items.songs)), list(map(lexical_text, items.queries))

    def mrr(index: Lexicon | LexicalIndex) -> float:
        return float(np.mean([1 / rank_of(index.scores(text), row) for row, text in enumerate(queries)]))

    name = f"terms alone, {len(queries):,} second halves among {len(texts):,} songs: MRR, beside the textbook's TF-IDF"
    return [factor(name, mrr(Lexicon.build(texts)), mrr(LexicalIndex.build(texts)), at_least=1, shown=4)]


def _exact(exact: ExactIndex, queries: Vectors) -> list[Row]:
    """Exact search beside scikit-learn and a heap, beside reading the vectors, and beside double precision."""
    from sklearn.metrics.pairwise import cosine_similarity

    query, hundred = queries[:1], queries[:100]

    def reading() -> object:
        with ThreadPoolExecutor(available_processors()) as pool:
            return sum(pool.map(lambda chunk: float(chunk.max()), exact.chunks))

    one, floor = median_s(lambda: exact.search(query, BEST), reading, times=9)
    (together,) = median_s(lambda: exact.search(hundred, BEST), times=3)
    found, _ = exact.search(queries, BEST)
    processor_ms = [_processor_ms(exact, each) for each in (query, hundred)]
    whole = np.concatenate(list(exact.chunks))

    def ancestor() -> object:
        return heapq.nlargest(BEST, enumerate(cosine_similarity(query, whole)[0]), key=lambda item: item[1])

    (peer,) = median_s(ancestor, times=3)
    return [
        at_most(f"exact search of {len(exact):,}, one query, ms", one * 1e3, 60),
        beside("exact search, one query, ms, beside scikit-learn and a heap", one * 1e3, peer * 1e3, better="lower"),
        factor("exact search, one query, ms, beside reading the vectors once", one * 1e3, floor * 1e3, at_most=1.5),
        at_most("exact search, 100 queries together, ms a query", together * 10, 8),
        Row("exact search, one query: processor time of all threads, ms", processor_ms[0]),
        Row("exact search, 100 queries: processor time, ms a query", round(processor_ms[1] / 100, 3)),
        at_most("exact search: share of the true ten that is missing", 1 - _recall(whole, queries[:20], found), 0),
    ]


def _processor_ms(exact: ExactIndex, queries: Vectors) -> float:
    """Processor time of a search: what others do on the machine meanwhile counts less in it."""
    began = time.process_time()
    exact.search(queries, BEST)
    return round((time.process_time() - began) * 1e3, 1)


def _recall(whole: Vectors, queries: Vectors, found: Sequence[Any]) -> float:
    """Share of rows found whose cosine, in double precision, is no lower than the tenth best (to the fifth digit)."""
    hits = 0
    for query, rows in zip(queries, found, strict=False):
        scores = np.concatenate(
            [whole[start : start + _BLOCK].astype(np.float64) @ query for start in range(0, len(whole), _BLOCK)]
        )
        hits += int(np.count_nonzero(scores[rows] >= np.sort(scores)[-BEST] - 1.1e-5))
    return hits / (BEST * len(queries))
