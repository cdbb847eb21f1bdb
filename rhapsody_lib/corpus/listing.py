"""The files of a source: what each is to a reader, by its name and by what lies beside it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from rhapsody_lib.corpus.folders import leads_out, why_not_followed
from rhapsody_lib.corpus.found import FileKind, Job, Reject
from rhapsody_lib.corpus.lakh.tree import LakhTree
from rhapsody_lib.corpus.records import record_kind
from rhapsody_lib.corpus.schema import RejectCode

KIND_OF_SUFFIX: dict[str, FileKind] = {
    ".mxl": "leadsheet",
    ".musicxml": "leadsheet",
    ".xml": "leadsheet",
    ".mid": "midi",
    ".midi": "midi",
    ".kar": "midi",
    ".rmi": "midi",
    ".npz": "npz",
}
LYRICS_SUFFIXES = (".txt", ".lrc")
_SIDE_NAMES = ("readme", "license", "licence", "copying", "manifest", "notice")
_SNIFF_BYTES = 4096
_LYRICS = re.compile("lyrics", re.IGNORECASE)


@dataclass(frozen=True)
class Source:
    """A source that exists and holds files.

    `name` stands in the tables, `root` is the folder that file names are relative to, `files` every file of it
    (sorted; hidden files left out), `embedded` whether it is the package's own songbook, which is trusted. `tree` is
    the Lakh corpus that is in it, `artists` the table of artists that a source file names for its tables of lyrics.
    """

    name: str
    root: Path
    files: tuple[Path, ...]
    embedded: bool = False
    tree: LakhTree | None = None
    artists: Path | None = None


def display_name(path: Path, root: Path) -> str:
    """The path within a source as text that any table can hold, with forward slashes."""
    text, above = os.fspath(path), f"{root}{os.sep}"
    # Cut off as text: pathlib takes ten times as long, which counts where there are a hundred thousand files.
    below = text[len(above) :].replace(os.sep, "/") if text.startswith(above) else path.relative_to(root).as_posix()
    return os.fsencode(below).decode("utf-8", "replace")


def artists_beside(files: Iterable[Path]) -> dict[Path, Path]:
    """The table of artists of each table of lyrics that has one among these files, in any case, packed or not.

    `artists-data.csv` is that of `lyrics-data.csv`; where there are several, the one that is called most like it is.
    """
    tables = sorted(path for path in files if record_kind(path) == "table")
    called = {(path.parent, _unpacked(path)): path for path in reversed(tables)}
    there, beside = set(tables), {}
    for path in tables:
        exact, name = path.with_name(_LYRICS.sub("artists", path.name)), _unpacked(path)
        found = exact if exact in there else called.get((path.parent, _LYRICS.sub("artists", name)))
        if found is not None and found != path and _LYRICS.search(name):
            beside[path] = found
    return beside


def _unpacked(path: Path) -> str:
    return path.name.lower().removesuffix(".gz")


def _looks_like_songbook(path: Path) -> bool:
    try:
        with path.open("rb") as stream:
            head = stream.read(_SNIFF_BYTES).decode("utf-8", "replace").lower().lstrip("\ufeff")
    except OSError:
        return False
    names = {line.partition(":")[0].strip() for line in head.splitlines() if ":" in line}
    return {"title", "style", "form"} <= names


def is_side_file(path: Path) -> bool:
    """Whether a file tells of others, by its name: it is neither a song nor left out."""
    return path.name.lower().startswith(_SIDE_NAMES) and path.suffix.lower() not in KIND_OF_SUFFIX


def surely_holds_songs(source: Source) -> bool:
    """Whether the names of the files alone tell that one is a song: music, or a text where there is no music.

    Texts beside a Lakh corpus are no songs for that.
    """
    suffixes = {path.suffix.lower() for path in source.files}
    if suffixes & KIND_OF_SUFFIX.keys():
        named = (path for path in source.files if path.suffix.lower() in KIND_OF_SUFFIX)
    else:
        told = source.tree is None and ".abc" not in suffixes
        texts = (path for path in source.files if told and path.suffix.lower() == ".txt")
        named = (path for path in texts if not is_side_file(path))
    return any(not leads_out(path, source.root) for path in named)


def list_files(source: Source) -> Iterator[Job | Reject]:
    """Every file of a source that is no part of a Lakh corpus, in order.

    A file that shares folder and stem with a song file belongs to that song (its lyrics, its cover), a table of artists
    to the table of lyrics beside it. A text file without music is a songbook song if it looks like one, or if the
    source holds such songs and no music. In a source that has neither music nor songbook songs it is a plain text;
    else it lacks its MIDI file. Beside a Lakh corpus, where lists and notes lie, no text is one that does not look like
    a song of a songbook. README, LICENSE and manifest files are neither. A link that leads out, or to
    nothing, is a reject.
    """
    music = {path.with_suffix("") for path in source.files if path.suffix.lower() in KIND_OF_SUFFIX}
    songs = music | {path.with_suffix("") for path in source.files if path.suffix.lower() == ".abc"}
    outside = {path for path in source.files if leads_out(path, source.root)}
    present = set(source.files) - outside
    tables = [path for path in source.files if record_kind(path) == "table"]
    beside = dict.fromkeys(tables, source.artists) if source.artists else artists_beside(tables)
    artists = {artists for path, artists in beside.items() if artists != path}
    alone: FileKind | None = None if music or source.tree is not None else _kind_of_texts(source)
    for path in source.files:
        kind, many, name = KIND_OF_SUFFIX.get(path.suffix.lower()), record_kind(path), display_name(path, source.root)
        if path in outside:
            yield Reject(source.name, name, RejectCode.OUTSIDE, why_not_followed(path))
        elif kind is not None:
            yield Job(kind, str(path), name, _lyrics_beside(path, present) if kind in {"midi", "npz"} else "")
        elif is_side_file(path) or (path.with_suffix("") in songs and many != "abc") or path in artists:
            continue
        elif many is not None:
            known = beside.get(path, path)
            yield Job(many, str(path), name, artists_path=str(known) if known in present - {path} else "")
        elif path.suffix.lower() == ".txt" and (alone or _looks_like_songbook(path)):
            yield Job(alone or "songbook", str(path), name)
        elif path.suffix.lower() == ".txt" and source.tree is not None:
            detail = "is no list that is read, and does not look like a song of a songbook"
            yield Reject(source.name, name, RejectCode.UNKNOWN_TYPE, detail)
        elif path.suffix.lower() in LYRICS_SUFFIXES:
            yield Reject(source.name, name, RejectCode.NO_MIDI, "words without a MIDI file of the same stem")
        else:
            yield Reject(source.name, name, RejectCode.UNKNOWN_TYPE, "no reader knows this type of file")


def _kind_of_texts(source: Source) -> FileKind:
    """As what the text files of a source without music are read."""
    texts = (path for path in source.files if path.suffix.lower() == ".txt" and not is_side_file(path))
    return "songbook" if any(map(_looks_like_songbook, texts)) else "text"


def _lyrics_beside(path: Path, present: set[Path]) -> str:
    beside = (path.with_suffix(suffix) for suffix in LYRICS_SUFFIXES)
    return next((str(lyrics) for lyrics in beside if lyrics in present), "")
