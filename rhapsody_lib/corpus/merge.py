"""Shards of songs made into one corpus: what depends on other songs is decided here, and the tables are written.

The shards are gone through three times, each time a column or two of some rows at once: for what tells repeats, for the
words of those songs that may repeat one another, and to write the tables. Memory holds some integers a song.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from rhapsody_lib.corpus.chosen import not_chosen
from rhapsody_lib.corpus.duplicates import DuplicateFinder, Repeats
from rhapsody_lib.corpus.examine import words_of
from rhapsody_lib.corpus.found import Reject, one_line
from rhapsody_lib.corpus.schema import (
    REJECTS_FILE,
    REJECTS_SCHEMA,
    SONGS_FILE,
    SONGS_SCHEMA,
    TRACKS_FILE,
    TRACKS_SCHEMA,
    RejectCode,
)
from rhapsody_lib.corpus.shards import SongShard, shard_tables
from rhapsody_lib.corpus.split import UNTITLED, split_position, split_sides
from rhapsody_lib.corpus.summary import CorpusSummary, Tally
from rhapsody_lib.corpus.tables import TableWriter
from rhapsody_lib.settings import CorpusSettings

_CHOICE = ("artist", "genres", "year")
#: Columns of a shard that the tables are made of.
_MADE = {"source", "split", "track_id"}
_WRITTEN = sorted({"path", "reason", "detail", "words", *SONGS_SCHEMA.names, *TRACKS_SCHEMA.names} - _MADE)


@dataclass(frozen=True)
class Held:
    """A shard that was read, and the folder that it lies in."""

    shard: SongShard
    folder: Path


class _Writers:
    """The tables of a corpus, open to be written."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.songs = stack.enter_context(TableWriter(folder / SONGS_FILE, SONGS_SCHEMA))
        self.tracks = stack.enter_context(TableWriter(folder / TRACKS_FILE, TRACKS_SCHEMA))
        self._rejects = stack.enter_context(TableWriter(folder / REJECTS_FILE, REJECTS_SCHEMA))

    def reject(self, reject: Reject) -> None:
        """Write a reject."""
        code = reject.code.value
        self._rejects.write({"source": reject.source, "path": reject.path, "reason": code, "detail": reject.detail})


