"""A Lakh corpus as jobs: music joined with its metadata, genres and words by MSD id, and what does not join.

In memory are the names of the files and what is known of their songs; of the tables beside them the rows asked for.
"""

from __future__ import annotations

import logging
import os
import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from rhapsody_lib.corpus.found import Job, Known, Reject, one_line
from rhapsody_lib.corpus.lakh.files import Chosen, LeftOut, Matches, MusicFile, best_of, music_files, with_songs
from rhapsody_lib.corpus.lakh.json_entries import MidiInfo, read_midi_info, read_scores
from rhapsody_lib.corpus.lakh.lists import BadLine, read_genres, read_ids
from rhapsody_lib.corpus.lakh.metadata import TrackMetadata, read_metadata
from rhapsody_lib.corpus.lakh.tree import LakhTree
from rhapsody_lib.corpus.lakh.words import WORDS_LICENCE, MatchedWords, read_words
from rhapsody_lib.corpus.schema import RejectCode

logger = logging.getLogger(__name__)

#: Of the piano rolls and of the MIDI files; the songs in them are their owners'.
LICENCE = "CC-BY-4.0"
MAX_GENRES = 32
#: Broken lines of one file that are told one by one.
MAX_BROKEN = 1000
_OUTSIDE_DETAIL = "is a link that leads out of its folder; copy the file in, or name it in a source file"
_NO_METADATA = TrackMetadata("", "", 0)
_NO_INFO = MidiInfo(0.0, "")

Item = TypeVar("Item")


@dataclass
class _Catalogue:
    """What is known of the songs, by MSD id (of MIDI files by md5), and what was left out on the way.

    `unread` are the files of it that could not be read, or not to their end.
    """

    tree: LakhTree
    left_out: list[LeftOut] = field(default_factory=list)
    unread: set[Path] = field(default_factory=set)

    def name(self, path: Path) -> str:
        return os.fsencode(os.path.relpath(path, self.tree.root)).decode("utf-8", "replace")

    def kept(self, items: Iterable[Item | LeftOut]) -> list[Item]:
        """All but what is left out, which is noted."""
        kept: list[Item] = []
        for item in items:
            if isinstance(item, LeftOut):
                self.left_out.append(item)
            else:
                kept.append(item)
        return kept

    def rows(self, path: Path | None, rows: Iterable[Item | BadLine]) -> Iterator[Item]:
        """The rows of a file; broken ones are noted, and so is a file that cannot be read on."""
        if path is None:
            return
        name, broken = self.name(path), 0
        try:
            for row in rows:
                if isinstance(row, tuple) and len(row) == 2 and isinstance(row[0], int):
                    broken += 1
                    if broken <= MAX_BROKEN:
                        self.left_out.append(LeftOut(f"{name}#{row[0]}", RejectCode.BAD_TABLE, str(row[1])))
                    continue
                yield row  # type: ignore[misc]  # what is no broken line
        except (OSError, EOFError, ValueError, zlib.error) as error:
            self.unread.add(path)
            logger.warning("%s cannot be read on: %s. docs/data.md says what it may hold.", path, one_line(str(error)))
            self.left_out.append(LeftOut(name, RejectCode.BAD_TABLE, one_line(f"cannot be read on: {error}")))
        if broken > MAX_BROKEN:
            detail = f"has {broken:,} broken lines, of which {MAX_BROKEN:,} are named"
            self.left_out.append(LeftOut(name, RejectCode.BAD_TABLE, detail))

    def matches(self, md5s: set[str]) -> tuple[Matches, list[tuple[str, str]]]:
        """How files match songs, and the (MSD id, md5) that are listed but of which there is no file."""
        listed = [(track, md5) for path in self.tree.ids for md5, track in self.rows(path, read_ids(path))]
        scores: dict[tuple[str, str], float] = {}
        if (path := self.tree.match_scores) is not None:
            for track_id, md5, score in self.rows(path, read_scores(path, md5s)):
                scores[track_id, md5] = max(score, scores.get((track_id, md5), 0.0))
        here = frozenset(pair for pair in listed if pair[1] in md5s)
        return Matches(here, scores), [pair for pair in listed if pair[1] not in md5s]

    def metadata(self, track_ids: Iterable[str]) -> dict[str, TrackMetadata]:
        path = self.tree.metadata
        return dict(self.rows(path, read_metadata(path, track_ids))) if path is not None else {}

    def genres(self, track_ids: set[str]) -> dict[str, tuple[str, ...]]:
        genres: dict[str, tuple[str, ...]] = {}
        for path in self.tree.genres:
            for track_id, named in self.rows(path, read_genres(path, track_ids)):
                genres[track_id] = tuple(dict.fromkeys((*genres.get(track_id, ()), *named)))[:MAX_GENRES]
        return genres

    def words(self, track_ids: set[str]) -> dict[str, MatchedWords]:
        """The first row that has words, of each song; rows of songs that are not here are left out."""
        words: dict[str, MatchedWords] = {}
        path = self.tree.lyrics
        for row in self.rows(path, read_words(path) if path is not None else ()):
            if row.track_id not in track_ids:
                name = f"{self.name(path)}#{row.number}" if path is not None else ""
                self.left_out.append(LeftOut(name, RejectCode.NO_MIDI, f"there is no music of {row.track_id}"))
            elif row.track_id not in words or (row.lyrics and not words[row.track_id].lyrics):
                words[row.track_id] = row
        return words

    def info(self, md5s: set[str]) -> dict[str, MidiInfo]:
        path = self.tree.midi_info
        return dict(self.rows(path, read_midi_info(path, md5s))) if path is not None else {}


