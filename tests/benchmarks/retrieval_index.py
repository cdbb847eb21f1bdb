"""Search among a million songs: exact, by an inverted file, opened, and with a hundred songs added.

The rows of opening and adding are of the vectors and the columns alone, and say so: a whole catalogue also has its
files verified when they are fetched, opens its lexicon and shapes, and when it grows makes these and its figures anew.
"""

from __future__ import annotations

import heapq
import shutil
import time
import tracemalloc
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from rhapsody_lib import operations
from rhapsody_lib.artifacts import Store
from rhapsody_lib.corpus.schema import SONGS_FILE, SONGS_SCHEMA, TRACKS_FILE, TRACKS_SCHEMA
from rhapsody_lib.processors import available_processors
from rhapsody_lib.retrieval.catalogue import write_songs
from rhapsody_lib.retrieval.corpus_songs import read_songs, song_facts
from rhapsody_lib.retrieval.index import ExactIndex
from rhapsody_lib.retrieval.opened import load_segments, open_vectors
from rhapsody_lib.retrieval.scoring import SongMatrix
from rhapsody_lib.retrieval.segments import write_segment
from rhapsody_lib.retrieval.serving import Encoder, Vectors
from rhapsody_lib.retrieval.shards import VectorShard, plan_shards, write_shard
from rhapsody_lib.retrieval.stanzas import song_stanzas
from tests.benchmarks.retrieval_bench import Bench, factor
from tests.benchmarks.retrieval_inverted import BEST, inverted, lancedb_beside, median_s
from tests.benchmarks.table import Row, at_most, beside

SONGS, QUICK_SONGS = 1_000_000, 50_000
#: Real stanzas embedded: some are the queries, the others are stacked to a million.
STANZAS, QUICK_STANZAS, QUERIES = 4_000, 800, 200
ADDED = 100
#: Songs that are made at once.
_BLOCK = 50_000


def index(bench: Bench) -> list[Row]:
    """The rows of the index."""
    count = QUICK_SONGS if bench.quick else SONGS
    made = _million(bench, count)
    bench.notes.append(
        f"Index: {count:,} vectors of 384, each a mixture of two of {made.stanzas:,} real stanzas' vectors and some "
        f"noise; the queries are {len(made.queries)} other real stanzas. A song has one stanza."
    )
    _, segments, _ = open_vectors(made.folder, made.card, made.locate)
    exact = ExactIndex([segment.vectors for segment in segments])
    rows = [*_opening(made), *_exact(exact, made.queries), *_added(bench, made)]
    return [*rows, *inverted(bench, exact, made.queries), *lancedb_beside(bench, exact, made.queries)]


@dataclass(frozen=True)
class Million:
    """A catalogue's vectors on the disk, as `embed_catalogue` writes them, and its corpus."""

    folder: Path
    corpus: Path
    card: dict[str, Any]
    queries: Vectors
    stanzas: int

    def locate(self, number: int, name: str) -> Path:
        """Where a segment is."""
        return self.folder / "segments" / f"{number:04d}" / name


def _stanzas(bench: Bench) -> list[str]:
    """Stanzas of real songs; of the songbook where the large table is absent."""
    encoder = Encoder.load(bench.base_encoder)
    corpus = bench.corpus()
    if corpus is None:
        store = bench.store
        corpus = Store(store).fetch(operations.prepare_corpus(store, bench.settings(), ["songbook"]))
    texts: dict[str, None] = {}
    for songs in read_songs(corpus):
        for song in songs:
            texts |= dict.fromkeys(text for _, text in song_stanzas(song.lyrics, encoder))
        if len(texts) > (QUICK_STANZAS if bench.quick else STANZAS):
            break
    return list(texts)


