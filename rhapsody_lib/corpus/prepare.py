"""Sources in, a prepared corpus out: reads, cleans, filters, splits and writes the tables of `schema`.

Songs stream through: what grows with the corpus is some integers a song (`duplicates`), never its words or music. Rows
go to a staging folder beside the target and are moved there when all is well, so that a failed run leaves nothing.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from rhapsody_lib.corpus.clean import sung_words
from rhapsody_lib.corpus.duplicates import DuplicateIndex
from rhapsody_lib.corpus.examine import examined
from rhapsody_lib.corpus.found import Found, Reject, Track
from rhapsody_lib.corpus.language import check_language
from rhapsody_lib.corpus.reading import read_source
from rhapsody_lib.corpus.schema import (
    REJECTS_FILE,
    REJECTS_SCHEMA,
    SONGS_FILE,
    SONGS_SCHEMA,
    SUMMARY_FILE,
    TRACKS_FILE,
    TRACKS_SCHEMA,
    RejectCode,
)
from rhapsody_lib.corpus.shards import SongShard, plan_shards, read_shard
from rhapsody_lib.corpus.sources import Source, open_source, source_fingerprint, unique_names
from rhapsody_lib.corpus.split import Splitter, song_group
from rhapsody_lib.corpus.tables import TableWriter
from rhapsody_lib.errors import SourceError
from rhapsody_lib.progress import Progress, silent
from rhapsody_lib.settings import CorpusSettings

__all__ = ["CorpusSummary", "prepare_corpus", "source_fingerprint"]

#: Reads shards and gives the folder of each, in order.
ReadShards = Callable[[Sequence[SongShard]], Iterable[Path]]

_STAGED_FILE = "staged.parquet"


@dataclass(frozen=True)
class CorpusSummary:
    """What was prepared; summary.json holds it. Counts are of songs but for `rejects`, `words`, `notes`, `seconds`.

    `sources` counts the songs and rejects of each source, `rejects` all rejects by reason, `seconds` is of music.
    """

    songs: int
    tracks: int
    words: int
    notes: int
    seconds: float
    sources: dict[str, dict[str, int]]
    splits: dict[str, int]
    languages: dict[str, int]
    rejects: dict[str, int]

    def to_json(self) -> str:
        """Indented JSON with sorted keys."""
        return json.dumps(asdict(self), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


class _Tally:
    """Counts that the summary is made of."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self.sources = {source.name: {"songs": 0, "rejects": 0} for source in sources}
        self.songs, self.tracks, self.words, self.notes, self.seconds = 0, 0, 0, 0, 0.0
        self.splits: Counter[str] = Counter()
        self.languages: Counter[str] = Counter()
        self.rejects: Counter[str] = Counter()

    def keep(self, found: Found, words: int) -> None:
        """Count a song that is kept."""
        self.songs += 1
        self.words += words
        self.sources[found.source]["songs"] += 1
        self.languages[found.song.language] += 1
        if found.song.track is not None:
            self.tracks += 1
            self.notes += found.song.track.notes
            self.seconds += found.song.track.seconds

    def reject(self, reject: Reject) -> None:
        """Count a reject."""
        self.sources[reject.source]["rejects"] += 1
        self.rejects[reject.code.value] += 1

    def summary(self) -> CorpusSummary:
        """The counts so far, keys sorted."""
        return CorpusSummary(
            songs=self.songs,
            tracks=self.tracks,
            words=self.words,
            notes=self.notes,
            seconds=round(self.seconds, 3),
            sources=self.sources,
            splits=dict(sorted(self.splits.items())),
            languages=dict(sorted(self.languages.items())),
            rejects=dict(sorted(self.rejects.items())),
        )


def _repeated(found: Found, words: list[str], index: DuplicateIndex) -> Reject | None:
    """Why a song is left out that repeats one already kept."""
    repeated = index.add_or_find(found.song_id, words)
    if repeated is None:
        return None
    code = RejectCode.DUPLICATE if repeated.exact else RejectCode.NEAR_DUPLICATE
    detail = f"repeats {repeated.song_id} (similarity {repeated.similarity:.3f})"
    return Reject(found.source, found.path, code, detail)


def _song_row(found: Found) -> dict[str, Any]:
    song = found.song
    return {
        "song_id": found.song_id,
        "source": found.source,
        "title": song.title,
        "artist": song.artist,
        "language": song.language,
        "genres": list(song.genres),
        "year": song.year or None,
        "lyrics": song.lyrics,
        "licence": song.licence,
        "split": "",
    }


def _track_row(song_id: str, track: Track) -> dict[str, Any]:
    return {
        **asdict(track),
        "programs": list(track.programs),
        "track_id": f"{song_id}#1",
        "song_id": song_id,
        "sha256": hashlib.sha256(track.midi).hexdigest(),
    }


def _reject_row(reject: Reject) -> dict[str, Any]:
    return {"source": reject.source, "path": reject.path, "reason": reject.code.value, "detail": reject.detail}