class Merge:
    """Makes one corpus of shards.

    Args:
        held: the shards, in order.
        sources: names of all sources.
        settings: what to keep.
        seed: of the split.
    """

    def __init__(self, held: Sequence[Held], sources: Sequence[str], settings: CorpusSettings, seed: int) -> None:
        self._held, self._sources, self._settings, self._seed = held, sources, settings, seed
        self._chooses = bool(settings.artists or settings.genres or settings.years)

    def write(self, out: Path) -> CorpusSummary:
        """Write `songs`, `tracks` and `rejects` into a folder."""
        repeats, heldout = self._decide(out)
        tally, ids, first = Tally(self._sources), dict[int, str](), 0
        referred = np.zeros(len(heldout), dtype=bool)
        referred[repeats.of[repeats.of >= 0]] = True
        with ExitStack() as stack:
            writers = _Writers(out, stack)
            for held in self._held:
                for table in shard_tables(held.shard, held.folder, _WRITTEN):
                    songs, why_not = self._songs(table)
                    numbers = first + np.arange(len(songs))
                    first += len(songs)
                    for row, number in zip(songs[referred[numbers]], numbers[referred[numbers]], strict=True):
                        ids[int(number)] = table["song_id"][int(row)].as_py()
                    kept = repeats.of[numbers] < 0
                    why_not |= {
                        int(row): _repeat(repeats, int(number), ids)
                        for row, number in zip(songs[~kept], numbers[~kept], strict=True)
                    }
                    for reject in _rejects(held.shard.source, table, why_not):
                        tally.reject(reject)
                        writers.reject(reject)
                    splits = np.where(heldout[numbers[kept]], "heldout", "train").tolist()
                    rows = table.take(pa.array(songs[kept]))
                    tally.keep(held.shard.source, rows, splits)
                    writers.songs.write_table(_song_rows(held.shard.source, rows, splits))
                    writers.tracks.write_table(_track_rows(rows))
        return tally.summary()

    def _decide(self, scratch: Path) -> tuple[Repeats, npt.NDArray[np.bool_]]:
        """What repeats what, and which songs are held out. Files that are needed for it lie in `scratch`."""
        positions: list[npt.NDArray[np.float64]] = [np.empty(0)]
        with DuplicateFinder(self._settings.near_duplicate_similarity, scratch) as finder:
            for songs, table in self._columns("song_id", "group", "repeat_key", "signature"):
                rows = table.take(pa.array(songs))
                finder.add(rows["repeat_key"].to_pylist(), rows["signature"].to_pylist())
                groups = zip(rows["group"].to_pylist(), rows["song_id"].to_pylist(), strict=True)
                positions.append(
                    np.array([split_position(group or UNTITLED + song, self._seed) for group, song in groups])
                )
            repeats = finder.compare(self._words_of(finder.alike()))
        kept = repeats.of < 0
        heldout = np.zeros(len(kept), dtype=bool)
        heldout[kept] = split_sides(np.concatenate(positions)[kept], self._settings.heldout_share)
        return repeats, heldout

    def _columns(self, *names: str) -> Iterator[tuple[npt.NDArray[np.int64], pa.Table]]:
        """Some columns of all shards, with the rows that are songs which were asked for."""
        wanted = [*dict.fromkeys(("reason", *names, *(_CHOICE if self._chooses else ())))]
        for held in self._held:
            for table in shard_tables(held.shard, held.folder, wanted):
                yield self._songs(table)[0], table

    def _songs(self, table: pa.Table) -> tuple[npt.NDArray[np.int64], dict[int, tuple[RejectCode, str]]]:
        """The rows that are songs which were asked for, and why songs are not among them.

        Shards hold all songs, whatever was asked for: for another choice they need not be read again.
        """
        songs = np.flatnonzero(pc.is_null(table["reason"]).to_numpy())
        if not self._chooses:
            return songs, {}
        rows = table.select(_CHOICE).take(pa.array(songs)).to_pylist()
        asked = (not_chosen(row["artist"], row["genres"], row["year"], self._settings) for row in rows)
        why_not = {
            int(row): (RejectCode.NOT_CHOSEN, one_line(reason))
            for row, reason in zip(songs, asked, strict=True)
            if reason is not None
        }
        return songs[[int(row) not in why_not for row in songs]], why_not

    def _words_of(self, numbers: Sequence[int]) -> Iterator[Sequence[str]]:
        """The words of these songs, which are in order."""
        wanted, first = np.array(numbers, dtype=np.int64), 0
        for songs, table in self._columns("lyrics"):
            those = wanted[np.searchsorted(wanted, first) : np.searchsorted(wanted, first + len(songs))] - first
            for lyrics in table["lyrics"].take(pa.array(songs[those])).to_pylist():
                yield words_of(lyrics)
            first += len(songs)


def _repeat(repeats: Repeats, number: int, ids: dict[int, str]) -> tuple[RejectCode, str]:
    """Why a song is left out that repeats another."""
    code = RejectCode.DUPLICATE if repeats.exact[number] else RejectCode.NEAR_DUPLICATE
    return code, f"repeats {ids[int(repeats.of[number])]} (similarity {repeats.similarity[number]:.3f})"


def _rejects(source: str, table: pa.Table, why_not: dict[int, tuple[RejectCode, str]]) -> Iterator[Reject]:
    """The rejects among the rows, in order: those that were read as such, and those left out here."""
    columns = table.select(["path", "reason", "detail"])
    for row in sorted({*np.flatnonzero(pc.is_valid(table["reason"]).to_numpy()).tolist(), *why_not}):
        path, reason, detail = (columns[name][row].as_py() for name in columns.column_names)
        code, detail = why_not[row] if row in why_not else (RejectCode(reason), detail)
        yield Reject(source, path, code, detail)


def _song_rows(source: str, rows: pa.Table, splits: Sequence[str]) -> pa.Table:
    """Rows of the songs table."""
    year = pc.if_else(pc.equal(rows["year"], 0), pa.scalar(None, pa.int32()), rows["year"])
    made = {"source": pa.repeat(pa.scalar(source), rows.num_rows), "year": year, "split": pa.array(splits, pa.string())}
    columns = [made[name] if name in made else rows[name] for name in SONGS_SCHEMA.names]
    return pa.table(columns, schema=SONGS_SCHEMA)


def _track_rows(rows: pa.Table) -> pa.Table:
    """Rows of the tracks table."""
    rows = rows.filter(pc.is_valid(rows["midi"]))
    made = {"track_id": pc.binary_join_element_wise(rows["song_id"], pa.scalar("1"), "#")}
    return pa.table([made[name] if name in made else rows[name] for name in TRACKS_SCHEMA.names], schema=TRACKS_SCHEMA)
