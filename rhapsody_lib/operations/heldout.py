"""Which songs two releases are measured on: songs that neither has learnt from, the same for both."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from rhapsody_lib.corpus.schema import SONGS_FILE, TRACKS_FILE
from rhapsody_lib.corpus.split import song_group
from rhapsody_lib.corpus.tables import read_songs
from rhapsody_lib.errors import DamagedArtifactError, InputError, UnreadableFileError
from rhapsody_lib.music.midi import midi_to_score
from rhapsody_lib.music.score import Score
from rhapsody_lib.words.document import Lyrics, parse_lyrics

#: At most so many songs are read, tracks heard, and songs looked for among so many others beside themselves.
MAX_SONGS, MAX_TRACKS, MAX_QUERIES, MAX_OTHERS = 400, 48, 100, 100
#: With fewer songs that are new to the live release, all held-out ones are measured on.
MIN_SONGS = 8


@dataclass(frozen=True)
class Heldout:
    """The songs measured on.

    Args:
        songs: lyrics of held-out songs.
        scores: music of some of them.
        others: lyrics of training songs, among which songs are looked for.
        notes: what to know of the choice, as sentences.
    """

    songs: tuple[Lyrics, ...]
    scores: tuple[Score, ...]
    others: tuple[Lyrics, ...]
    notes: tuple[str, ...]


def choose_songs(corpus: Path, live_corpus: Path | None) -> Heldout:
    """Songs held out of a candidate's corpus that are not trained on in the live release's corpus.

    At most `MAX_SONGS`, chosen by the digest of their ids: the same corpora always give the same songs.

    Args:
        corpus: folder of the candidate's corpus.
        live_corpus: folder of the live release's; none where there is none, or it is the same.

    Raises:
        DamagedArtifactError: a table cannot be read.
    """
    heldout = list(_rows(corpus, "heldout"))
    known = set() if live_corpus is None else {mark for row in _rows(live_corpus, "train") for mark in _marks(row)}
    new = [row for row in heldout if known.isdisjoint(_marks(row))]
    notes = []
    if len(new) < len(heldout):
        seen = f"{len(heldout) - len(new)} of {len(heldout)} held-out songs were trained on by the live release"
        if len(new) >= MIN_SONGS:
            notes.append(f"{seen} and were left out.")
        else:
            notes.append(f"{seen}; too few are left without them, so all were used: this favours the live release.")
            new = heldout
    if not new:
        notes.append("No song is held out: nothing could be measured on words or music.")
    chosen = _first_by_digest(new, MAX_SONGS)
    if len(chosen) < len(new):
        notes.append(f"Measured on {len(chosen)} of {len(new)} held-out songs.")
    others = _first_by_digest(list(_rows(corpus, "train")), MAX_OTHERS)
    return Heldout(_lyrics(chosen), _scores(corpus, chosen), _lyrics(others), tuple(notes))


def training_lyrics(corpus: Path) -> Iterator[Lyrics]:
    """Lyrics of the songs trained on, one after another."""
    for row in _rows(corpus, "train"):
        yield _parsed(row)


def _rows(corpus: Path, split: str) -> Iterator[dict[str, Any]]:
    try:
        yield from read_songs(corpus, split)
    except (OSError, pa.ArrowException) as error:
        raise DamagedArtifactError(
            f"{corpus / SONGS_FILE}: cannot be read ({error}). Run 'rhapsody train' to build it again."
        ) from error


def _marks(row: dict[str, Any]) -> tuple[str, str]:
    """By what a song is known again in another corpus: its group, and its words."""
    lyrics = hashlib.sha256((row["lyrics"] or "").encode()).hexdigest()
    return song_group(row["title"] or "", row["artist"] or "", row["song_id"]), lyrics


def _first_by_digest(rows: list[dict[str, Any]], count: int) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda row: hashlib.sha256(row["song_id"].encode()).hexdigest())[:count]


def _parsed(row: dict[str, Any]) -> Lyrics:
    return parse_lyrics(row["lyrics"] or "", row["title"] or "")


def _lyrics(rows: list[dict[str, Any]]) -> tuple[Lyrics, ...]:
    return tuple(song for song in map(_parsed, rows) if song.lines)


def _scores(corpus: Path, rows: list[dict[str, Any]]) -> tuple[Score, ...]:
    """The music of the first songs that have any, in the order of the rows; a track that is no music is left out."""
    tracks = pq.read_table(
        corpus / TRACKS_FILE,
        columns=["song_id", "track_id", "midi"],
        filters=[("song_id", "in", [row["song_id"] for row in rows] or [""])],
    ).to_pylist()
    place = {row["song_id"]: number for number, row in enumerate(rows)}
    scores = []
    for track in sorted(tracks, key=lambda track: (place[track["song_id"]], track["track_id"]))[:MAX_TRACKS]:
        try:
            scores.append(midi_to_score(track["midi"], track["track_id"]))
        except (InputError, UnreadableFileError):
            continue
    return tuple(scores)
