"""Sources of songs: what a name or path stands for, which of its files are songs, and a digest of their contents."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from rhapsody_lib.corpus.chosen import not_chosen
from rhapsody_lib.corpus.folders import FETCH, files_below, is_file, leads_nowhere, leads_out, visible
from rhapsody_lib.corpus.found import Job, Reject, one_line
from rhapsody_lib.corpus.lakh.jobs import list_lakh_jobs
from rhapsody_lib.corpus.lakh.tree import PASSED_OVER, LakhTree, find_tree, tree_of
from rhapsody_lib.corpus.listing import (
    KIND_OF_SUFFIX,
    LYRICS_SUFFIXES,
    Source,
    artists_beside,
    display_name,
    list_files,
    surely_holds_songs,
)
from rhapsody_lib.corpus.records import RECORD_KINDS, record_kind
from rhapsody_lib.corpus.schema import RejectCode
from rhapsody_lib.corpus.source_file import SourceSpec, is_source_file, read_source_file
from rhapsody_lib.errors import SourceError
from rhapsody_lib.hashing import known_sha256
from rhapsody_lib.settings import CorpusSettings

__all__ = [
    "EMBEDDED",
    "EMBEDDED_FOLDER",
    "KIND_OF_SUFFIX",
    "LYRICS_SUFFIXES",
    "MANIFEST_NAME",
    "Source",
    "display_name",
    "leads_out",
    "list_jobs",
    "manifest_path",
    "open_source",
    "open_sources",
    "source_fingerprint",
    "unique_names",
]

EMBEDDED = "songbook"
EMBEDDED_FOLDER = Path(__file__).resolve().parents[1] / "songbook"
_KNOWN_SUFFIXES = (*KIND_OF_SUFFIX, *RECORD_KINDS, ".txt")
MANIFEST_NAME = "manifest.csv"


def _files_below(root: Path) -> tuple[Path, ...]:
    return tuple(root / name for name in sorted(name for name, _ in files_below(root)))


def _file_and_words(path: Path) -> tuple[Path, ...]:
    """A single file, and the words beside it if it is music, or the artists if it is a table of lyrics."""
    if record_kind(path) == "table":
        return tuple(sorted({path, *_artists_of(path)}))
    beside = [path.with_suffix(suffix) for suffix in LYRICS_SUFFIXES if path.suffix.lower() in KIND_OF_SUFFIX]
    return tuple(sorted([path, *(words for words in beside if words.is_file())]))


def _artists_of(path: Path) -> list[Path]:
    """The table of artists beside a table of lyrics, if there is one."""
    beside = artists_beside([path, *(Path(entry.path) for entry in visible(path.parent) if is_file(entry))]).get(path)
    return [] if beside is None else [beside]


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
        tree = find_tree(root) if resolved.is_dir() else None
    except OSError as error:
        raise SourceError(f"Source '{text}' cannot be read: {error.strerror}. Check its permissions.") from error
    return _with_songs(Source(display_name(resolved, resolved.parent) or "root", root, files, tree=tree), text)


def _with_songs(source: Source, text: str) -> Source:
    """The source, if there is a song in it.

    Raises:
        SourceError: there is none.
    """
    music = source.tree is not None and any(map(source.tree.holds_music, source.files))
    others = _without_tree(source)
    sure = music or surely_holds_songs(others)
    if not sure and not any(True for _ in _song_files(others)):
        gone = [path for path in source.files if leads_nowhere(path)]
        if gone:
            first = f"'{display_name(gone[0], source.root)}'" + (f" (and {len(gone) - 1:,} more)" if gone[1:] else "")
            raise SourceError(f"Source '{text}' holds no songs: {first} is a link to nothing; {FETCH}.")
        known = ", ".join(_KNOWN_SUFFIXES)
        raise SourceError(f"Source '{text}' holds no songs: there is no file that ends in {known}.")
    return source


def open_sources(texts: Sequence[str]) -> list[Source]:
    """The sources that a user names, each as `open_source` opens it or as a source file names it; names differ.

    Raises:
        SourceError: as `open_source`.
        InputError: a source file cannot be used.
    """
    opened: list[Source] = []
    for text in texts:
        if is_source_file(text):
            opened += (_open_spec(spec, text) for spec in read_source_file(Path(text)))
        else:
            opened.append(open_source(text))
    return unique_names(opened)


def _open_spec(spec: SourceSpec, text: str) -> Source:
    """A source of a source file, under the name that it has there."""
    folder, parts = spec.folders.get("folder"), {key: path for key, path in spec.folders.items() if key != "folder"}
    if spec.kind == "songbook":
        opened = open_source(EMBEDDED)
    elif spec.kind == "lakh":
        opened = _open_lakh(folder, parts, text)
    elif spec.kind == "kaggle" and folder is None:
        beside = _artists_of(parts["lyrics"]) if "artists" not in parts else []
        files = tuple(sorted({*parts.values(), *beside}))
        root = Path(os.path.commonpath([path.parent for path in files]))
        opened = Source("kaggle", root, files, artists=parts.get("artists"))
    else:
        opened = open_source(str(folder))
    return replace(opened, name=spec.name) if spec.name else opened


def _open_lakh(folder: Path | None, parts: Mapping[str, Path], text: str) -> Source:
    """A Lakh corpus: what is in a folder, and the parts that are named one by one.

    Raises:
        SourceError: there is none in the folder, or it cannot be read.
    """
    try:
        found = find_tree(folder) if folder is not None and folder.is_dir() else None
        tree = tree_of(parts, found) if parts else found
    except OSError as error:
        raise SourceError(f"Source '{text}' cannot be read: {error.strerror}. Check its permissions.") from error
    if tree is None or (folder is not None and found is None):
        raise SourceError(
            f"Source '{text}': there is no Lakh corpus in '{folder}': neither music in folders by MSD id "
            "(lpd_5_cleansed/A/B/C/TRABC.../<md5>.npz), nor music named by md5 with cleansed_ids.txt or "
            'match_scores.json. Name the folder above its parts, or the parts one by one, or give corpus = "folder".'
        )
    return _open_tree(tree, text) if parts else open_source(str(folder))


def _open_tree(tree: LakhTree, text: str) -> Source:
    """A source of the parts of a Lakh corpus, wherever each of them is."""
    folders = [*tree.lpd, *tree.midi]
    try:
        below = [path for folder in folders for path in _files_below(folder)]
    except OSError as error:
        raise SourceError(f"Source '{text}' cannot be read: {error.strerror}. Check its permissions.") from error
    files = sorted({*below, *tree.side_files, *tree.outside}, key=lambda path: path.relative_to(tree.root).as_posix())
    return _with_songs(Source("lakh", tree.root, tuple(files), tree=tree), text)


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
        unique.append(replace(source, name=name))
    return unique


def _song_files(source: Source) -> Iterator[Job]:
    for item in list_files(source):
        if isinstance(item, Job):
            yield item


def list_jobs(source: Source, settings: CorpusSettings | None = None) -> Iterator[Job | Reject]:
    """Every song file of a source, in order: a job where a reader knows it, a reject where none does.

    The files of a Lakh corpus come first, joined with what is known of them (`corpus.lakh`), then all others.

    Args:
        source: what to list.
        settings: songs that a catalogue knows to be none of those asked for become rejects, and are never parsed.

    Raises:
        SourceError: a folder of it cannot be listed.
    """
    if source.tree is None:
        yield from list_files(source)
        return
    try:
        for item in list_lakh_jobs(source.tree, source.name):
            yield item if settings is None else _if_chosen(item, source.name, settings)
    except OSError as error:
        raise SourceError(f"Source '{source.root}' cannot be read: {error}. Check its permissions.") from error
    yield from list_files(_without_tree(source))


def _without_tree(source: Source) -> Source:
    """The source with the files alone that are no part of the Lakh corpus in it."""
    tree = source.tree
    if tree is None:
        return source
    others = tuple(path for path in source.files if not tree.holds(path) and path.suffix.lower() not in PASSED_OVER)
    return replace(source, files=others)


def _if_chosen(item: Job | Reject, source: str, settings: CorpusSettings) -> Job | Reject:
    if isinstance(item, Reject) or item.known is None:
        return item
    reason = not_chosen(item.known.artist, item.known.genres, item.known.year, settings)
    return item if reason is None else Reject(source, item.name, RejectCode.NOT_CHOSEN, one_line(reason))


def manifest_path(source: Source) -> Path | None:
    """The `manifest.csv` of a source: in its folder or, where the folder is a part of a data set, beside it."""
    if source.embedded:
        return None
    places = (source.root / MANIFEST_NAME, source.root.parent / MANIFEST_NAME)
    return next((path for path in places if path.is_file() and not leads_out(path, path.parent.resolve())), None)


def source_fingerprint(source: str) -> str:
    """SHA-256 in hex over the name of a source and the names and contents of its files, read in blocks.

    It is what the recipe of a prepared corpus is keyed by: the same files under another parent folder give the same
    digest, one changed byte another. Of a source file it is that of all sources it names.

    Raises:
        SourceError: the source is missing, empty, or a file of it cannot be read.
        InputError: it is a source file that cannot be used.
    """
    digest = hashlib.sha256()
    for opened in open_sources([source]):
        digest.update(opened.name.encode())
        try:
            for name, content in _contents(opened):
                digest.update(b"\0" + os.fsencode(name) + b"\0" + content)
        except OSError as error:
            raise SourceError(f"Source '{source}' cannot be read: {error}. Check its permissions.") from error
    return digest.hexdigest()


def _contents(source: Source) -> Iterator[tuple[str, bytes]]:
    """Name and digest of each file of a source, its manifest too."""
    for path in source.files:
        beyond = leads_out(path, source.root)
        yield path.relative_to(source.root).as_posix(), b"outside" if beyond else bytes.fromhex(known_sha256(path))
    beside = manifest_path(source)
    if beside is not None and beside not in source.files:
        yield beside.name, bytes.fromhex(known_sha256(beside))
