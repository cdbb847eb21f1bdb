"""Files of a catalogue. What is large lies in uncompressed Arrow files, so that it is memory-mapped, never copied.

A catalogue is a folder of `songs.arrow` (a row a song: what it is, and the numbers that centring needs),
`catalogue.json` (what it was made with), `metrics.json` (how well it finds songs), `sample.arrow` (vectors of the
texts that this was measured with) and, where it is large, `inverted.faiss`. What follows from the words of its songs
lies in its segments, each a run of songs that is never changed once it is written: `vectors.arrow` a row a song,
`stanzas.arrow` a record batch a song with a row for each of its different stanzas, `lexicon.arrow` a row a term. A
segment is a folder below `segments/`, or an artifact that several catalogues share.
"""

from __future__ import annotations

import pyarrow as pa

#: Raised when a catalogue or a segment written before can no longer be read. It stands in both.
LAYOUT_VERSION = 4
SONGS_FILE, CARD_FILE, METRICS_FILE = "songs.arrow", "catalogue.json", "metrics.json"
SAMPLE_FILE, INVERTED_FILE = "sample.arrow", "inverted.faiss"
SONG_VECTORS_FILE, STANZAS_FILE, LEXICON_FILE = "vectors.arrow", "stanzas.arrow", "lexicon.arrow"
SEGMENTS_FOLDER = "segments"
#: Figures of the shape of a song's lines (`shapes.FIGURES`).
SHAPE_FIGURES = 5


def songs_schema() -> pa.Schema:
    """Schema of songs.arrow.

    `product` is that of the song's vector and the mean of all, `length` that of the difference of the two, `hubness` as
    in `scoring.SongMatrix`. Without a track there is no `track_id`, `tempo_bpm`, `key` nor `time_signature`, and
    `has_melody` is false.
    """
    return pa.schema(
        [
            *((name, pa.string()) for name in ("song_id", "title", "artist", "language")),
            ("genres", pa.list_(pa.string())),
            ("year", pa.int32()),
            ("licence", pa.string()),
            ("track_id", pa.string()),
            ("tempo_bpm", pa.float64()),
            ("key", pa.string()),
            ("time_signature", pa.string()),
            ("has_melody", pa.bool_()),
            ("product", pa.float32()),
            ("length", pa.float32()),
            ("hubness", pa.float32()),
            ("wordless", pa.bool_()),
        ]
    )


def words_schema(dimension: int) -> pa.Schema:
    """What of a song follows from its words alone, and so is taken over from segment to segment.

    `words` is the digest of its title and words; `stanzas_bytes` and `stanzas_digest` are those of its record batch in
    stanzas.arrow, `texts` the hashes of its stanzas' texts; `norm` is the length of its vector of term weights
    (`lexicon`), `shape` is in steps of `shapes.STEP`.
    """
    return pa.schema(
        [
            ("words", pa.binary(16)),
            ("stanza_count", pa.int32()),
            ("stanzas_bytes", pa.int64()),
            ("stanzas_digest", pa.binary(16)),
            ("texts", pa.list_(pa.uint64())),
            ("norm", pa.float32()),
            ("shape", pa.list_(pa.int16(), SHAPE_FIGURES)),
            ("vector", pa.list_(pa.float32(), dimension)),
        ]
    )


def song_vectors_schema(dimension: int) -> pa.Schema:
    """Schema of a segment's vectors.arrow.

    `lot` is the beginning of the digest of the song's id, by which songs are chosen for measuring; `track` the digest
    of its track and `has_melody` what is known of that; its record batch in stanzas.arrow begins at `stanzas_start`.
    """
    return pa.schema(
        [
            ("song_id", pa.string()),
            ("lot", pa.uint64()),
            ("track", pa.string()),
            ("has_melody", pa.bool_()),
            ("stanzas_start", pa.int64()),
            *words_schema(dimension),
        ]
    )


def stanzas_schema(dimension: int) -> pa.Schema:
    """Schema of a segment's stanzas.arrow, an Arrow stream, and of sample.arrow."""
    return pa.schema([("name", pa.string()), ("text", pa.string()), ("vector", pa.list_(pa.float32(), dimension))])


#: A row a term, by its hash: the rows of the songs in the segment that it stands in, and how often (at most 255 times).
LEXICON_SCHEMA = pa.schema([("term", pa.uint64()), ("songs", pa.list_(pa.uint16())), ("counts", pa.list_(pa.uint8()))])
