"""Embedding the catalogue: segments of vectors, the lexical index, and how well they find songs."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from rhapsody_lib.optional import is_installed
from rhapsody_lib.progress import Progress, silent
from rhapsody_lib.retrieval.corpus_songs import count_songs, read_songs, song_facts
from rhapsody_lib.retrieval.index import ExactIndex
from rhapsody_lib.retrieval.inverted import INVERTED_FROM_SONGS, InvertedIndex
from rhapsody_lib.retrieval.layout import (
    CARD_FILE,
    INVERTED_FILE,
    LAYOUT_VERSION,
    LEXICON_FILE,
    METRICS_FILE,
    SEGMENTS_FOLDER,
    SHAPES_FILE,
    SONGS_FILE,
    STANZA_VECTORS_FILE,
    songs_schema,
)
from rhapsody_lib.retrieval.lexical import LexicalIndex
from rhapsody_lib.retrieval.metrics import evaluate_retrieval
from rhapsody_lib.retrieval.opened import Locate, in_folder, load_segments
from rhapsody_lib.retrieval.pairs import unread_artists
from rhapsody_lib.retrieval.scoring import SongMatrix
from rhapsody_lib.retrieval.segments import Segment, column_vectors, map_stanzas, stanzas_between, write_batch
from rhapsody_lib.retrieval.serving import Encoder, Vectors
from rhapsody_lib.retrieval.shapes import ShapeTable
from rhapsody_lib.retrieval.shards import VectorShard, plan_shards, write_shard
from rhapsody_lib.retrieval.stanzas import REMEMBERED_TEXTS, StanzaEmbedder, lexical_text
from rhapsody_lib.seeding import split_seed
from rhapsody_lib.settings import CatalogueSettings

logger = logging.getLogger(__name__)

#: Stanzas that the recall of an inverted file is measured with, and the segments they are taken from.
_STANZAS_SAMPLED, _SEGMENTS_SAMPLED = 500, 5

#: Embeds shards, tells of each that is done, and then knows where their segments are.
MakeSegments = Callable[[Sequence[VectorShard], Progress], Locate]


def _write_json(path: Path, value: dict[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def _segments_here(corpus: Path, encoder: Path, out: Path) -> MakeSegments:
    """Embeds every song in this process, into segments in the catalogue's own folder."""

    def make(plan: Sequence[VectorShard], progress: Progress) -> Locate:
        for number, shard in enumerate(plan):
            folder = out / SEGMENTS_FOLDER / f"{number:04d}"
            folder.mkdir(parents=True)
            write_shard(shard.songs(corpus), encoder, folder)
            progress(shard.stop, plan[-1].stop, "songs embedded")
        return in_folder(out)

    return make


def write_songs(out: Path, facts: pa.Table, segments: Sequence[Segment]) -> dict[str, int]:
    """Write songs.arrow: what is known of each song, and what centring needs of its vector.

    Args:
        out: folder of the catalogue.
        facts: of `corpus_songs.song_facts`, in the order of the segments' songs.
        segments: those of the catalogue.

    Returns:
        Numbers of songs, of stanzas, and of songs with a track.
    """
    matrix = SongMatrix.of([segment.vectors for segment in segments])
    counts = np.concatenate([segment.column("stanza_count") for segment in segments])
    values: dict[str, Any] = {
        "first_stanza": np.concatenate([segment.column("first_stanza") for segment in segments]),
        "stanza_count": counts,
        "product": matrix.products,
        "length": matrix.lengths,
        "wordless": matrix.wordless,
    }
    schema = songs_schema()
    columns = [
        pa.array(values[field.name], field.type) if field.name in values else _one_piece(facts, field)
        for field in schema
    ]
    write_batch(out / SONGS_FILE, columns, schema.with_metadata({"mean": matrix.mean.tobytes()}))
    with_track = len(facts) - facts.column("track_id").null_count
    return {"songs": len(facts), "stanzas": int(counts.sum()), "songs_with_track": with_track}


def _one_piece(facts: pa.Table, field: pa.Field) -> pa.Array:
    return pa.concat_arrays(facts.column(field.name).cast(field.type).chunks)


