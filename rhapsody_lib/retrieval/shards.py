"""Embedding in shards: each makes a segment of the catalogue, from a run of songs, on its own, in any process.

Each text is embedded alone, so its vector depends on nothing but the text and the encoder. So what was embedded before
need not be embedded again, and a segment has the same bytes whether it was made at once or from earlier ones.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa

from rhapsody_lib.chunking import stable_runs
from rhapsody_lib.retrieval.corpus_songs import Melodies, RawSong, read_song_rows, run_digests, song_ids
from rhapsody_lib.retrieval.layout import (
    LEXICON_FILE,
    SONG_VECTORS_FILE,
    STANZAS_FILE,
    song_vectors_schema,
    words_schema,
)
from rhapsody_lib.retrieval.lexicon import Postings, joined, text_hash
from rhapsody_lib.retrieval.segments import (
    Segment,
    Stanzas,
    load_postings,
    lots,
    mapped,
    message_digest,
    message_stanzas,
    refusing,
    stanzas_message,
    vector_column,
    write_segment,
)
from rhapsody_lib.retrieval.serving import CARD_FILE, Encoder, Vectors
from rhapsody_lib.retrieval.shapes import FIGURES, shape_of
from rhapsody_lib.retrieval.stanzas import StanzaEmbedder, lexical_text, mean_vector, song_stanzas

#: Songs of a shard, about: some minutes of work for one processor. A catalogue of more than `MOST_SHARDS` such shards
#: has larger ones, for each is a file that every search has open, and up to the most that a lexicon can number.
SHARD_SONGS, MOST_SHARDS, LARGEST_SHARD = 500, 512, 32_000
#: Earlier segments, the newest first, that are searched for a song; those before hold hardly anything more.
_EARLIER_SEARCHED = 8


@dataclass(frozen=True)
class VectorShard:
    """The songs in rows `start` to `stop` (excluded) of a corpus's table.

    `bounds` are the lowest and the highest id, `digest` is that of the songs' ids, words and tracks.
    """

    start: int
    stop: int
    bounds: tuple[str, str]
    digest: str

    def songs(self, corpus: Path) -> list[RawSong]:
        """These songs, of those that have words."""
        return read_song_rows(corpus, self.start, self.stop)


def songs_in_shard(count: int) -> int:
    """Songs of a shard, about, where there are `count` songs."""
    size = SHARD_SONGS
    while size * MOST_SHARDS < count and size < LARGEST_SHARD:
        size *= 2
    return size


def plan_shards(corpus: Path) -> list[VectorShard]:
    """The songs of a corpus folder cut into shards."""
    ids = song_ids(corpus)
    runs = stable_runs(ids, songs_in_shard(len(ids)))
    bounds = ((min(names), max(names)) for names in (ids[run.start : run.stop] for run in runs))
    cut = zip(runs, bounds, run_digests(corpus, runs), strict=True)
    return [VectorShard(run.start, run.stop, both, digest) for run, both, digest in cut]


@lru_cache(maxsize=1)
def _loaded(folder: Path, _card: str, texts_at_once: int) -> Encoder:
    return Encoder.load_bulk(folder, texts_at_once=texts_at_once)


def loaded_encoder(folder: Path, *, texts_at_once: int = 0) -> Encoder:
    """`Encoder.load_bulk`, once for many shards.

    Raises:
        DamagedArtifactError: the encoder cannot be read.
    """
    try:
        card = (folder / CARD_FILE).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        card = ""  # loading it says what is wrong
    return _loaded(folder, card, texts_at_once)


def forget_encoder() -> None:
    """Let go of the encoder that `loaded_encoder` keeps."""
    _loaded.cache_clear()


@dataclass(frozen=True)
class _Source:
    """Songs of which all that follows from their words is known: of an earlier segment, or embedded just now."""

    songs: pa.RecordBatch
    #: The stanzas of the songs in rows from the first number to before the second.
    messages: Callable[[int, int], bytes]
    postings: Postings

    @classmethod
    def earlier(cls, folder: Path, encoder_sha256: str, dimension: int) -> _Source:
        """An earlier segment."""
        segment = Segment.load(folder / SONG_VECTORS_FILE, dimension=dimension, encoder_sha256=encoder_sha256)
        stanzas = refusing(folder / STANZAS_FILE, lambda: mapped(folder / STANZAS_FILE))

        starts, sizes = (segment.column(name).tolist() for name in ("stanzas_start", "stanzas_bytes"))

        def messages(start: int, stop: int) -> bytes:
            return stanzas[starts[start] : starts[stop - 1] + sizes[stop - 1]]

        return cls(segment.batch, messages, load_postings(folder / LEXICON_FILE))

    def rows_of(self, wanted: set[bytes]) -> dict[bytes, int]:
        """Rows of the songs with these words."""
        return {name: row for row, name in enumerate(self.songs.column("words").to_pylist()) if name in wanted}

    def vectors_of(self, texts: Mapping[int, str], dimension: int) -> dict[str, Vectors]:
        """Vectors of those of some texts, by their hashes, that stand in a song here."""
        column = self.songs.column("texts")
        hashes, starts = column.values.to_numpy(), column.offsets.to_numpy()
        places = np.flatnonzero(np.isin(hashes, np.array(list(texts), np.uint64)))
        found = {}
        for row in sorted(set((np.searchsorted(starts, places, side="right") - 1).tolist())):
            stanzas, vectors = message_stanzas(self.messages(row, row + 1), dimension)
            for (_, text), vector in zip(stanzas, vectors, strict=True):
                if texts.get(text_hash(text)) == text:
                    found[text] = vector
        return found


def write_shard(
    songs: Sequence[RawSong],
    encoder: Path,
    out: Path,
    *,
    earlier: Iterable[Path] = (),
    texts_at_once: int = 0,
    melodies: Melodies | None = None,
) -> None:
    """Write the segment of some songs: their stanzas' vectors, terms and shapes.

    Args:
        songs: the songs of a shard.
        encoder: folder of the encoder.
        out: the folder to write into.
        earlier: folders of segments of the same encoder, the newest first; what they hold of the songs, or of their
            texts, is taken over.
        texts_at_once: texts embedded side by side; 0 is one for each processor. The result does not depend on it.
        melodies: reads which songs have a melody; none: of no song it is known, and so none has one.

    Raises:
        DamagedArtifactError: the encoder cannot be read, or gives what are no vectors.
    """
    digest, dimension = _facts(encoder)
    words = [song.words for song in songs]
    missing, places, sources = set(words), dict[bytes, tuple[int, int]](), list[_Source]()
    for folder in itertools.islice(earlier, _EARLIER_SEARCHED) if missing else ():
        sources.append(_Source.earlier(folder, digest, dimension))
        found = sources[-1].rows_of(missing)
        places |= {name: (len(sources) - 1, row) for name, row in found.items()}
        missing -= found.keys()
        if not missing:
            break
    tracks = _known_melodies(sources)
    if missing or not sources:
        new = {name: song for name, song in zip(words, songs, strict=True) if name in missing}
        places |= {name: (len(sources), row) for row, name in enumerate(new)}
        sources.append(_embedded(new, encoder, sources, dimension, texts_at_once))
    _write_from(songs, [places[name] for name in words], sources, _melodies(songs, tracks, melodies), out, digest)


def _facts(encoder: Path) -> tuple[str, int]:
    """Digest and dimension of an encoder, which is loaded only where something is to be embedded."""
    try:
        card = json.loads((encoder / CARD_FILE).read_text(encoding="utf-8"))
        return str(card["onnx_sha256"]), int(card["dimension"])
    except (OSError, ValueError, KeyError, TypeError):
        served = loaded_encoder(encoder)  # says what is wrong
        return str(served.card["onnx_sha256"]), served.dimension


def _known_melodies(sources: Sequence[_Source]) -> dict[str, bool]:
    """Whether tracks have a melody, by their digests."""
    known: dict[str, bool] = {}
    for source in sources:
        known |= zip(*(source.songs.column(name).to_pylist() for name in ("track", "has_melody")), strict=True)
    return known


def _melodies(songs: Sequence[RawSong], known: Mapping[str, bool], melodies: Melodies | None) -> list[bool]:
    """Whether each song has a melody: as is known of its track, else as its music says."""
    unknown = [song.song_id for song in songs if song.track and song.track not in known]
    read = melodies(unknown) if melodies and unknown else {}
    return [bool(song.track) and known.get(song.track, read.get(song.song_id, False)) for song in songs]


def _embedded(
    songs: Mapping[bytes, RawSong], encoder: Path, before: Sequence[_Source], dimension: int, texts_at_once: int
) -> _Source:
    """Songs by the digest of their words, embedded; texts that stand in earlier segments are known."""
    lyrics = [song.lyrics for song in songs.values()]
    stanzas, known = list[Stanzas](), dict[str, Vectors]()
    if songs:
        served = loaded_encoder(encoder, texts_at_once=texts_at_once)
        stanzas = [song_stanzas(each, served) for each in lyrics]
        wanted = {text for found in stanzas for _, text in found}
        for source in before:
            known |= source.vectors_of({text_hash(text): text for text in wanted - known.keys()}, dimension)
        texts = sorted(wanted - known.keys())
        known |= dict(zip(texts, StanzaEmbedder(served).encode(texts), strict=True))
    vectors = [
        np.array([known[text] for _, text in found], np.float32).reshape(len(found), dimension) for found in stanzas
    ]
    messages = [stanzas_message(*pair) for pair in zip(stanzas, vectors, strict=True)]
    said = list(map(lexical_text, lyrics))
    postings = Postings.of_texts(said)
    means = np.array([mean_vector(part) for part in vectors], np.float32).reshape(len(songs), dimension)
    shapes = np.array([shape_of(text) for text in said], np.int16).reshape(len(songs), len(FIGURES))
    values = {
        "words": list(songs),
        "stanza_count": list(map(len, stanzas)),
        "stanzas_bytes": list(map(len, messages)),
        "stanzas_digest": list(map(message_digest, messages)),
        "texts": [[text_hash(text) for _, text in found] for found in stanzas],
        "norm": postings.norms(len(songs)),
        "shape": vector_column(shapes),
        "vector": vector_column(means),
    }
    schema = words_schema(dimension)
    columns = [
        values[field.name] if field.name in ("shape", "vector") else pa.array(values[field.name], field.type)
        for field in schema
    ]
    return _Source(
        pa.record_batch(columns, schema=schema), lambda start, stop: b"".join(messages[start:stop]), postings
    )


def _write_from(
    songs: Sequence[RawSong],
    places: Sequence[tuple[int, int]],
    sources: Sequence[_Source],
    melodies: Sequence[bool],
    out: Path,
    encoder_sha256: str,
) -> None:
    """Write the segment of songs that each lie in a row of a source."""
    dimension = sources[0].songs.schema.field("vector").type.list_size
    schema = words_schema(dimension)
    numbers, rows = np.array(places, np.int64).reshape(-1, 2).T
    firsts = np.cumsum([0, *(source.songs.num_rows for source in sources)])
    table = pa.concat_tables(
        pa.Table.from_batches([source.songs.select(schema.names).replace_schema_metadata(None)]) for source in sources
    ).combine_chunks()
    table = table.take(firsts[numbers] + rows).combine_chunks()
    parts = []
    for number, source in enumerate(sources):
        new = np.flatnonzero(numbers == number)
        parts.append(source.postings.taken(rows[new], new))
    ids = [song.song_id for song in songs]
    values = {
        "song_id": pa.array(ids, pa.string()),
        "lot": pa.array(lots(ids)),
        "track": pa.array([song.track for song in songs], pa.string()),
        "has_melody": pa.array(melodies, pa.bool_()),
        "stanzas_start": pa.array(np.zeros(len(songs), np.int64)),
        **{name: pa.concat_arrays(table.column(name).chunks) for name in schema.names if len(songs)},
    }
    whole = song_vectors_schema(dimension)
    columns = [values[field.name] if field.name in values else pa.array([], field.type) for field in whole]
    messages = (sources[number].messages(start, stop) for number, start, stop in _adjacent(places))
    write_segment(out, pa.record_batch(columns, schema=whole), messages, Postings.of(*joined(parts)), encoder_sha256)


def _adjacent(places: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int, int]]:
    """Source, first row, and row after the last, of places that follow one another in a source."""
    for (number, _), run in itertools.groupby(enumerate(places), lambda item: (item[1][0], item[1][1] - item[0])):
        rows = [row for _, (_, row) in run]
        yield number, rows[0], rows[-1] + 1
