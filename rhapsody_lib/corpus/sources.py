"""Sources of songs: what a name or path stands for, which of its files are songs, and a digest of their contents."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rhapsody_lib.corpus.found import FileKind, Job, Reject
from rhapsody_lib.corpus.records import RECORD_KINDS, record_kind
from rhapsody_lib.corpus.schema import RejectCode
from rhapsody_lib.errors import SourceError
from rhapsody_lib.hashing import known_sha256

EMBEDDED = "songbook"
EMBEDDED_FOLDER = Path(__file__).resolve().parents[1] / "songbook"
KIND_OF_SUFFIX: dict[str, FileKind] = {
    ".mxl": "leadsheet",
    ".musicxml": "leadsheet",
    ".xml": "leadsheet",
    ".mid": "midi",
    ".midi": "midi",
    ".kar": "midi",
    ".rmi": "midi",
}
_KNOWN_SUFFIXES = (*KIND_OF_SUFFIX, *RECORD_KINDS, ".txt")
LYRICS_SUFFIXES = (".txt", ".lrc")
MANIFEST_NAME = "manifest.csv"
_SIDE_NAMES = ("readme", "license", "licence", "copying", "manifest", "notice")
_SNIFF_BYTES = 4096


@dataclass(frozen=True)
class Source:
    """A source that exists and holds files.

    `name` stands in the tables, `root` is the folder that file names are relative to, `files` every file of it
    (sorted; hidden files left out), `embedded` whether it is the package's own songbook, which is trusted.
    """

    name: str
    root: Path
    files: tuple[Path, ...]
    embedded: bool = False


def display_name(path: Path, root: Path) -> str:
    """The path within a source as text that any table can hold, with forward slashes."""
    return os.fsencode(path.relative_to(root).as_posix()).decode("utf-8", "replace")


def _files_below(root: Path) -> tuple[Path, ...]:
    found = (path for path in root.rglob("*") if path.is_file())
    visible = (path for path in found if not any(part.startswith(".") for part in path.relative_to(root).parts))
    return tuple(sorted(visible, key=lambda path: path.relative_to(root).as_posix()))


def _artists_beside(path: Path) -> Path:
    """Where the artists of a table of lyrics are: `artists-data.csv` for `lyrics-data.csv`."""
    return path.with_name(re.sub("lyrics", "artists", path.name, flags=re.IGNORECASE))


def _file_and_words(path: Path) -> tuple[Path, ...]:
    """A single file, and the words beside it if it is music, or the artists if it is a table of lyrics."""
    if record_kind(path) == "table":
        artists = _artists_beside(path)
        return tuple(sorted({path, artists})) if artists.is_file() else (path,)
    beside = [path.with_suffix(suffix) for suffix in LYRICS_SUFFIXES if path.suffix.lower() in KIND_OF_SUFFIX]
    return tuple(sorted([path, *(words for words in beside if words.is_file())]))


def open_source(text: str) -> Source:
    """The source that a user names: `songbook` for the embedded one, else a folder or a single file.

    Raises:
        SourceError: it does not exist, cannot be listed, or holds no file that any reader knows.
    """
    if text == EMBEDDED:
        return Source(EMBEDDED, EMBEDDED_FOLDER, _files_below(EMBEDDED_FOLDER), embedded=True)
    path = Path(text)
    if not path.exists():
        raise SourceError(
            f"Source '{text}' does not exist. Name a folder or file of songs, or '{EMBEDDED}' for the embedded one."
        )
    try:
        resolved = path.resolve()
        root = resolved if resolved.is_dir() else resolved.parent
        files = _files_below(root) if resolved.is_dir() else _file_and_words(resolved)
    except OSError as error:
        raise SourceError(f"Source '{text}' cannot be read: {error.strerror}. Check its permissions.") from error
    source = Source(display_name(resolved, resolved.parent) or "root", root, files)
    if not any(True for _ in _song_files(source)):
        known = ", ".join(_KNOWN_SUFFIXES)
        raise SourceError(f"Source '{text}' holds no songs: there is no file that ends in {known}.")
    return source


def unique_names(sources: Sequence[Source]) -> list[Source]:
    """The sources with names that differ: a second `songs` becomes `songs-2`."""
    taken: set[str] = set()
    unique = []
    for source in sources:
        name, number = source.name, 1
        while name in taken:
            number += 1
            name = f"{source.name}-{number}"
        taken.add(name)
        unique.append(Source(name, source.root, source.files, source.embedded))
    return unique


def _looks_like_songbook(path: Path) -> bool:
    try:
        with path.open("rb") as stream:
            head = stream.read(_SNIFF_BYTES).decode("utf-8", "replace").lower().lstrip("\ufeff")
    except OSError:
        return False
    names = {line.partition(":")[0].strip() for line in head.splitlines() if ":" in line}
    return {"title", "style", "form"} <= names


def _is_side_file(path: Path) -> bool:
    return path.name.lower().startswith(_SIDE_NAMES) and path.suffix.lower() not in KIND_OF_SUFFIX


def _song_files(source: Source) -> Iterator[Job]:
    for item in list_jobs(source):
        if isinstance(item, Job):
            yield item


def list_jobs(source: Source) -> Iterator[Job | Reject]:
    """Every file of a source, in order: a job where a reader knows it, a reject where none does.

    A file that shares folder and stem with a song file belongs to that song (its lyrics, its cover), a table of artists
    to the table of lyrics beside it. A text file without music is a songbook song if it looks like one, or if the
    source holds such songs and no music. In a source that has neither music nor songbook songs it is a plain text;
    else it lacks its MIDI file. README, LICENSE and manifest files are neither.
    """
    music = {path.with_suffix("") for path in source.files if path.suffix.lower() in KIND_OF_SUFFIX}
    songs = music | {path.with_suffix("") for path in source.files if path.suffix.lower() == ".abc"}
    present = set(source.files)
    tables = [path for path in source.files if record_kind(path) == "table"]
    artists = {beside for path in tables if (beside := _artists_beside(path)) != path}
    alone: FileKind | None = None if music else _kind_of_texts(source)
    for path in source.files:
        kind, many, name = KIND_OF_SUFFIX.get(path.suffix.lower()), record_kind(path), display_name(path, source.root)
        if kind is not None:
            yield Job(kind, str(path), name, _lyrics_beside(path, present) if kind == "midi" else "")
        elif _is_side_file(path) or (path.with_suffix("") in songs and many != "abc") or path in artists:
            continue
        elif many is not None:
            beside = _artists_beside(path) if many == "table" else path
            yield Job(many, str(path), name, artists_path=str(beside) if beside in present - {path} else "")
        elif path.suffix.lower() == ".txt" and (alone or _looks_like_songbook(path)):
            yield Job(alone or "songbook", str(path), name)
        elif path.suffix.lower() in LYRICS_SUFFIXES:
            yield Reject(source.name, name, RejectCode.NO_MIDI, "words without a MIDI file of the same stem")
        else:
            yield Reject(source.name, name, RejectCode.UNKNOWN_TYPE, "no reader knows this type of file")


def _kind_of_texts(source: Source) -> FileKind:
    """As what the text files of a source without music are read."""
    texts = (path for path in source.files if path.suffix.lower() == ".txt" and not _is_side_file(path))
    return "songbook" if any(map(_looks_like_songbook, texts)) else "text"


def _lyrics_beside(path: Path, present: set[Path]) -> str:
    beside = (path.with_suffix(suffix) for suffix in LYRICS_SUFFIXES)
    return next((str(lyrics) for lyrics in beside if lyrics in present), "")


def manifest_path(source: Source) -> Path | None:
    """The `manifest.csv` of a source: in its folder or, where the folder is a part of a data set, beside it."""
    if source.embedded:
        return None
    places = (source.root / MANIFEST_NAME, source.root.parent / MANIFEST_NAME)
    return next((path for path in places if path.is_file()), None)


def source_fingerprint(source: str) -> str:
    """SHA-256 in hex over the name of a source and the names and contents of its files, read in blocks.

    It is what the recipe of a prepared corpus is keyed by: the same files under another parent folder give the same
    digest, one changed byte another.

    Raises:
        SourceError: the source is missing, empty, or a file of it cannot be read.
    """
    opened = open_source(source)
    digest = hashlib.sha256(opened.name.encode())
    beside = manifest_path(opened)
    extra = [beside] if beside is not None and beside not in opened.files else []
    try:
        for path in [*opened.files, *extra]:
            name = path.name if path in extra else path.relative_to(opened.root).as_posix()
            digest.update(b"\0" + os.fsencode(name) + b"\0" + bytes.fromhex(known_sha256(path)))
    except OSError as error:
        raise SourceError(f"Source '{source}' cannot be read: {error}. Check its permissions.") from error
    return digest.hexdigest()
