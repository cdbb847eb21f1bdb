"""Shards of the catalogue: the vectors of a run of songs, embedded on their own, in any process.

Each text is embedded alone, so its vector depends on nothing but the text and the encoder. So shards give the same
catalogue however the songs are cut, and a text that was embedded before need not be embedded again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from rhapsody_lib.chunking import most_in_shard, stable_runs
from rhapsody_lib.retrieval.corpus_songs import CorpusSong, read_song_rows, song_ids
from rhapsody_lib.retrieval.serving import Encoder, Vectors
from rhapsody_lib.retrieval.stanzas import StanzaEmbedder, song_stanzas

#: Songs of a shard, about: some minutes of work for one processor.
SHARD_SONGS = 500
VECTORS_FILE = "vectors.arrow"
Stanzas = list[tuple[str, str]]


@dataclass(frozen=True)
class VectorShard:
    """The songs of a corpus in rows `start` to `stop` (excluded); `bounds` are the lowest and the highest id."""

    start: int
    stop: int
    bounds: tuple[str, str]

    def songs(self, corpus: Path) -> list[CorpusSong]:
        """These songs."""
        return read_song_rows(corpus, self.start, self.stop)


def plan_shards(corpus: Path) -> list[VectorShard]:
    """The songs of a corpus folder cut into shards of about `SHARD_SONGS`; none if all of them would fit one shard."""
    ids = song_ids(corpus)
    if len(ids) <= most_in_shard(SHARD_SONGS):
        return []
    runs = stable_runs(ids, SHARD_SONGS)
    return [
        VectorShard(run.start, run.stop, (min(ids[run.start : run.stop]), max(ids[run.start : run.stop])))
        for run in runs
    ]


def songs_digest(songs: Iterable[CorpusSong]) -> str:
    """SHA-256 in hex of the ids and words of songs."""
    digest = hashlib.sha256()
    for song in songs:
        digest.update(json.dumps([song.song_id, song.lyrics.text()]).encode() + b"\n")
    return digest.hexdigest()


def _schema(dimension: int) -> pa.Schema:
    names = ("song_id", "name", "text")
    return pa.schema([*((name, pa.string()) for name in names), ("vector", pa.list_(pa.float32(), dimension))])


def _table(folder: Path) -> pa.Table:
    with pa.OSFile(str(folder / VECTORS_FILE)) as source:
        return pa.ipc.open_file(source).read_all()


def _vectors(table: pa.Table) -> Vectors:
    column = table.column("vector").combine_chunks()
    values: Vectors = column.flatten().to_numpy(zero_copy_only=False)
    return values.reshape(len(column), column.type.list_size)


def vector_column(vectors: Vectors) -> pa.FixedSizeListArray:
    """Vectors [rows x dimension] as a column."""
    return pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel(), pa.float32()), vectors.shape[1])


def _remember(embedder: StanzaEmbedder, folder: Path, wanted: set[str]) -> set[str]:
    """Let the embedder know the vectors that an earlier shard holds of the texts wanted; returns those texts."""
    table = _table(folder)
    texts = table.column("text").to_pylist()
    rows = [row for row, text in enumerate(texts) if text in wanted]
    embedder.remember([texts[row] for row in rows], _vectors(table)[np.array(rows, dtype=np.int64)])
    return {texts[row] for row in rows}


def write_shard(
    songs: Sequence[CorpusSong], encoder: Path, out: Path, *, earlier: Iterable[Path] = (), texts_at_once: int = 0
) -> None:
    """Embed the stanzas of songs into `out`.

    Args:
        songs: the songs of a shard.
        encoder: folder of the encoder.
        out: the folder to write into.
        earlier: folders of shards of the same encoder, whose vectors are taken over where the texts are the same.
        texts_at_once: texts embedded side by side; 0 is one for each processor. The result does not depend on it.
    """
    embedder = StanzaEmbedder(Encoder.load(encoder, threads=1), texts_at_once=texts_at_once)
    rows = [(song.song_id, *stanza) for song in songs for stanza in song_stanzas(song.lyrics, embedder.encoder)]
    texts = [text for _, _, text in rows]
    missing = set(texts)
    for folder in earlier if missing else ():
        missing -= _remember(embedder, folder, missing)
        if not missing:
            break
    vectors = embedder.encode(texts)
    schema = _schema(embedder.encoder.dimension)
    columns = [pa.array([row[place] for row in rows], pa.string()) for place in range(3)]
    with pa.OSFile(str(out / VECTORS_FILE), "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
        writer.write_batch(pa.record_batch([*columns, vector_column(vectors)], schema=schema))


def read_shard(songs: Sequence[CorpusSong], folder: Path) -> Iterator[tuple[CorpusSong, Stanzas, Vectors]]:
    """Each song of a shard with its stanzas, as (section name, text), and their vectors [stanzas x dimension]."""
    table = _table(folder)
    vectors, rows = _vectors(table), dict[str, list[int]]()
    ids, names, texts = (table.column(name).to_pylist() for name in ("song_id", "name", "text"))
    for row, song_id in enumerate(ids):
        rows.setdefault(song_id, []).append(row)
    for song in songs:
        held = rows.get(song.song_id, [])
        yield song, [(names[row], texts[row]) for row in held], vectors[np.array(held, dtype=np.int64)]