def write_inverted(out: Path, segments: Sequence[Segment], locate: Locate) -> dict[str, Any] | None:
    """Write an inverted file where there are so many songs that it is worth it, and the extra `index` is installed.

    Returns:
        Lists that a query looks into, and the recall that was measured; none if there is no inverted file.
    """
    exact = ExactIndex([segment.vectors for segment in segments])
    if len(exact) < INVERTED_FROM_SONGS:
        return None
    if not is_installed("faiss"):
        logger.warning("%d songs are searched exactly: the extra 'index' (faiss) is not installed", len(exact))
        return None
    queries = _sampled_stanzas(segments, locate)
    index = InvertedIndex.build(exact, queries, seed=split_seed(0, "inverted"))
    if index is None:
        return None
    index.write(out / INVERTED_FILE)
    return {"probes": index.probes, "recall_at_10": round(index.recall, 4), "queries": len(queries)}


def _sampled_stanzas(segments: Sequence[Segment], locate: Locate) -> Vectors:
    """Stanzas of the catalogue, evenly from a few of its segments: real vectors that are not themselves searched."""
    chosen = sorted({round(place) for place in np.linspace(0, len(segments) - 1, _SEGMENTS_SAMPLED)})
    parts = []
    for number in chosen:
        vectors = column_vectors(map_stanzas(locate(number, STANZA_VECTORS_FILE)))
        parts.append(vectors[:: max(1, len(vectors) * len(chosen) // _STANZAS_SAMPLED)])
    return np.concatenate(parts)


def _lexical_texts(corpus: Path) -> Iterator[str]:
    for batch in read_songs(corpus):
        for song in batch:
            yield lexical_text(song.lyrics)


def _remember(embedder: StanzaEmbedder, segments: Sequence[Segment], locate: Locate) -> None:
    """Let the embedder know the stanzas of the songs that come first by the digest of their ids: they are measured."""
    places = (
        (hashlib.sha256(str(song_id).encode()).digest(), number, row)
        for number, segment in enumerate(segments)
        for row, song_id in enumerate(segment.batch.column("song_id").to_pylist())
    )
    wanted: dict[int, list[int]] = {}
    for _, number, row in sorted(places)[: REMEMBERED_TEXTS // 8]:
        wanted.setdefault(number, []).append(row)
    for number, rows in sorted(wanted.items()):
        stanzas = map_stanzas(locate(number, STANZA_VECTORS_FILE))
        firsts, counts = (segments[number].column(name) for name in ("first_stanza", "stanza_count"))
        for row in rows:
            found, vectors = stanzas_between(stanzas, int(firsts[row]), int(counts[row]))
            embedder.remember([text for _, text in found], vectors)


def embed_catalogue(
    corpus: Path,
    encoder: Path,
    out: Path,
    settings: CatalogueSettings,
    *,
    progress: Progress = silent,
    make_segments: MakeSegments | None = None,
) -> dict[str, Any]:
    """Embed every song of a corpus, whatever its split, and measure the result.

    Args:
        corpus: folder of songs.parquet and tracks.parquet.
        encoder: folder of `build_encoder`.
        out: folder to write to (see `layout`); made if missing.
        settings: share of TF-IDF in the score.
        progress: told of the songs embedded, then of the texts that measure the search.
        make_segments: embeds the songs elsewhere or side by side, and knows where the segments are; without it this
            process embeds them into `out`. The result is the same.

    Returns:
        The content of catalogue.json, with that of metrics.json as `metrics`.

    Raises:
        SourceError: the corpus is missing or empty.
        DamagedArtifactError: the corpus or the encoder cannot be read.
    """
    count_songs(corpus)
    served = Encoder.load_bulk(encoder)
    out.mkdir(parents=True, exist_ok=True)
    plan = plan_shards(corpus)
    locate = (make_segments or _segments_here(corpus, encoder, out))(plan, progress)
    card = {
        "layout": LAYOUT_VERSION,
        "segments": len(plan),
        "dimension": served.dimension,
        "encoder": {"model": served.card["model"], "onnx_sha256": served.card["onnx_sha256"]},
    }
    segments = load_segments(card, locate)
    card |= write_songs(out, song_facts(corpus), segments)
    card["inverted"] = write_inverted(out, segments, locate)
    LexicalIndex.build(_lexical_texts(corpus)).write(out / LEXICON_FILE)
    ShapeTable.build(_lexical_texts(corpus)).write(out / SHAPES_FILE)
    embedder = StanzaEmbedder(served)
    _remember(embedder, segments, locate)
    metrics = evaluate_retrieval(
        corpus,
        served,
        lexical_weight=settings.lexical_weight,
        # Of songs that the encoder was tuned on it knows more than of new words, and would weigh too much.
        unread=unread_artists(encoder),
        embedder=embedder,
        progress=progress,
    )
    card["score"] = metrics["score"]
    _write_json(out / METRICS_FILE, metrics)
    _write_json(out / CARD_FILE, card)
    return card | {"metrics": metrics}
