"""Prepared corpora as a preparation writes them, of made-up songs, whole or with one thing wrong."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rhapsody_lib.artifacts import ArtifactRef, Recipe, Store
from rhapsody_lib.corpus.schema import (
    REJECTS_FILE,
    REJECTS_SCHEMA,
    SONGS_FILE,
    SONGS_SCHEMA,
    SUMMARY_FILE,
    TRACKS_FILE,
    TRACKS_SCHEMA,
)
from rhapsody_lib.corpus.tables import TableWriter
from rhapsody_lib.release import RELEASE_KINDS, publish_release

Rows = Sequence[Mapping[str, Any]]


def song_row(number: int, **changes: Any) -> dict[str, Any]:
    words = "\n".join(f"The {number} river runs {line} times and sings" for line in range(4 + number % 7))
    return {
        "song_id": f"mine/{number}",
        "source": "mine",
        "title": f"Song {number}",
        "artist": f"Artist {number % 5}",
        "language": "en",
        "genres": ["folk", "pop"][: 1 + number % 2],
        "year": 1950 + number % 60,
        "lyrics": f"[verse 1]\n{words}",
        "licence": "CC0",
        "split": "heldout" if number % 5 == 0 else "train",
        **changes,
    }


def track_row(number: int, **changes: Any) -> dict[str, Any]:
    midi = b"MThd" + number.to_bytes(4, "big")
    return {
        "track_id": f"mine/{number}#1",
        "song_id": f"mine/{number}",
        "midi": midi,
        "sha256": hashlib.sha256(midi).hexdigest(),
        "seconds": 100.0 + number % 90,
        "tempo_bpm": 80.0 + number % 60,
        "key": ("C major", "A minor")[number % 2],
        "time_signature": "4/4",
        "programs": [0, 33],
        "notes": 500 + number * 37 % 400,
        **changes,
    }


def reject_row(number: int, **changes: Any) -> dict[str, Any]:
    return {"source": "mine", "path": f"{number}.mid", "reason": "bad_midi", "detail": "is no MIDI file", **changes}


def write_corpus(folder: Path, songs: Rows, tracks: Rows, rejects: Rows = ()) -> Path:
    """The three tables, and a summary that agrees with them."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, schema, rows in (
        (SONGS_FILE, SONGS_SCHEMA, songs),
        (TRACKS_FILE, TRACKS_SCHEMA, tracks),
        (REJECTS_FILE, REJECTS_SCHEMA, rejects),
    ):
        with TableWriter(folder / name, schema) as table:
            for row in rows:
                table.write(dict(row))
    summary = {
        "songs": len(songs),
        "tracks": len(tracks),
        "words": 100 * len(songs),
        "notes": sum(row["notes"] for row in tracks),
        "seconds": sum(row["seconds"] or 0.0 for row in tracks),
        "sources": {"mine": {"songs": len(songs), "rejects": len(rejects)}},
        "splits": dict(Counter(row["split"] for row in songs)),
        "languages": dict(Counter(row["language"] for row in songs)),
        "rejects": dict(Counter(row["reason"] for row in rejects)),
    }
    (folder / SUMMARY_FILE).write_text(json.dumps(summary), encoding="utf-8")
    return folder


def whole(count: int = 60, **changes: Any) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Songs and tracks of a whole corpus; `changes` are of every song."""
    numbers = range(count)
    return [song_row(number, **changes) for number in numbers], [track_row(number) for number in numbers]


def stored_corpus(store: str, name: str, songs: Rows, tracks: Rows, rejects: Rows = ()) -> ArtifactRef:
    """A corpus in a store, under a key of its own."""
    recipe = Recipe("corpus", 1, {"name": name}, {})
    return Store(store).build(recipe, lambda folder: write_corpus(folder, songs, tracks, rejects))


def released(store: str, corpus: ArtifactRef) -> None:
    """Make a corpus that of the live release."""
    none = {kind: ArtifactRef(kind=kind, key="0" * 64, uri="x", sha256="0" * 64) for kind in RELEASE_KINDS}
    publish_release(Store(store), {**none, "corpus": corpus}, {}, reason="test", recipe_sha256="0" * 64)
