"""What the files of a source tell of themselves before any is read: release, version, what is missing or cut off."""

from __future__ import annotations

import json
import lzma
import re
import sqlite3
import struct
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Literal

from rhapsody_lib.corpus.folders import FETCH, leads_nowhere
from rhapsody_lib.corpus.found import one_line
from rhapsody_lib.corpus.lakh.metadata import read_metadata
from rhapsody_lib.corpus.lakh.tree import LakhTree
from rhapsody_lib.corpus.listing import artists_beside
from rhapsody_lib.corpus.lyrics_table import Rows, artists_trouble
from rhapsody_lib.corpus.record_stream import open_records
from rhapsody_lib.corpus.records import record_kind
from rhapsody_lib.errors import SourceError, UnreadableFileError

Level = Literal["error", "warning"]
#: Level, what is odd, what to do.
Oddity = tuple[Level, str, str]
Facts = dict[str, str]

_UNFINISHED = (".crdownload", ".part", ".partial", ".download", ".filepart")
_PACKED = re.compile(r".+\.(zip|tar|tgz|tbz2?|txz|7z|rar|gz|bz2|xz|zst)", re.IGNORECASE)
_POINTER = b"version https://git-lfs"
_SQLITE = b"SQLite format 3\0"
_SOME_ROLLS = 12
_BROKEN_ROLL = (
    OSError, EOFError, ValueError, KeyError, RuntimeError, NotImplementedError, zlib.error, lzma.LZMAError,
    struct.error, zipfile.BadZipFile,
)  # fmt: skip
_NEWER, _OLDER = {"alink", "sname", "lyric", "language"}, {"alink", "sname", "lyric", "idiom"}
_DOWNLOAD = "Fetch it again, and compare its size with the page's."


def check_layout(
    files: Sequence[Path], tree: LakhTree | None, artists: Path | None = None
) -> tuple[Facts, list[Oddity]]:
    """Facts of a source's files by name, and what is odd about them; `artists` as a source file names it."""
    facts: Facts = {"files": f"{len(files):,}, {_megabytes(sum(_size(path) for path in files))}"}
    gone = dict.fromkeys(path for path in files if leads_nowhere(path))
    files = [path for path in files if path not in gone]
    odd = [*_broken_off(files, list(gone))]
    others = [path for path in files if tree is None or not tree.holds(path)]
    odd += _tables([path for path in others if record_kind(path) == "table"], facts, set(files), artists)
    if tree is not None:
        odd += _tree(tree, facts, files)
    return facts, odd


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _megabytes(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:,.1f} MB" if size_bytes < 1e9 else f"{size_bytes / 1e9:,.2f} GB"


def _broken_off(files: Sequence[Path], gone: Sequence[Path]) -> Iterator[Oddity]:
    """Downloads that did not end, archives that are still packed, pointers in place of files, links to nothing."""
    unfinished = [path.name for path in files if path.suffix.lower() in _UNFINISHED]
    packed = [path.name for path in files if _PACKED.fullmatch(path.name) and record_kind(path) is None]
    empty = [path.name for path in files if not _size(path)]
    pointers = [path.name for path in files if 0 < _size(path) < 400 and _head(path, len(_POINTER)) == _POINTER]
    for names, what, remedy in (
        (unfinished, "is a download that did not end", "Fetch it again."),
        (packed, "is packed", "Unpack it: of packed files only tables and JSON lines (.csv.gz, .jsonl.gz) are read."),
        (empty, "is empty", "Fetch it again."),
        ([path.name for path in gone], "is a link to nothing", f"{FETCH.capitalize()}."),
        (pointers, "is a Git LFS pointer and not the file", "Fetch the files with 'git lfs pull'."),
    ):
        if names:
            others = f" (and {len(names) - 1:,} more)" if len(names) > 1 else ""
            yield "warning", f"{names[0]}{others} {what}.", remedy


def _head(path: Path, size: int) -> bytes:
    try:
        with path.open("rb") as stream:
            return stream.read(size)
    except OSError:
        return b""


def _columns(path: Path) -> set[str]:
    """The columns of a table, as its reader knows them; none where it cannot be opened, of which the reader tells."""
    try:
        with open_records(path, path.name) as stream:
            return set(Rows(stream, path.name).names)
    except (OSError, EOFError, ValueError, zlib.error, UnreadableFileError):
        return set()


def _tables(paths: Sequence[Path], facts: Facts, present: set[Path], named: Path | None) -> Iterator[Oddity]:
    """Which release of the Kaggle tables each table is, and whether its artists are there."""
    alone, used = [], dict[Path, None]()
    beside = dict.fromkeys(paths, named) if named is not None else artists_beside(present)
    for path in paths:
        names = _columns(path)
        if not ({"alink", "lyric"} <= names):
            continue
        release = "newer" if names >= _NEWER else "older" if names >= _OLDER else "unknown"
        facts[path.name] = f"Kaggle lyrics, {release} release"
        if release == "unknown":
            lacks = f"{path.name} has no column {', '.join(sorted(_NEWER - names))} of the Kaggle lyrics."
            yield "warning", lacks, "Languages are told from the words."
        artists = beside.get(path)
        if artists is None or artists == path or artists not in present:
            alone.append(path.name)
        else:
            used[artists] = None
    for artists in used:
        if why := artists_trouble(artists):
            what = f"{artists.name} {why}: whom it does not tell of goes by the link and has no genres."
            yield "warning", what, "It needs columns 'Artist' and 'Link'; save it as CSV in UTF-8."
    if alone:
        others = f" (and {len(alone) - 1:,} more)" if len(alone) > 1 else ""
        what = f"{alone[0]}{others}: no table of artists is beside it, so they go by their links and have no genres."
        yield "warning", what, "artists-data.csv is part of the same download as lyrics-data.csv."


