"""Embedding the catalogue: vectors of songs and stanzas, the lexical index, and how well they find songs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

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
from rhapsody_lib.retrieval.stanzas import StanzaEmbedder, lexical_text, song_stanzas
from rhapsody_lib.settings import CatalogueSettings


def _vector_column(vectors: Vectors) -> pa.FixedSizeListArray:
    return pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel(), pa.float32()), vectors.shape[1])


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

    def add(self, songs: list[CorpusSong], tracks: dict[str, str], embedder: StanzaEmbedder) -> None:
        stanzas = [song_stanzas(song.lyrics, embedder.encoder) for song in songs]
        song_vectors, stanza_vectors = embedder.songs(stanzas)
        firsts = []
        for texts in stanzas:
            firsts.append(self.stanzas)
            self.stanzas += len(texts)
        flat = [stanza for texts in stanzas for stanza in texts]
        columns = (
            [
                pa.array([song.song_id for song in songs], pa.string()),
                pa.array([song.lyrics.title for song in songs], pa.string()),
                pa.array([tracks.get(song.song_id) for song in songs], pa.string()),
                pa.array(firsts, pa.int64()),
                pa.array([len(texts) for texts in stanzas], pa.int32()),
                _vector_column(song_vectors),
            ],
            [
                pa.array([name for name, _ in flat], pa.string()),
                pa.array([text for _, text in flat], pa.string()),
                _vector_column(stanza_vectors),
            ],
        )
        for writer, schema, values in zip(self.writers, self.schemas, columns, strict=True):
            writer.write_batch(pa.record_batch(values, schema=schema))
        self.songs += len(songs)


def _lexical_texts(corpus: Path) -> Iterator[str]:
    for batch in read_songs(corpus):
        for song in batch:
            yield lexical_text(song.lyrics)


def embed_catalogue(
    corpus: Path, encoder: Path, out: Path, settings: CatalogueSettings, *, progress: Progress = silent
) -> dict[str, Any]:
    """Embed every song of a corpus, whatever its split, and measure the result.

    Args:
        corpus: folder of songs.parquet and tracks.parquet.
        encoder: folder of `build_encoder`.
        out: folder to write to (see `layout`); made if missing.
        settings: share of TF-IDF in the score.
        progress: told of the songs embedded, then of the texts that measure the search.

    Returns:
        The content of catalogue.json, with that of metrics.json as `metrics`.

    Raises:
        SourceError: the corpus is missing or empty.
        DamagedArtifactError: the corpus or the encoder cannot be read.
    """
    total, tracks, served = count_songs(corpus), track_of_song(corpus), Encoder.load(encoder)
    out.mkdir(parents=True, exist_ok=True)
    embedder, with_track = StanzaEmbedder(served), 0
    with _VectorFiles(out, served.dimension) as files:
        for songs in read_songs(corpus, batch_size=64):
            files.add(songs, tracks, embedder)
            with_track += sum(song.song_id in tracks for song in songs)
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
