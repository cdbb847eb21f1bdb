"""Embedding in shards: each makes a segment of the catalogue, from a run of songs, on its own, in any process.

Each text is embedded alone, so its vector depends on nothing but the text and the encoder. So what was embedded before
need not be embedded again, and a segment has the same bytes whether it was made at once or from earlier ones.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rhapsody_lib.chunking import stable_runs
from rhapsody_lib.retrieval.corpus_songs import RawSong, read_raw_songs, read_song_rows, song_ids, songs_digest
from rhapsody_lib.retrieval.layout import SONG_VECTORS_FILE, STANZA_VECTORS_FILE
from rhapsody_lib.retrieval.segments import Segment, Stanzas, map_stanzas, stanzas_between, write_segment
from rhapsody_lib.retrieval.serving import Encoder, Vectors
from rhapsody_lib.retrieval.stanzas import StanzaEmbedder, song_stanzas

#: Songs of a shard, about: some minutes of work for one processor. A catalogue of more than `MOST_SHARDS` such shards
#: has larger ones, for each is a file that every search has open.
SHARD_SONGS, MOST_SHARDS = 500, 128
Embedded = tuple[Stanzas, Vectors]


@dataclass(frozen=True)
class VectorShard:
    """The songs of a corpus in rows `start` to `stop` (excluded).

    `bounds` are the lowest and the highest id, `digest` is that of the songs' ids and words.
    """

    start: int
    stop: int
    bounds: tuple[str, str]
    digest: str

    def songs(self, corpus: Path) -> list[RawSong]:
        """These songs."""
        return read_song_rows(corpus, self.start, self.stop)


def songs_in_shard(count: int) -> int:
    """Songs of a shard, about, where there are `count` songs."""
    size = SHARD_SONGS
    while size * MOST_SHARDS < count:
        size *= 2
    return size


def plan_shards(corpus: Path) -> list[VectorShard]:
    """The songs of a corpus folder cut into shards."""
    ids, songs = song_ids(corpus), read_raw_songs(corpus)
    plan = []
    for run in stable_runs(ids, songs_in_shard(len(ids))):
        names = ids[run.start : run.stop]
        digest = songs_digest(itertools.islice(songs, len(run)))
        plan.append(VectorShard(run.start, run.stop, (min(names), max(names)), digest))
    return plan


class _Earlier:
    """What an earlier shard of the same encoder holds."""

    def __init__(self, folder: Path, encoder: Encoder) -> None:
        digest = str(encoder.card["onnx_sha256"])
        self._songs = Segment.load(folder / SONG_VECTORS_FILE, dimension=encoder.dimension, encoder_sha256=digest)
        self._stanzas = map_stanzas(folder / STANZA_VECTORS_FILE)

    def songs(self, wanted: set[bytes]) -> dict[bytes, Embedded]:
        """The songs with these words."""
        words = self._songs.batch.column("words").to_pylist()
        firsts, counts = self._songs.column("first_stanza"), self._songs.column("stanza_count")
        return {
            name: stanzas_between(self._stanzas, int(firsts[row]), int(counts[row]))
            for row, name in enumerate(words)
            if name in wanted
        }

    def texts(self, wanted: set[str]) -> dict[str, Vectors]:
        """Vectors of these texts."""
        texts = self._stanzas.column("text").to_pylist()
        _, vectors = stanzas_between(self._stanzas, 0, len(texts))
        return {text: vectors[row] for row, text in enumerate(texts) if text in wanted}


def write_shard(
    songs: Sequence[RawSong], encoder: Path, out: Path, *, earlier: Iterable[Path] = (), texts_at_once: int = 0
) -> None:
    """Embed the stanzas of songs into a segment.

    Args:
        songs: the songs of a shard.
        encoder: folder of the encoder.
        out: the folder to write into.
        earlier: folders of segments of the same encoder; what they hold of the songs, or of their texts, is taken over.
        texts_at_once: texts embedded side by side; 0 is one for each processor. The result does not depend on it.

    Raises:
        DamagedArtifactError: the encoder cannot be read, or gives what are no vectors.
    """
    served = Encoder.load_bulk(encoder, texts_at_once=texts_at_once)
    words = [song.words for song in songs]
    missing, known, before = set(words), dict[bytes, Embedded](), list[_Earlier]()
    for folder in earlier if missing else ():
        before.append(_Earlier(folder, served))
        found = before[-1].songs(missing)
        known |= found
        missing -= found.keys()
        if not missing:
            break
    new = {name: song for name, song in zip(words, songs, strict=True) if name in missing}
    known |= _embed(new, StanzaEmbedder(served), before)
    rows = [(song.song_id, name, known[name][0]) for song, name in zip(songs, words, strict=True)]
    digest = str(served.card["onnx_sha256"])
    write_segment(out, rows, [known[name][1] for name in words], digest, served.dimension)


def _embed(songs: dict[bytes, RawSong], embedder: StanzaEmbedder, before: Sequence[_Earlier]) -> dict[bytes, Embedded]:
    """Stanzas and vectors of songs by the digest of their words; texts that stand in earlier segments are known."""
    stanzas = {name: song_stanzas(song.lyrics, embedder.encoder) for name, song in songs.items()}
    missing, known = {text for found in stanzas.values() for _, text in found}, dict[str, Vectors]()
    for shard in before if missing else ():
        found = shard.texts(missing)
        known |= found
        missing -= found.keys()
    texts = sorted(missing)
    known |= dict(zip(texts, embedder.encode(texts), strict=True))
    return {
        name: (found, np.array([known[text] for _, text in found], np.float32).reshape(-1, embedder.encoder.dimension))
        for name, found in stanzas.items()
    }