def _by_song(catalogue: _Catalogue, matches: Matches, files: list[MusicFile]) -> dict[str, Chosen]:
    """The music of each song, by MSD id."""
    of_song: dict[str, list[MusicFile]] = defaultdict(list)
    for file in catalogue.kept(with_songs(files, matches)):
        of_song[file.track_id].append(file)
    return {
        track_id: best
        for track_id in sorted(of_song)
        for best in catalogue.kept(best_of(track_id, of_song[track_id], matches))
    }


def _without_repeats(
    catalogue: _Catalogue, chosen: dict[str, Chosen], matches: Matches, words: dict[str, MatchedWords]
) -> Iterator[tuple[str, Chosen]]:
    """Each music once, for the song of those it is said to be that has words and matches best."""

    def rank(track_id: str) -> tuple[bool, float, str]:
        row, md5 = words.get(track_id), chosen[track_id].file.md5
        return not (row and row.lyrics), -matches.scores.get((track_id, md5), 0.0), track_id

    of_md5: dict[str, list[str]] = defaultdict(list)
    for track_id, item in chosen.items():
        of_md5[item.file.md5].append(track_id)
    for track_ids in of_md5.values():
        best, *others = sorted(track_ids, key=rank)
        yield best, chosen[best]
        for track_id in others:
            file, taken = chosen[track_id].file, chosen[best].file
            name = file.name if file.path != taken.path else f"{file.name}#{track_id}"
            detail = f"is the same music as {taken.name}, which is taken for {best}"
            catalogue.left_out.append(LeftOut(name, RejectCode.REPEATED_MD5, detail))


def _known(
    track_id: str,
    chosen: Chosen,
    metadata: TrackMetadata,
    genres: tuple[str, ...],
    row: MatchedWords | None,
    info: MidiInfo,
) -> Known:
    return Known(
        title=metadata.title or (row.title if row is not None else ""),
        artist=metadata.artist or (row.artist if row is not None else ""),
        year=metadata.year,
        genres=genres,
        lyrics=row.lyrics if row is not None else "",
        licence=f"{LICENCE}; {WORDS_LICENCE}" if row is not None and row.limited else LICENCE,
        track_id=track_id,
        tempo_path=chosen.midi_path,
        tempo_bpm=info.tempo_bpm,
        time_signature=info.time_signature,
    )


def _rejects(left_out: Iterable[LeftOut], source: str, read: set[str]) -> list[Reject]:
    """One reject a name; none of a file that is read for another song."""
    by_name = {left.name: left for left in left_out if left.name not in read}
    return [Reject(source, left.name, left.code, left.detail) for left in by_name.values()]


def list_lakh_jobs(tree: LakhTree, source: str) -> Iterator[Job | Reject]:
    """The songs of a tree as jobs with what is known of them, and what does not join as rejects; in the order of names.

    A song is read from its piano roll where it has one, with the tempi of the MIDI file beside it; else from its MIDI
    file that matches best. Songs of which a catalogue is asked and knows nothing are rejected, so that none is split
    or filtered by a name that is not its own. Words, genres and tempi may be missing.

    Args:
        tree: where the parts are.
        source: the name of the source, for rejects.

    Raises:
        OSError: a folder cannot be listed.
        SourceError: the database takes too long to answer.
    """
    catalogue = _Catalogue(tree)
    catalogue.left_out += (LeftOut(catalogue.name(path), RejectCode.OUTSIDE, _OUTSIDE_DETAIL) for path in tree.outside)
    files = catalogue.kept(music_files(tree))
    matches, missing = catalogue.matches({file.md5 for file in files})
    lost = (
        LeftOut(f"{track_id}/{md5}", RejectCode.NO_FILE, "is listed, but is not there") for track_id, md5 in missing
    )
    catalogue.left_out.extend(dict.fromkeys(lost))
    chosen = _by_song(catalogue, matches, files)
    track_ids = set(chosen)
    words = catalogue.words(track_ids)
    metadata, genres = catalogue.metadata(sorted(track_ids)), catalogue.genres(track_ids)
    info = catalogue.info({item.file.md5 for item in chosen.values()})
    jobs: list[Job] = []
    for track_id, item in _without_repeats(catalogue, chosen, matches, words):
        about, file = metadata.get(track_id, _NO_METADATA), item.file
        known = _known(
            track_id, item, about, genres.get(track_id, ()), words.get(track_id), info.get(file.md5, _NO_INFO)
        )
        if tree.metadata is not None and not known.title:
            name = tree.metadata.name
            unread = f"{name} could not be read, so {track_id} has no title"
            detail = unread if tree.metadata in catalogue.unread else f"{track_id} is not in {name}"
            catalogue.left_out.append(LeftOut(file.name, RejectCode.NO_METADATA, detail))
        else:
            jobs.append(Job(file.kind, file.path, file.name, known=known))
    listed: list[Job | Reject] = [*jobs, *_rejects(catalogue.left_out, source, {job.name for job in jobs})]
    yield from sorted(listed, key=lambda item: item.name if isinstance(item, Job) else item.path)
