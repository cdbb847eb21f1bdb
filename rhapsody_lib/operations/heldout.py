"""Which songs two releases are measured on: songs that neither has learnt from, the same for both."""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from rhapsody_lib.backing.dataset import score_mark
from rhapsody_lib.corpus.schema import SONGS_FILE, TRACKS_FILE
from rhapsody_lib.corpus.split import song_group
from rhapsody_lib.corpus.tables import read_songs
from rhapsody_lib.errors import DamagedArtifactError, InputError, UnreadableFileError
from rhapsody_lib.lyrics.base import MOST_KNOWN
from rhapsody_lib.lyrics.copying import share_known
from rhapsody_lib.lyrics.runs import RunFilter
from rhapsody_lib.music.midi import midi_to_score
from rhapsody_lib.music.score import Score
from rhapsody_lib.recipe import BUILD_AGAIN
from rhapsody_lib.words.document import Lyrics, parse_lyrics

#: At most so many songs are read, tracks heard, and songs looked for among so many others beside themselves.
MAX_SONGS, MAX_TRACKS, MAX_QUERIES, MAX_OTHERS = 400, 48, 100, 100
#: With fewer songs that neither release has learnt, it is said that they tell little.
FEW_SONGS = 8


@dataclass(frozen=True)
class Heldout:
    """The songs measured on.

    Args:
        songs: lyrics of held-out songs that neither release has learnt, nor, after `without_known`, its base model.
        scores: music of songs that neither release has learnt, nor, after `without_known`, its base model of music;
            they need not be those of `songs`.
        queries: lyrics of held-out songs that are looked for. The live release may have learnt them, unless its encoder
            was tuned.
        others: lyrics of training songs, among which songs are looked for.
        notes: what to know of the choice, as sentences.
    """

    songs: tuple[Lyrics, ...]
    scores: tuple[Score, ...]
    queries: tuple[Lyrics, ...]
    others: tuple[Lyrics, ...]
    notes: tuple[str, ...]


def choose_songs(corpus: Path, live_corpus: Path | None, *, live_tuned: bool = False) -> Heldout:
    """Songs held out of a candidate's corpus that are not trained on in the live release's corpus.

    At most `MAX_SONGS`, chosen by the digest of their ids: the same corpora always give the same songs. Of the other
    songs only digests are in memory.

    Args:
        corpus: folder of the candidate's corpus.
        live_corpus: folder of the live release's; none where there is none, or it is the same.
        live_tuned: whether the live release's encoder was tuned on its songs, so that these cannot be looked for.

    Raises:
        DamagedArtifactError: a table cannot be read.
    """
    learnt = _learnt(corpus, live_corpus)
    heldout = new = 0
    places: dict[str, str] = {}

    def new_rows() -> Iterator[dict[str, Any]]:
        nonlocal heldout, new
        for row in _rows(corpus, "heldout"):
            heldout += 1
            if learnt.isdisjoint(_marks(row)):
                new += 1
                places[row["song_id"]] = _place(row)
                yield row

    chosen = _first_by_digest(new_rows(), MAX_SONGS)
    return Heldout(
        songs=_lyrics(chosen),
        scores=_scores(corpus, places),
        queries=_lyrics(_first_by_digest(_wanted(corpus, learnt if live_tuned else set()), MAX_QUERIES)),
        others=_lyrics(_first_by_digest(_rows(corpus, "train"), MAX_OTHERS)),
        notes=tuple(_notes(heldout, new, len(chosen))),
    )


def _wanted(corpus: Path, learnt: set[str]) -> Iterator[dict[str, Any]]:
    """Held-out songs but those of the marks."""
    return (row for row in _rows(corpus, "heldout") if learnt.isdisjoint(_marks(row)))


def without_known(heldout: Heldout, read: Sequence[RunFilter], music: Sequence[frozenset[str]] = ()) -> Heldout:
    """The same without the lyrics and the scores that base models have read; `queries` stay, for no base learns them.

    Args:
        heldout: the choice.
        read: what the base model of words of each release has read, in runs of words.
        music: what the base model of music of each release has read, in marks of songs.
    """
    return _without_known_music(_without_known_words(heldout, read), frozenset[str]().union(*music))


def _without_known_music(heldout: Heldout, marks: frozenset[str]) -> Heldout:
    left = tuple(score for score in heldout.scores if score_mark(score) not in marks) if marks else heldout.scores
    known = len(heldout.scores) - len(left)
    if not known:
        return heldout
    note = _note_of_known(f"{known} of {len(heldout.scores)} held-out pieces of music", "music", len(left), "backing")
    return replace(heldout, scores=left, notes=(*heldout.notes, note))


