"""The three tables of a prepared corpus. Parquet, one file each, in a folder with summary.json."""

from __future__ import annotations

from enum import Enum

import pyarrow as pa

SONGS_FILE, TRACKS_FILE, REJECTS_FILE, SUMMARY_FILE = (
    "songs.parquet",
    "tracks.parquet",
    "rejects.parquet",
    "summary.json",
)


class RejectCode(str, Enum):
    """Why a row or file was left out. The summary counts by these."""

    BAD_SONGBOOK = "bad_songbook"
    BAD_MIDI = "bad_midi"
    BAD_NPZ = "bad_npz"
    BAD_MUSICXML = "bad_musicxml"
    BAD_TEXT = "bad_text"
    BAD_TABLE = "bad_table"
    BAD_JSONL = "bad_jsonl"
    BAD_ABC = "bad_abc"
    NO_NOTES = "no_notes"
    NO_LYRICS = "no_lyrics"
    NO_MIDI = "no_midi"
    NO_FILE = "no_file"
    NO_MATCH = "no_match"
    NO_METADATA = "no_metadata"
    OTHER_MATCH = "other_match"
    REPEATED_MD5 = "repeated_md5"
    OUTSIDE = "outside"
    TOO_LARGE = "too_large"
    TIMEOUT = "timeout"
    CRASHED = "crashed"
    TOO_SHORT = "too_short"
    OTHER_LANGUAGE = "other_language"
    NOT_CHOSEN = "not_chosen"
    DUPLICATE = "duplicate"
    NEAR_DUPLICATE = "near_duplicate"
    UNKNOWN_TYPE = "unknown_type"


SONGS_SCHEMA = pa.schema(
    [
        ("song_id", pa.string()),
        ("source", pa.string()),
        ("title", pa.string()),
        ("artist", pa.string()),
        ("language", pa.string()),
        ("genres", pa.list_(pa.string())),
        ("year", pa.int32()),
        ("lyrics", pa.string()),
        ("licence", pa.string()),
        ("split", pa.string()),
    ]
)
TRACKS_SCHEMA = pa.schema(
    [
        ("track_id", pa.string()),
        ("song_id", pa.string()),
        ("midi", pa.binary()),
        ("sha256", pa.string()),
        ("seconds", pa.float64()),
        ("tempo_bpm", pa.float64()),
        ("key", pa.string()),
        ("time_signature", pa.string()),
        ("programs", pa.list_(pa.int32())),
        ("notes", pa.int32()),
    ]
)
REJECTS_SCHEMA = pa.schema(
    [("source", pa.string()), ("path", pa.string()), ("reason", pa.string()), ("detail", pa.string())]
)
