"""What each row of the tables is expected to be, as dataframely schemas (docs/decisions/0038).

Rows of a table are checked in batches, each rule by one expression of Polars; what spans batches or tables is in
`checks`. Importing this loads dataframely and Polars.
"""

from __future__ import annotations

from collections.abc import Mapping

import dataframely as dy
import polars as pl

from rhapsody_lib.corpus.schema import REJECTS_FILE, SONGS_FILE, TRACKS_FILE, RejectCode
from rhapsody_lib.music.foreign import BELIEVED_BPM

MAX_YEAR = 2100
MAX_SECONDS = 4 * 3600.0


class SongsTable(dy.Schema):
    """Rows of the songs table."""

    song_id = dy.String(min_length=1)
    source = dy.String(min_length=1)
    title = dy.String()
    artist = dy.String()
    language = dy.String(regex="^[a-z]{2,3}$")
    genres = dy.List(dy.String())
    year = dy.Int32(nullable=True, min=1, max=MAX_YEAR)
    lyrics = dy.String()
    licence = dy.String()
    split = dy.String(regex="^(train|heldout)$")


class TracksTable(dy.Schema):
    """Rows of the tracks table."""

    track_id = dy.String(min_length=1)
    song_id = dy.String(min_length=1)
    midi = dy.Binary()
    sha256 = dy.String(regex="^[0-9a-f]{64}$")
    seconds = dy.Float64(min_exclusive=0, max=MAX_SECONDS)
    tempo_bpm = dy.Float64(min=BELIEVED_BPM[0], max=BELIEVED_BPM[1])
    key = dy.String(regex="^[A-G](#|b)? (major|minor)$")
    time_signature = dy.String(regex="^[1-9][0-9]?/(1|2|4|8|16|32|64)$")
    programs = dy.List(dy.Int32(min=0, max=127))
    notes = dy.Int32(min=1)

    @dy.rule()
    def midi_begins(cls) -> pl.Expr:  # noqa: N805  (as dataframely calls it)
        """The bytes begin as a MIDI file does."""
        return pl.col("midi").bin.starts_with(b"MThd")


class RejectsTable(dy.Schema):
    """Rows of the rejects table."""

    source = dy.String(min_length=1)
    path = dy.String(min_length=1)
    reason = dy.String(regex=f"^({'|'.join(code.value for code in RejectCode)})$")
    detail = dy.String()


SCHEMAS: Mapping[str, type[dy.Schema]] = {
    SONGS_FILE: SongsTable,
    TRACKS_FILE: TracksTable,
    REJECTS_FILE: RejectsTable,
}
#: What a rule asks of a value, by the name that dataframely gives it; others are told by that name.
RULES: Mapping[str, str] = {
    "nullability": "is there",
    "inner_nullability": "has no missing value inside",
    "min_length": "is not empty",
    "min": "is not below its range",
    "min_exclusive": "is above 0",
    "max": "is not above its range",
    "regex": "has its form",
    "nan": "is a number",
    "inf": "is finite",
    "inner_min": "holds General MIDI programs",
    "inner_max": "holds General MIDI programs",
    "midi_begins": "begins as a MIDI file does",
}
#: Facts that a file of a stranger may state falsely: some rows may break these rules.
LENIENT = frozenset({"year", "seconds", "tempo_bpm", "time_signature", "language"})
