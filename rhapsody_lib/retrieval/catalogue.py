"""Embedding the catalogue: vectors of songs and stanzas, the lexical index, and how well they find songs."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from rhapsody_lib.progress import Progress, silent
from rhapsody_lib.retrieval.corpus_songs import CorpusSong, count_songs, read_songs, track_of_song
from rhapsody_lib.retrieval.layout import (
    CARD_FILE,
    LEXICON_FILE,
    METRICS_FILE,
    SONG_VECTORS_FILE,
    STANZA_VECTORS_FILE,
    songs_schema,
    stanzas_schema,
)
from rhapsody_lib.retrieval.lexical import LexicalIndex
from rhapsody_lib.retrieval.metrics import evaluate_retrieval
from rhapsody_lib.retrieval.serving import Encoder, Vectors
from rhapsody_lib.retrieval.shards import Stanzas, VectorShard, plan_shards, read_shard, vector_column
from rhapsody_lib.retrieval.stanzas import StanzaEmbedder, lexical_text, mean_vector, song_stanzas
from rhapsody_lib.settings import CatalogueSettings

#: A song, its stanzas as (section name, text), and their vectors.
Embedded = tuple[CorpusSong, Stanzas, Vectors]
#: Embeds shards and gives the folder of each, in order.
ReadShards = Callable[[Sequence[VectorShard]], Iterable[Path]]

_SONGS_A_BATCH = 64


def _write_json(path: Path, value: dict[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=2, sort_keys=True) + "\n", encoding="utf-8")


class _VectorFiles:
    """The two vector files while they are written, a record batch a batch of songs."""

    def __init__(self, out: Path, dimension: int) -> None:
        self.schemas = songs_schema(dimension), stanzas_schema(dimension)
        self.sinks = [pa.OSFile(str(out / name), "wb") for name in (SONG_VECTORS_FILE, STANZA_VECTORS_FILE)]
        self.writers = [pa.ipc.new_file(*pair) for pair in zip(self.sinks, self.schemas, strict=True)]
        self.songs = self.stanzas = 0

    def __enter__(self) -> _VectorFiles:
        return self

    def __exit__(self, *_: object) -> None:
        for file in [*self.writers, *self.sinks]:
            file.close()

    def add(self, songs: Sequence[Embedded], tracks: dict[str, str]) -> None:
        """Write some songs as one record batch of each file."""
        firsts = []
        for _, stanzas, _ in songs:
            firsts.append(self.stanzas)
            self.stanzas += len(stanzas)
        flat = [stanza for _, stanzas, _ in songs for stanza in stanzas]
        columns = (
            [
                pa.array([song.song_id for song, _, _ in songs], pa.string()),
                pa.array([song.lyrics.title for song, _, _ in songs], pa.string()),
                pa.array([tracks.get(song.song_id) for song, _, _ in songs], pa.string()),
                pa.array(firsts, pa.int64()),
                pa.array([len(stanzas) for _, stanzas, _ in songs], pa.int32()),
                vector_column(np.array([mean_vector(vectors) for _, _, vectors in songs], dtype=np.float32)),
            ],
            [
                pa.array([name for name, _ in flat], pa.string()),
                pa.array([text for _, text in flat], pa.string()),
                vector_column(np.concatenate([vectors for _, _, vectors in songs])),
            ],
        )
        for writer, schema, values in zip(self.writers, self.schemas, columns, strict=True):
            writer.write_batch(pa.record_batch(values, schema=schema))
        self.songs += len(songs)


def _embedded_here(corpus: Path, embedder: StanzaEmbedder) -> Iterator[Embedded]:
    """Every song, embedded by this process a batch at a time."""
    for songs in read_songs(corpus, batch_size=_SONGS_A_BATCH):
        stanzas = [song_stanzas(song.lyrics, embedder.encoder) for song in songs]
        vectors = embedder.encode([text for texts in stanzas for _, text in texts])
        ends = np.cumsum([len(texts) for texts in stanzas])
        yield from zip(songs, stanzas, np.split(vectors, ends[:-1]), strict=True)


def _embedded_in_shards(
    corpus: Path, plan: Sequence[VectorShard], read: ReadShards, embedder: StanzaEmbedder
) -> Iterator[Embedded]:
    """Every song with what the shards hold of it; the embedder gets to know their texts."""
    for shard, folder in zip(plan, read(plan), strict=True):
        for song, stanzas, vectors in read_shard(shard.songs(corpus), folder):
            embedder.remember([text for _, text in stanzas], vectors)
            yield song, stanzas, vectors


def _lexical_texts(corpus: Path) -> Iterator[str]:
    for batch in read_songs(corpus):
        for song in batch:
            yield lexical_text(song.lyrics)


def embed_catalogue(
    corpus: Path,
    encoder: Path,
    out: Path,
    settings: CatalogueSettings,
    *,
    progress: Progress = silent,
    read_shards: ReadShards | None = None,
) -> dict[str, Any]:
    """Embed every song of a corpus, whatever its split, and measure the result.

    Args:
        corpus: folder of songs.parquet and tracks.parquet.
        encoder: folder of `build_encoder`.
        out: folder to write to (see `layout`); made if missing.
        settings: share of TF-IDF in the score.
        progress: told of the songs embedded, then of the texts that measure the search.
        read_shards: embeds the songs in shards, elsewhere or side by side, where there are more than one shard takes;
            without it this process embeds them all. The result is the same.

    Returns:
        The content of catalogue.json, with that of metrics.json as `metrics`.

    Raises:
        SourceError: the corpus is missing or empty.
        DamagedArtifactError: the corpus or the encoder cannot be read.
    """
    total, tracks, served = count_songs(corpus), track_of_song(corpus), Encoder.load(encoder, threads=1)
    out.mkdir(parents=True, exist_ok=True)
    embedder, with_track = StanzaEmbedder(served, texts_at_once=0), 0
    plan = [] if read_shards is None else plan_shards(corpus)
    if read_shards is not None and plan:
        embedded = _embedded_in_shards(corpus, plan, read_shards, embedder)
    else:
        embedded = _embedded_here(corpus, embedder)
    with _VectorFiles(out, served.dimension) as files:
        while songs := list(itertools.islice(embedded, _SONGS_A_BATCH)):
            files.add(songs, tracks)
            with_track += sum(song.song_id in tracks for song, _, _ in songs)
            progress(files.songs, total, "songs embedded")
    LexicalIndex.build(_lexical_texts(corpus)).write(out / LEXICON_FILE)
    metrics = evaluate_retrieval(
        corpus, served, lexical_weight=settings.lexical_weight, embedder=embedder, progress=progress
    )
    card = {
        "songs": files.songs,
        "stanzas": files.stanzas,
        "songs_with_track": with_track,
        "dimension": served.dimension,
        "lexical_weight": settings.lexical_weight,
        "encoder": {"model": served.card["model"], "onnx_sha256": served.card["onnx_sha256"]},
    }
    _write_json(out / METRICS_FILE, metrics)
    _write_json(out / CARD_FILE, card)
    return card | {"metrics": metrics}
