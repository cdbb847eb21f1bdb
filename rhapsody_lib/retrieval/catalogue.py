"""Embedding the catalogue: segments of vectors, the lexical index, and how well they find songs."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from rhapsody_lib.errors import SourceError
from rhapsody_lib.optional import is_installed
from rhapsody_lib.progress import Progress, silent
from rhapsody_lib.retrieval.corpus_songs import count_songs, melodies_in, song_facts
from rhapsody_lib.retrieval.index import ExactIndex
from rhapsody_lib.retrieval.inverted import INVERTED_FROM_SONGS, InvertedIndex
from rhapsody_lib.retrieval.layout import (
    CARD_FILE,
    INVERTED_FILE,
    LAYOUT_VERSION,
    METRICS_FILE,
    SEGMENTS_FOLDER,
    SONGS_FILE,
    songs_schema,
)
from rhapsody_lib.retrieval.opened import Locate, in_folder, load_segments, read_stanzas, reading
from rhapsody_lib.retrieval.pairs import unread_artists
from rhapsody_lib.retrieval.sample import Lots, measure_sample
from rhapsody_lib.retrieval.scoring import SongMatrix
from rhapsody_lib.retrieval.segments import Segment, write_batch
from rhapsody_lib.retrieval.serving import Vectors
from rhapsody_lib.retrieval.shards import VectorShard, forget_encoder, loaded_encoder, plan_shards, write_shard
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
        melodies = melodies_in(corpus)
        for number, shard in enumerate(plan):
            folder = out / SEGMENTS_FOLDER / f"{number:04d}"
            folder.mkdir(parents=True)
            write_shard(shard.songs(corpus), encoder, folder, melodies=melodies)
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
    sums = [segment.vector_sum for segment in segments]
    matrix = SongMatrix.of([segment.vectors for segment in segments], sums).with_hubness()
    melodies = pa.chunked_array([segment.batch.column("has_melody") for segment in segments])
    values: dict[str, Any] = {
        "has_melody": melodies.combine_chunks(),
        "product": matrix.products,
        "length": matrix.lengths,
        "hubness": matrix.hubness,
        "wordless": matrix.wordless,
    }
    schema = songs_schema()
    columns = [
        pa.array(values[field.name], field.type) if field.name in values else _one_piece(facts, field)
        for field in schema
    ]
    write_batch(out / SONGS_FILE, columns, schema.with_metadata({"mean": matrix.mean.tobytes()}))
    stanzas = sum(int(segment.column("stanza_count").sum()) for segment in segments)
    with_track = len(facts) - facts.column("track_id").null_count
    return {"songs": len(facts), "stanzas": stanzas, "songs_with_track": with_track}


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
        rows = np.flatnonzero(segments[number].column("stanza_count"))
        some = rows[:: max(1, len(rows) * len(chosen) // _STANZAS_SAMPLED)].tolist()
        parts += [read_stanzas(segments[number], number, row, reading(locate))[1][:1] for row in some]
    return np.concatenate(parts)


def embed_catalogue(
    corpus: Path,
    encoder: Path,
    out: Path,
    settings: CatalogueSettings,
    *,
    progress: Progress = silent,
    make_segments: MakeSegments | None = None,
    earlier: Sequence[Path] = (),
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
        earlier: folders of earlier catalogues of the same encoder and settings, the newest first: figures of the same
            songs are taken over. The result is the same.

    Returns:
        The content of catalogue.json, with that of metrics.json as `metrics`.

    Raises:
        SourceError: the corpus is missing or empty, or none of its songs has words.
        DamagedArtifactError: the corpus or the encoder cannot be read.
    """
    count_songs(corpus)
    out.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(1) as pool:  # both take seconds where there are many songs, and neither waits for the other
        loading = pool.submit(loaded_encoder, encoder)
        plan, served = plan_shards(corpus), loading.result()
    locate = (make_segments or _segments_here(corpus, encoder, out))(plan, progress)
    card = {
        "layout": LAYOUT_VERSION,
        "segments": len(plan),
        "dimension": served.dimension,
        "encoder": {"model": served.card["model"], "onnx_sha256": served.card["onnx_sha256"]},
    }
    segments = load_segments(card, locate)
    facts = song_facts(corpus, pa.chunked_array([segment.batch.column("song_id") for segment in segments]))
    if not len(facts):
        raise SourceError(f"{corpus}: none of its songs has words, so none can be matched. Add a source of lyrics.")
    card |= write_songs(out, facts, segments)
    card["inverted"] = write_inverted(out, segments, locate)
    metrics, card["sample"] = measure_sample(
        corpus,
        out,
        served,
        Lots.of(facts, segments, unread_artists(encoder)),
        lexical_weight=settings.lexical_weight,
        earlier=earlier,
        progress=progress,
    )
    card["score"] = metrics["score"]
    forget_encoder()
    _write_json(out / METRICS_FILE, metrics)
    _write_json(out / CARD_FILE, card)
    return card | {"metrics": metrics}
