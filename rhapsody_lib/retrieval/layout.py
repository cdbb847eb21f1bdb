"""Files of a catalogue folder. Vectors lie in uncompressed Arrow files, so that they are memory-mapped, never copied.

`songs.arrow` a row a song, `stanzas.arrow` a row a different stanza (those of a song stand together), `lexicon.arrow`
the inverted index, `catalogue.json` what it was made with, `metrics.json` how well it finds songs.
"""

from __future__ import annotations

import pyarrow as pa

SONG_VECTORS_FILE, STANZA_VECTORS_FILE = "songs.arrow", "stanzas.arrow"
LEXICON_FILE, CARD_FILE, METRICS_FILE = "lexicon.arrow", "catalogue.json", "metrics.json"


def songs_schema(dimension: int) -> pa.Schema:
    """Schema of songs.arrow; the song's stanzas are the rows from `first_stanza` on; without a track, no `track_id`."""
    return pa.schema(
        [
            ("song_id", pa.string()),
            ("title", pa.string()),
            ("track_id", pa.string()),
            ("first_stanza", pa.int64()),
            ("stanza_count", pa.int32()),
            ("vector", pa.list_(pa.float32(), dimension)),
        ]
    )


def stanzas_schema(dimension: int) -> pa.Schema:
    """Schema of stanzas.arrow."""
    return pa.schema([("name", pa.string()), ("text", pa.string()), ("vector", pa.list_(pa.float32(), dimension))])
