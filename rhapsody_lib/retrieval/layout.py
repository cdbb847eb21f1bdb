"""Files of a catalogue. Vectors lie in uncompressed Arrow files, so that they are memory-mapped, never copied.

A catalogue is a folder of `songs.arrow` (a row a song: what it is, and the numbers that centring needs),
`lexicon.arrow` (the inverted index), `shapes.arrow` (of its lines), `catalogue.json` (what it was made with),
`metrics.json` (how well it finds songs) and, where it is large, `inverted.faiss`. The vectors lie in its segments, each
a run of songs that is never changed once it is written: `vectors.arrow` a row a song, `stanzas.arrow` a row a different
stanza (those of a song stand together). A segment is a folder below `segments/`, or an artifact that several catalogues
share.
"""

from __future__ import annotations

import pyarrow as pa

#: Raised when a catalogue or a segment written before can no longer be read. It stands in both.
LAYOUT_VERSION = 3
SONGS_FILE, LEXICON_FILE, CARD_FILE, METRICS_FILE = "songs.arrow", "lexicon.arrow", "catalogue.json", "metrics.json"
SHAPES_FILE, INVERTED_FILE = "shapes.arrow", "inverted.faiss"
SONG_VECTORS_FILE, STANZA_VECTORS_FILE = "vectors.arrow", "stanzas.arrow"
SEGMENTS_FOLDER = "segments"


def songs_schema() -> pa.Schema:
    """Schema of songs.arrow.

    The song's stanzas are the rows of its segment from `first_stanza` on. `product` is that of its vector and the mean
    of all, `length` that of the difference of the two. Without a track there is no `track_id`, `tempo_bpm`, `key` nor
    `time_signature`.
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
            ("first_stanza", pa.int64()),
            ("stanza_count", pa.int32()),
            ("product", pa.float32()),
            ("length", pa.float32()),
            ("wordless", pa.bool_()),
        ]
    )


def song_vectors_schema(dimension: int) -> pa.Schema:
    """Schema of a segment's vectors.arrow; `words` is the digest of the song's title and words."""
    return pa.schema(
        [
            ("song_id", pa.string()),
            ("words", pa.binary(16)),
            ("first_stanza", pa.int64()),
            ("stanza_count", pa.int32()),
            ("vector", pa.list_(pa.float32(), dimension)),
        ]
    )


def stanzas_schema(dimension: int) -> pa.Schema:
    """Schema of a segment's stanzas.arrow."""
    return pa.schema([("name", pa.string()), ("text", pa.string()), ("vector", pa.list_(pa.float32(), dimension))])