def _without_known_words(heldout: Heldout, read: Sequence[RunFilter]) -> Heldout:
    left = tuple(song for song in heldout.songs if all(share_known(runs, song) <= MOST_KNOWN for runs in read))
    known = len(heldout.songs) - len(left)
    if not known:
        return heldout
    note = _note_of_known(f"{known} of {len(heldout.songs)} held-out songs", "words", len(left), "lyrics")
    return replace(heldout, songs=left, notes=(*heldout.notes, note))


def _note_of_known(known: str, measured: str, left: int, stage: str) -> str:
    if not left:
        rest = f"none is left to measure {measured} on. Train with {stage}.base=none, or on other songs."
    elif left < FEW_SONGS:
        rest = f"the {left} that are left tell little of {measured}."
    else:
        rest = f"{measured} {'is' if measured == 'music' else 'are'} not measured on them."
    return f"{known} were read by a base model that a release started from: {rest}"


def _notes(heldout: int, new: int, chosen: int) -> Iterator[str]:
    if not heldout:
        yield "No song is held out: nothing could be measured on words or music."
    elif heldout == new < FEW_SONGS:
        yield f"Only {new} {'song is' if new == 1 else 'songs are'} held out: so few tell little of words and music."
    if new < heldout:
        seen = f"{heldout - new} of {heldout} held-out songs were trained on by the live release and were left out"
        if not new:
            yield f"{seen}: none is left to measure words and music on."
        elif new < FEW_SONGS:
            yield f"{seen}: the {new} that are left tell little of words and music."
        else:
            yield f"{seen}."
    if chosen < new:
        yield f"Measured on {chosen} of {new} held-out songs."


def _learnt(corpus: Path, live_corpus: Path | None) -> set[str]:
    """Marks of held-out songs that the live release was trained on."""
    if live_corpus is None:
        return set()
    marks = {mark for row in _rows(corpus, "heldout") for mark in _marks(row)}
    return {mark for row in _rows(live_corpus, "train") for mark in _marks(row) if mark in marks}


def training_lyrics(corpus: Path) -> Iterator[Lyrics]:
    """Lyrics of the songs trained on, one after another."""
    for row in _rows(corpus, "train"):
        yield _parsed(row)


def _rows(corpus: Path, split: str) -> Iterator[dict[str, Any]]:
    try:
        yield from read_songs(corpus, split)
    except (OSError, pa.ArrowException) as error:
        raise DamagedArtifactError(f"{corpus / SONGS_FILE}: cannot be read ({error}). {BUILD_AGAIN}") from error


def _marks(row: dict[str, Any]) -> tuple[str, str]:
    """By what a song is known again in another corpus: its group, and its words; music without words by the first."""
    group = _digest(f"group {song_group(row['title'] or '', row['artist'] or '', row['song_id'])}")
    return group, _digest(f"lyrics {row['lyrics']}") if row["lyrics"] else group


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _place(row: dict[str, Any]) -> str:
    """By what songs are put in an order that has nothing to do with what they are."""
    return hashlib.sha256(row["song_id"].encode()).hexdigest()


def _first_by_digest(rows: Iterable[dict[str, Any]], count: int) -> list[dict[str, Any]]:
    return heapq.nsmallest(count, rows, key=_place)


def _parsed(row: dict[str, Any]) -> Lyrics:
    return parse_lyrics(row["lyrics"] or "", row["title"] or "")


def _lyrics(rows: list[dict[str, Any]]) -> tuple[Lyrics, ...]:
    return tuple(song for song in map(_parsed, rows) if song.lines)


def _scores(corpus: Path, places: dict[str, str]) -> tuple[Score, ...]:
    """The music of the first songs that have any, of those that have a place; what is no music is left out."""
    with pq.ParquetFile(corpus / TRACKS_FILE) as table:
        held = (
            (places[track["song_id"]], track["track_id"])
            for group in range(table.num_row_groups)
            for track in table.read_row_group(group, columns=["song_id", "track_id"]).to_pylist()
            if track["song_id"] in places
        )
        order = {track_id: number for number, (_, track_id) in enumerate(heapq.nsmallest(MAX_TRACKS, held))}
    tracks = pq.read_table(
        corpus / TRACKS_FILE, columns=["track_id", "midi"], filters=[("track_id", "in", [*order] or [""])]
    ).to_pylist()
    scores = []
    for track in sorted(tracks, key=lambda track: order[track["track_id"]]):
        try:
            scores.append(midi_to_score(track["midi"], track["track_id"]))
        except (InputError, UnreadableFileError):
            continue
    return tuple(scores)