def _million(bench: Bench, count: int) -> Million:
    """Make the corpus and the segments, once."""
    texts = _stanzas(bench)
    vectors = bench.embedder(bench.base_encoder).encode(texts)
    few = min(QUERIES, len(texts) // 4)
    queries, real = vectors[:few], vectors[few:]
    folder, encoder = bench.folder / f"catalogue-{count}", Encoder.load(bench.base_encoder)
    corpus = folder / "corpus"
    digest = str(encoder.card["onnx_sha256"])
    if not (folder / "made").exists():
        shutil.rmtree(folder, ignore_errors=True)
        corpus.mkdir(parents=True)
        _write_corpus(corpus, texts, count)
        random = np.random.default_rng(0)
        pool = _stacked(real, random)
        for number, shard in enumerate(plan_shards(corpus)):
            out = folder / "segments" / f"{number:04d}"
            out.mkdir(parents=True)
            songs = shard.songs(corpus)
            while len(pool) < len(songs):
                pool = np.concatenate([pool, _stacked(real, random)])
            held, pool = pool[: len(songs)], pool[len(songs) :]
            named = [(song.song_id, song.words, [("verse 1", song.text)]) for song in songs]
            write_segment(out, named, held[:, None], digest, held.shape[1])
        (folder / "made").touch()
    card = {
        "segments": len(list((folder / "segments").iterdir())),
        "dimension": encoder.dimension,
        "encoder": {"onnx_sha256": digest},
    }
    made = Million(folder, corpus, card, queries, len(real))
    write_songs(folder, song_facts(corpus), load_segments(card, made.locate))
    return made


def _stacked(real: Vectors, random: np.random.Generator) -> Vectors:
    """A block of unit vectors, each near one real vector and a little towards another."""
    one, other = random.integers(0, len(real), (2, _BLOCK))
    noise = random.standard_normal((_BLOCK, real.shape[1]), dtype=np.float32)
    mixed = 0.8 * real[one] + 0.3 * real[other] + 0.015 * noise
    unit: Vectors = (mixed / np.linalg.norm(mixed, axis=1, keepdims=True)).astype(np.float32)
    return unit


def _write_corpus(corpus: Path, texts: Sequence[str], count: int) -> None:
    """Songs of one stanza each, a word of which tells them apart."""
    corpus.mkdir(parents=True, exist_ok=True)
    with pq.ParquetWriter(corpus / SONGS_FILE, SONGS_SCHEMA) as writer:
        for start in range(0, count, _BLOCK):
            numbers = range(start, min(count, start + _BLOCK))
            values: dict[str, list[Any]] = {field.name: [None] * len(numbers) for field in SONGS_SCHEMA}
            values["song_id"] = [f"stacked/{number:07d}" for number in numbers]
            values["title"] = [f"Song {number}" for number in numbers]
            values["lyrics"] = [f"{texts[number % len(texts)]} {number}" for number in numbers]
            writer.write_table(pa.table(values, schema=SONGS_SCHEMA))
    pq.write_table(TRACKS_SCHEMA.empty_table(), corpus / TRACKS_FILE)


def _opening(made: Million) -> list[Row]:
    """Seconds until a search can begin, and what is then on the heap; the peer reads all vectors."""

    def ours() -> object:
        return open_vectors(made.folder, made.card, made.locate)

    def reading() -> object:
        return SongMatrix.of([segment.vectors for segment in load_segments(made.card, made.locate)])

    tracemalloc.start()
    before = pa.total_allocated_bytes()
    opened = ours()
    heap_mb = (tracemalloc.get_traced_memory()[1] + pa.total_allocated_bytes() - before) / 1e6
    tracemalloc.stop()
    seconds, peer = median_s(ours, reading, times=3)
    count = opened[0].num_rows if isinstance(opened, tuple) else 0
    return [
        at_most(f"opening {count:,} vectors and columns (no digests checked, no lexicon, no shapes), s", seconds, 0.3),
        beside("opening vectors and columns, s, beside reading all for the mean", seconds, peer, better="lower"),
        at_most("opening: most on the heap, MB (the vectors are 1,536 of a million)", heap_mb, 50),
    ]


def _exact(exact: ExactIndex, queries: Vectors) -> list[Row]:
    """Exact search beside scikit-learn and a heap, beside reading the vectors, and beside double precision."""
    from sklearn.metrics.pairwise import cosine_similarity

    query, hundred, whole = queries[:1], queries[:100], np.concatenate(list(exact.chunks))

    def ancestor() -> object:
        return heapq.nlargest(BEST, enumerate(cosine_similarity(query, whole)[0]), key=lambda item: item[1])

    def reading() -> object:
        with ThreadPoolExecutor(available_processors()) as pool:
            return sum(pool.map(lambda chunk: float(chunk.max()), exact.chunks))

    one, floor, peer = median_s(lambda: exact.search(query, BEST), reading, ancestor, times=5)
    (together,) = median_s(lambda: exact.search(hundred, BEST), times=3)
    found, _ = exact.search(queries, BEST)
    return [
        at_most(f"exact search of {len(exact):,}, one query, ms", one * 1e3, 60),
        beside("exact search, one query, ms, beside scikit-learn and a heap", one * 1e3, peer * 1e3, better="lower"),
        factor("exact search, one query, ms, beside reading the vectors once", one * 1e3, floor * 1e3, at_most=1.5),
        at_most("exact search, 100 queries together, ms a query", together * 10, 8),
        Row("exact search, one query: processor time of all threads, ms", _processor_ms(exact, query)),
        Row("exact search, 100 queries: processor time, ms a query", round(_processor_ms(exact, hundred) / 100, 3)),
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


def _added(bench: Bench, made: Million) -> list[Row]:
    """A hundred songs more: the plan, the segment they fall into, and the columns over all songs, made anew."""
    grown, out = bench.folder / "grown", bench.folder / "grown-catalogue"
    for folder in (grown, out):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
    songs = pq.read_table(made.corpus / SONGS_FILE)
    new = songs.slice(0, ADDED).to_pylist()
    for number, row in enumerate(new):
        row |= {"song_id": f"stacked/{songs.num_rows + number:07d}", "lyrics": f"{row['lyrics']} once more"}
    pq.write_table(pa.concat_tables([songs, pa.Table.from_pylist(new, SONGS_SCHEMA)]), grown / SONGS_FILE)
    shutil.copy(made.corpus / TRACKS_FILE, grown)
    before = {shard.digest: number for number, shard in enumerate(plan_shards(made.corpus))}
    began = time.perf_counter()
    places = [_segment(made, before, shard, grown, out, bench.base_encoder) for shard in plan_shards(grown)]
    card = made.card | {"segments": len(places)}
    written = write_songs(out, song_facts(grown), load_segments(card, lambda number, name: places[number] / name))
    seconds = time.perf_counter() - began
    began = time.perf_counter()
    Encoder.load_bulk(bench.base_encoder).encode([str(row["lyrics"]) for row in new])
    embedding_s = time.perf_counter() - began
    kept = len([place for place in places if place.is_relative_to(made.folder)])
    return [
        at_most(
            f"adding {ADDED} songs to {songs.num_rows:,}: vectors and columns (no lexicon, shapes, evaluation), s",
            seconds,
            10,
        ),
        Row("adding: of that, about, loading the encoder and embedding them, s", round(embedding_s, 2)),
        Row(f"adding: segments kept of {len(places)}", kept, met=written["songs"] == songs.num_rows + ADDED),
    ]


def _segment(made: Million, before: dict[str, int], shard: VectorShard, corpus: Path, out: Path, encoder: Path) -> Path:
    """Folder of the segment of a shard: the old one, or a new one made from the last old ones."""
    if shard.digest in before:
        return made.locate(before[shard.digest], "")
    folder = out / "segments" / f"{shard.start:07d}"
    folder.mkdir(parents=True)
    last = sorted(before.values())[-2:]
    write_shard(shard.songs(corpus), encoder, folder, earlier=[made.locate(number, "") for number in last])
    return folder