def _write_staged(
    items: Iterable[Found | Reject], folder: Path, settings: CorpusSettings, splitter: Splitter, tally: _Tally
) -> None:
    """Leave repeated songs out and write the rest; songs lie in the staged file, without their split."""
    with ExitStack() as stack:
        songs = stack.enter_context(TableWriter(folder / _STAGED_FILE, SONGS_SCHEMA))
        tracks = stack.enter_context(TableWriter(folder / TRACKS_FILE, TRACKS_SCHEMA))
        rejects = stack.enter_context(TableWriter(folder / REJECTS_FILE, REJECTS_SCHEMA))
        index = stack.enter_context(DuplicateIndex(settings.near_duplicate_similarity))
        for item in items:
            words = sung_words(item.song.lyrics) if isinstance(item, Found) else []
            reject = _repeated(item, words, index) if isinstance(item, Found) else item
            if reject is not None:
                tally.reject(reject)
                rejects.write(_reject_row(reject))
            elif isinstance(item, Found):
                splitter.add(song_group(item.song.title, item.song.artist, item.song_id))
                tally.keep(item, len(words))
                songs.write(_song_row(item))
                if item.song.track is not None:
                    tracks.write(_track_row(item.song_id, item.song.track))


def _read_here(sources: Sequence[Source], settings: CorpusSettings, progress: Progress) -> Iterator[Found | Reject]:
    """Every file of the sources, parsed and cleaned by this process."""
    total, before = sum(len(source.files) for source in sources), 0
    for source in sources:
        for number, (done, item) in enumerate(read_source(source, settings), start=1):
            yield examined(item, settings) if isinstance(item, Found) else item
            progress(before + done, total, f"{source.name}: {number:,} read")  # a file may hold many songs
        before += len(source.files)


def _read_shards(plan: Sequence[SongShard], read: ReadShards, progress: Progress) -> Iterator[Found | Reject]:
    """What the shards hold, in order, one folder at a time."""
    total, before = sum(len(shard.items) for shard in plan), 0
    for shard, folder in zip(plan, read(plan), strict=True):
        files = len(shard.items)
        for number, item in enumerate(read_shard(shard, folder), start=1):
            yield item
            progress(before + min(number, files), total, shard.source)  # a file may hold many songs
        before += files


def _write_split(folder: Path, splitter: Splitter, tally: _Tally) -> None:
    """The songs table from the staged one, now that every group is known."""
    staged = folder / _STAGED_FILE
    with pq.ParquetFile(staged) as table, TableWriter(folder / SONGS_FILE, SONGS_SCHEMA) as songs:
        for group in range(table.num_row_groups):
            for row in table.read_row_group(group).to_pylist():
                row["split"] = splitter.split(song_group(row["title"], row["artist"], row["song_id"]))
                tally.splits[row["split"]] += 1
                songs.write(row)
    staged.unlink()


def _publish(staging: Path, out: Path) -> None:
    """Move the finished files into place, the summary last."""
    out.mkdir(parents=True, exist_ok=True)
    for name in (SONGS_FILE, TRACKS_FILE, REJECTS_FILE, SUMMARY_FILE):
        (staging / name).replace(out / name)


def prepare_corpus(
    sources: Sequence[str],
    out: Path,
    settings: CorpusSettings,
    *,
    seed: int,
    progress: Progress = silent,
    read_shards: ReadShards | None = None,
) -> CorpusSummary:
    """Prepare sources into `out`: songs.parquet, tracks.parquet, rejects.parquet and summary.json.

    The same sources, settings and seed give the same bytes. Sources are read in the order given, files by name; where
    songs repeat one another, the first stays.

    Args:
        sources: `songbook` for the embedded songbook, or paths of folders and files.
        out: the folder to write into; made if missing.
        settings: what to keep and the limits of reading.
        seed: of the split.
        progress: told the files done of all files.
        read_shards: reads the sources in shards, elsewhere or side by side, where there are more files than one shard
            takes; without it this process reads them all. The result is the same.

    Raises:
        InputError: the language in `settings` is none that can be detected.
        SourceError: a source is missing or empty, or nothing in the sources is usable.
        MissingExtraError: a package that a source needs is not installed.
    """
    check_language(settings.language)
    if not sources:
        raise SourceError("There is no source to prepare. Name a folder or file of songs, or 'songbook'.")
    opened = unique_names([open_source(text) for text in sources])
    plan = [] if read_shards is None else plan_shards(opened)
    if read_shards is not None and plan:
        items = _read_shards(plan, read_shards, progress)
    else:
        items = _read_here(opened, settings, progress)
    splitter, tally = Splitter(seed, settings.heldout_share), _Tally(opened)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}-", suffix=".partial") as name:
        staging = Path(name)
        _write_staged(items, staging, settings, splitter, tally)
        if not tally.songs:
            raise _nothing_usable(sources, tally, settings)
        _write_split(staging, splitter, tally)
        summary = tally.summary()
        (staging / SUMMARY_FILE).write_text(summary.to_json(), encoding="utf-8")
        _publish(staging, out)
    return summary


def _nothing_usable(sources: Sequence[str], tally: _Tally, settings: CorpusSettings) -> SourceError:
    counts = ", ".join(f"{code} {count}" for code, count in tally.rejects.most_common()) or "no song files"
    remedy = "docs/data.md says what each kind of source needs."
    if tally.rejects.get(RejectCode.OTHER_LANGUAGE.value):
        remedy = f"Set corpus.language to its language or 'any' (it is '{settings.language}'). {remedy}"
    return SourceError(f"Nothing in {', '.join(map(repr, sources))} is usable ({counts}). {remedy}")
