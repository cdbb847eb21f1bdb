"""The figures of a data card: what a prepared corpus holds, in one pass over its tables.

Memory does not grow with the words and the music: tables are read in batches, and kept are counts, a few samples, and
the digests that `checks` compares.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from rhapsody_lib.corpus.checks import CorpusChecks
from rhapsody_lib.corpus.found import one_line
from rhapsody_lib.corpus.histograms import Histogram, Sample, Tally
from rhapsody_lib.corpus.schema import REJECTS_FILE, SONGS_FILE, SUMMARY_FILE, TRACKS_FILE, RejectCode
from rhapsody_lib.errors import SourceError
from rhapsody_lib.progress import Progress, silent

if TYPE_CHECKING:
    import polars as pl

#: Rows of a batch. Those of the tracks hold MIDI files, some tens of kilobytes each.
_SONGS_AT_ONCE, _TRACKS_AT_ONCE, _REJECTS_AT_ONCE = 4_096, 512, 16_384
SONG_SAMPLES, REJECT_SAMPLES = 12, 5
_HEADING = r"(?m)^\[.*$"
_WORD = r"\w+(?:['’]\w+)*"
_LINE = r"(?m)^[^\[\n]*\w"
#: What a song may lack, by the column that says so.
_LACKED = ("title", "artist", "licence", "lyrics")


class _Figures:
    """What is counted of the tables."""

    def __init__(self) -> None:
        self.numbers = {
            name: Histogram.of(name) for name in ("words", "lines", "year", "seconds", "tempo_bpm", "notes")
        }
        self.names = {name: Tally() for name in ("language", "genre", "licence", "source", "key", "time_signature")}
        self.lacking = dict.fromkeys((*_LACKED, "genres", "year"), 0)
        self.songs = Sample(SONG_SAMPLES)
        self.rejects = {code.value: Sample(REJECT_SAMPLES) for code in RejectCode}
        self.rejects_by_source: dict[str, Tally] = {}
        self.artists: list[Any] = []

    def add_songs(self, batch: pl.DataFrame) -> None:
        """Count a batch of songs."""
        import polars as pl

        for column in ("language", "licence", "source"):
            self.names[column].add(_counted(batch[column]))
        self.names["genre"].add(_counted(batch["genres"].explode().drop_nulls()))
        for column in _LACKED:
            self.lacking[column] += int((batch[column].fill_null("") == "").sum())
        self.lacking["genres"] += int((batch["genres"].list.len().fill_null(0) == 0).sum())
        self.lacking["year"] += batch["year"].null_count()
        sung = batch["lyrics"].str.replace_all(_HEADING, "")
        words = sung.str.count_matches(_WORD)
        self.numbers["words"].add(words.filter(words > 0).to_numpy())
        self.numbers["lines"].add(sung.str.count_matches(_LINE).filter(words > 0).to_numpy())
        self.numbers["year"].add(batch["year"].drop_nulls().to_numpy())
        self.artists.append(batch["artist"].filter(batch["artist"] != "").unique().hash(0).to_numpy())
        told = batch.select("song_id", "title", "artist", "year", "language", words.alias("words"))
        for row in told.iter_rows(named=True):
            digest = zlib.crc32(str(row["song_id"]).encode("utf-8", "replace"))
            if self.songs.wants(digest):
                row["genres"] = batch.filter(pl.col("song_id") == row["song_id"])["genres"][0].to_list()
                self.songs.add(digest, row)

    def add_tracks(self, batch: pl.DataFrame) -> None:
        """Count a batch of tracks."""
        for column in ("seconds", "tempo_bpm", "notes"):
            self.numbers[column].add(batch[column].drop_nulls().to_numpy())
        for column in ("key", "time_signature"):
            self.names[column].add(_counted(batch[column]))

    def add_rejects(self, batch: pl.DataFrame) -> None:
        """Count a batch of rejects."""
        for source, reason, count in batch.group_by("source", "reason").len().iter_rows():
            self.rejects_by_source.setdefault(str(source), Tally()).add({str(reason): count})
        for row in batch.iter_rows(named=True):
            digest, sample = zlib.crc32(str(row["path"]).encode("utf-8", "replace")), self.rejects.get(row["reason"])
            if sample is not None and sample.wants(digest):
                sample.add(digest, {**row, "detail": one_line(str(row["detail"]))})


def _counted(column: pl.Series) -> Iterator[tuple[str, int]]:
    return ((str(value), count) for value, count in column.value_counts().iter_rows())


def describe_corpus(folder: Path, progress: Progress = silent) -> dict[str, Any]:
    """The figures of a prepared corpus and what was checked of it, as plain JSON values.

    Args:
        folder: with the tables and summary.json.
        progress: told the rows done of all rows.

    Raises:
        SourceError: a table or the summary is missing or is no such file.
    """
    figures, checks = _Figures(), CorpusChecks()
    steps: Mapping[str, tuple[int, Callable[[pl.DataFrame], None], Callable[[pl.DataFrame], None]]] = {
        SONGS_FILE: (_SONGS_AT_ONCE, checks.add_songs, figures.add_songs),
        TRACKS_FILE: (_TRACKS_AT_ONCE, checks.add_tracks, figures.add_tracks),
        REJECTS_FILE: (_REJECTS_AT_ONCE, checks.add_rejects, figures.add_rejects),
    }
    try:
        summary = json.loads((folder / SUMMARY_FILE).read_text(encoding="utf-8"))
        total = sum(pq.read_metadata(folder / table).num_rows for table in steps)
        done = 0
        for table, (rows, check, count) in steps.items():
            for batch in _batches(folder / table, rows):
                if checks.add(table, batch):
                    check(batch)
                    count(batch)
                done += batch.height
                progress(done, total, table.partition(".")[0])
    except (OSError, ValueError, pa.ArrowException) as error:
        raise SourceError(f"Corpus '{folder}' cannot be read: {one_line(str(error))}. Prepare it again.") from error
    return {**_told(figures, summary), "checks": [asdict(check) for check in checks.finish(summary)]}


def _batches(path: Path, rows: int) -> Iterator[pl.DataFrame]:
    import polars as pl

    with pq.ParquetFile(path) as table:
        for batch in table.iter_batches(batch_size=rows):
            yield pl.DataFrame(pl.from_arrow(batch))


def _told(figures: _Figures, summary: Mapping[str, Any]) -> dict[str, Any]:
    import numpy as np

    artists = len(np.unique(np.concatenate(figures.artists))) if figures.artists else 0
    counts = {name: summary.get(name, 0) for name in ("songs", "tracks", "words", "notes", "seconds")}
    return {
        "counts": {**counts, "artists": artists, "rejects": sum((summary.get("rejects") or {}).values())},
        "sources": summary.get("sources") or {},
        "splits": summary.get("splits") or {},
        "rejects": summary.get("rejects") or {},
        "rejects_by_source": {name: tally.message() for name, tally in sorted(figures.rejects_by_source.items())},
        "reject_examples": {code: sample.rows() for code, sample in figures.rejects.items() if sample.rows()},
        "lacking": figures.lacking,
        "names": {name: tally.message() for name, tally in figures.names.items()},
        "numbers": {name: histogram.message() for name, histogram in figures.numbers.items()},
        "samples": figures.songs.rows(),
    }
