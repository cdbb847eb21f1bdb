"""Sources in, a prepared corpus out: reads, cleans, filters, splits and writes the tables of `schema`.

Songs stream through, shard by shard: what grows with the corpus is some integers a song (`merge`), never its words or
music. Tables go to a staging folder beside the target and are moved there when all is well, so that a failed run leaves
nothing.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from rhapsody_lib.corpus.chosen import asked_for
from rhapsody_lib.corpus.found import Found, Reject
from rhapsody_lib.corpus.language import check_language
from rhapsody_lib.corpus.merge import Held, Merge
from rhapsody_lib.corpus.reading import read_source
from rhapsody_lib.corpus.schema import REJECTS_FILE, SONGS_FILE, SUMMARY_FILE, TRACKS_FILE, RejectCode
from rhapsody_lib.corpus.shards import SongShard, plan_shards, write_items
from rhapsody_lib.corpus.sources import Source, open_sources, source_fingerprint
from rhapsody_lib.corpus.summary import CorpusSummary
from rhapsody_lib.errors import SourceError
from rhapsody_lib.progress import Progress, silent
from rhapsody_lib.settings import CorpusSettings

__all__ = ["CorpusSummary", "prepare_corpus", "source_fingerprint"]

#: Reads shards and gives the folder of each, in order.
ReadShards = Callable[[Sequence[SongShard]], Iterable[Path]]


def _read_here(sources: Sequence[Source], settings: CorpusSettings, folder: Path, progress: Progress) -> Iterator[Held]:
    """Every file of the sources, parsed and cleaned by this process, a folder for each source."""
    total, before = sum(len(source.files) for source in sources), 0

    def read(source: Source) -> Iterator[Found | Reject]:
        for number, (done, item) in enumerate(read_source(source, settings), start=1):
            yield item
            progress(before + done, total, f"{source.name}: {number:,} read")  # a file may hold many songs

    for index, source in enumerate(sources):
        out = folder / f"read-{index}"
        out.mkdir()
        write_items(read(source), out, settings)
        yield Held(SongShard(source.name, str(source.root), source.embedded, ()), out)
        before += len(source.files)


def _read_shards(plan: Sequence[SongShard], read: ReadShards, progress: Progress) -> Iterator[Held]:
    """What the shards hold, in order."""
    total, done = sum(len(shard.items) for shard in plan), 0
    for shard, folder in zip(plan, read(plan), strict=True):
        yield Held(shard, folder)
        done += len(shard.items)
        progress(done, total, shard.source)


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
    opened = open_sources(sources)
    plan = [] if read_shards is None else plan_shards(opened, settings)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}-", suffix=".partial") as name:
        staging = Path(name)
        if read_shards is not None and plan:
            held = list(_read_shards(plan, read_shards, progress))
        else:
            held = list(_read_here(opened, settings, staging, progress))
        summary = Merge(held, [source.name for source in opened], settings, seed).write(staging)
        if not summary.songs:
            raise _nothing_usable(sources, summary, settings)
        (staging / SUMMARY_FILE).write_text(summary.to_json(), encoding="utf-8")
        _publish(staging, out)
    return summary


def _nothing_usable(sources: Sequence[str], summary: CorpusSummary, settings: CorpusSettings) -> SourceError:
    counts = (
        ", ".join(f"{code} {count}" for code, count in sorted(summary.rejects.items(), key=lambda each: -each[1]))
        or "no song files"
    )
    remedy = "docs/data.md says what each kind of source needs."
    if summary.rejects.get(RejectCode.OTHER_LANGUAGE.value):
        remedy = f"Set corpus.language to its language or 'any' (it is '{settings.language}'). {remedy}"
    if summary.rejects.get(RejectCode.NOT_CHOSEN.value):
        remedy = f"Only songs of {asked_for(settings)} are kept ([keep] of a source file, or --set). {remedy}"
    return SourceError(f"Nothing in {', '.join(map(repr, sources))} is usable ({counts}). {remedy}")