def _tree(tree: LakhTree, facts: Facts, files: Sequence[Path]) -> Iterator[Oddity]:
    """What there is of a Lakh corpus, and what is not."""
    music = [path for path in files if tree.holds_music(path)]
    rolls = [path for path in music if path.suffix.lower() == ".npz"]
    facts["music"] = f"{len(rolls):,} piano rolls, {len(music) - len(rolls):,} MIDI files"
    for name, parts in (
        ("piano rolls in", tree.lpd),
        ("MIDI files in", tree.midi),
        ("ids", tree.ids),
        ("match scores", [tree.match_scores]),
        ("midi info", [tree.midi_info]),
        ("metadata", [tree.metadata]),
        ("genres", tree.genres),
        ("lyrics", [tree.lyrics]),
    ):
        facts[name] = ", ".join(part.relative_to(tree.root).as_posix() for part in parts if part is not None) or "none"
    if rolls:
        yield from _rolls(rolls, facts)
    if rolls and not tree.midi and tree.midi_info is None:
        what = "There are neither the MIDI files nor midi_info.json: the tempo of some piano rolls is a guess."
        yield "warning", what, "Name lmd_matched as midi, or midi_info.json."
    if tree.metadata is None:
        what = "There is no track_metadata.db: songs have no title, artist and year but those of matched_lyrics.csv."
        yield "warning", what, "It is among the additional files of the Million Song Dataset."
    else:
        yield from _database(tree.metadata, facts)
    if not tree.genres:
        yield "warning", "There is no file of genres.", "msd_tagtraum_cd1.cls is one."
    if tree.lyrics is None:
        what = "There is no matched_lyrics.csv: songs have the words of their MIDI files, and most have none."
        yield "warning", what, "Keep instrumentals = true, or name a source of words beside it."
    if tree.match_scores is not None:
        yield from _scores(tree.match_scores)


def _rolls(rolls: Sequence[Path], facts: Facts) -> Iterator[Oddity]:
    """Which release the piano rolls are, by some of them."""
    told: Counter[str] = Counter()
    broken = []
    for path in rolls[:: max(1, len(rolls) // _SOME_ROLLS)][:_SOME_ROLLS]:
        try:
            with zipfile.ZipFile(path) as archive, archive.open("info.json") as stream:
                info = json.loads(stream.read(1 << 20))
            if not isinstance(info, dict):
                broken.append(f"{path.name} (its info.json says nothing)")
                continue
            version = "0.x" if "beat_resolution" in info else "1.x" if "resolution" in info else "unknown"
            tracks = sum(isinstance(value, dict) and "program" in value for value in info.values())
            told[f"{tracks} tracks, pypianoroll {version}"] += 1
        except _BROKEN_ROLL as error:
            broken.append(f"{path.name} ({one_line(str(error))})")
    facts["release"] = "; ".join(f"{name} ({count} of {sum(told.values())})" for name, count in told.most_common())
    if broken:
        yield (
            "warning",
            f"{len(broken)} piano rolls of {sum(told.values()) + len(broken)} are none: {broken[0]}.",
            _DOWNLOAD,
        )
    if any(not name.startswith("5 ") for name in told):
        what = f"Not all piano rolls have the five tracks of LPD-5 ({facts['release']})."
        yield "warning", what, "lpd_5_cleansed is the release that is meant; of others tracks are assigned by program."
    if len({name.partition(", ")[2] for name in told}) > 1:
        yield "warning", "Piano rolls are of several versions of pypianoroll.", "Each is read as what it says it is."


def _database(path: Path, facts: Facts) -> Iterator[Oddity]:
    """Whether the database is whole: SQLite says in its header how many pages it has."""
    header = _head(path, 100)
    if len(header) < 100 or header[:16] != _SQLITE:
        yield "error", f"{path.name} is no SQLite database.", _DOWNLOAD
        return
    (page_bytes,), (pages,) = struct.unpack(">H", header[16:18]), struct.unpack(">I", header[28:32])
    stated, size = (65536 if page_bytes == 1 else page_bytes) * pages, _size(path)
    if pages and size < stated:
        what = f"{path.name} is cut off: it should have {_megabytes(stated)} and has {_megabytes(size)}."
        yield "error", what, _DOWNLOAD
        return
    try:
        list(read_metadata(path, ["TRAAAAA000000000A0"]))
        facts["metadata"] += f", {_rows(path):,} rows"
    except (OSError, ValueError, sqlite3.Error, SourceError) as error:
        yield "error", f"{path.name} cannot be used: {one_line(str(error))}.", _DOWNLOAD


def _rows(path: Path) -> int:
    """About how many rows the table of songs has: the highest row number, which is told without reading them."""
    with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True)) as connection:
        return int(connection.execute("SELECT max(rowid) FROM songs").fetchone()[0] or 0)


def _scores(path: Path) -> Iterator[Oddity]:
    """Whether the match scores end as JSON does; they are too large to be read for that."""
    size = _size(path)
    try:
        with path.open("rb") as stream:
            stream.seek(max(0, size - 64))
            end = stream.read().strip()
    except OSError as error:
        yield "error", f"{path.name} cannot be read: {error.strerror}.", "Check its permissions."
        return
    if not end.endswith(b"}"):
        yield "warning", f"{path.name} is cut off: it does not end as JSON.", _DOWNLOAD
