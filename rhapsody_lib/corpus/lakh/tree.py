"""Where the parts of a Lakh corpus are: recognised by their layout, so that a user names one folder above them all."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from rhapsody_lib.corpus.folders import is_file, is_folder, leads_out, visible

TRACK_ID = re.compile(r"TR[A-Z0-9]{16}")
MD5 = re.compile(r"[0-9a-f]{32}", re.IGNORECASE)
ROLL_SUFFIX = ".npz"
MIDI_SUFFIXES = (".mid", ".midi", ".kar", ".rmi")
METADATA_NAME = "track_metadata.db"
LYRICS_NAME = "matched_lyrics.csv"
MATCH_SCORES_NAME = "match_scores.json"
#: The second is what the project's page calls it.
MIDI_INFO_NAMES = ("midi_info.json", "midis.json")
#: What Lakh has beside its music that says nothing we ask: a file of features a song (`lmd_matched_h5`).
PASSED_OVER = (".h5",)
_GENRE_NAME = re.compile(r".+\.cls|id_list_.+\.txt|masd_labels(_cleansed)?\.txt", re.IGNORECASE)
_IDS_NAME = re.compile(r"(cleansed|matched)_ids.*\.txt")
#: Folders below the one named that are looked at: `data/lpd/lpd_5/lpd_5_cleansed`.
_MOST_LEVELS = 4
#: Entries of a folder that its layout is told by.
_SNIFFED = 64
_LETTER_FOLDER, _HEX_FOLDER = re.compile(r"[A-Z]"), re.compile(r"[0-9a-f]")


@dataclass(frozen=True)
class LakhTree:
    """The parts of a Lakh corpus; each may be missing.

    Args:
        root: the folder that names are relative to.
        lpd: folders of piano rolls, `A/B/C/TRABC.../<md5>.npz` or `<md5>.npz`; of one song the first one's is read.
        midi: folders of MIDI files, `A/B/C/TRABC.../<md5>.mid` or `0/<md5>.mid`.
        ids: lists of md5 and MSD id, such as `cleansed_ids.txt`.
        match_scores: `match_scores.json` of the Lakh MIDI Dataset.
        midi_info: `midi_info.json`, the tempo and metre of each MIDI file.
        metadata: `track_metadata.db` of the Million Song Dataset.
        genres: files of genres: `*.cls`, `id_list_*.txt`, `masd_labels.txt`.
        lyrics: `matched_lyrics.csv`.
        outside: files about music that are links to places outside of the folder, which are not read.
    """

    root: Path
    lpd: tuple[Path, ...] = ()
    midi: tuple[Path, ...] = ()
    ids: tuple[Path, ...] = ()
    match_scores: Path | None = None
    midi_info: Path | None = None
    metadata: Path | None = None
    genres: tuple[Path, ...] = ()
    lyrics: Path | None = None
    outside: tuple[Path, ...] = ()

    @property
    def side_files(self) -> tuple[Path, ...]:
        """The files that describe music and are none."""
        single = (self.match_scores, self.midi_info, self.metadata, self.lyrics)
        return (*self.ids, *self.genres, *(path for path in single if path is not None))

    def holds(self, path: Path) -> bool:
        """Whether a file is a part of the tree, whatever it is."""
        folders = (*self.lpd, *self.midi)
        return path in (*self.side_files, *self.outside) or any(folder in path.parents for folder in folders)

    def holds_music(self, path: Path) -> bool:
        """Whether a file is music of the tree, by its place and its suffix."""
        folders = self.lpd if path.suffix.lower() == ROLL_SUFFIX else self.midi
        return path.suffix.lower() in (ROLL_SUFFIX, *MIDI_SUFFIXES) and any(each in path.parents for each in folders)


def _folders(folder: Path) -> list[Path]:
    return [Path(entry.path) for entry in visible(folder) if is_folder(entry)]


def _names(folder: Path) -> list[str]:
    return [entry.name for entry in visible(folder) if is_file(entry)]


def _suffix(folder: Path) -> str:
    """`.npz` if files named by an md5 end in it, else `.mid` if they are MIDI files; '' if there are none."""
    named = (name.rpartition(".") for name in islice(_names(folder), _SNIFFED))
    suffixes = {(dot + suffix).lower() for stem, dot, suffix in named if MD5.fullmatch(stem)}
    if ROLL_SUFFIX in suffixes:
        return ROLL_SUFFIX
    return MIDI_SUFFIXES[0] if suffixes & set(MIDI_SUFFIXES) else ""


def _by_track(folder: Path, levels: int = 4) -> str:
    """The suffix of the music in `A/B/C/TR.../`; '' if a folder has another layout."""
    if levels == 0:
        return _suffix(folder)
    wanted = TRACK_ID if levels == 1 else _LETTER_FOLDER
    below = (path for path in _folders(folder) if wanted.fullmatch(path.name))
    return next(filter(None, (_by_track(path, levels - 1) for path in islice(below, _SNIFFED))), "")


def music_in(folder: Path) -> tuple[str, bool]:
    """The suffix of the music in a folder laid out as those of Lakh are, and whether it is laid out by MSD id.

    ('', False) where it is not.
    """
    by_track = _by_track(folder)
    if by_track:
        return by_track, True
    parts = [path for path in _folders(folder) if _HEX_FOLDER.fullmatch(path.name)]
    return next(filter(None, map(_suffix, [*parts, folder])), ""), False


def _walk(folder: Path, levels: int) -> Iterator[tuple[Path, str, bool]]:
    """Folders of music, with what `music_in` says, and other folders that may hold files about it, with ''."""
    suffix, by_track = music_in(folder)
    yield folder, suffix, by_track
    if not suffix and levels:
        for below in _folders(folder):
            yield from _walk(below, levels - 1)


def _best_first(folder: Path) -> tuple[int, str]:
    """Five tracks before others, cleansed before the rest."""
    name = folder.as_posix()
    return (0 if "lpd_5" in name or "lpd-5" in name else 1) * 2 + ("cleansed" not in name), name


def find_tree(root: Path) -> LakhTree | None:
    """The Lakh corpus in a folder or below it; None where there is none.

    There is one if music lies in folders named by MSD id, or if music named by md5 comes with a list of ids or with
    match scores.
    """
    walked = list(_walk(root, _MOST_LEVELS))
    rolls = sorted((folder for folder, suffix, _ in walked if suffix == ROLL_SUFFIX), key=_best_first)
    midi = sorted((folder for folder, suffix, _ in walked if suffix == MIDI_SUFFIXES[0]), key=lambda path: path.name)
    if not rolls and not midi:
        return None
    named = [path for folder, _, _ in walked for name in _names(folder) if _is_about_music(path := Path(folder, name))]
    outside = tuple(path for path in named if leads_out(path, root))
    files = [path for path in named if path not in outside]
    tree = LakhTree(
        root=root,
        outside=outside,
        lpd=tuple(rolls),
        midi=tuple(sorted(midi, key=lambda path: ("matched" not in path.name, path.as_posix()))),
        ids=_lists_of_ids(files),
        match_scores=_first(files, MATCH_SCORES_NAME),
        midi_info=_first(files, *MIDI_INFO_NAMES),
        metadata=_first(files, METADATA_NAME),
        genres=_annotations_first(path for path in files if _GENRE_NAME.fullmatch(path.name)),
        lyrics=_first(files, LYRICS_NAME),
    )
    linked = any(by_track for _, _, by_track in walked)
    joined = any(path.name == MATCH_SCORES_NAME or _IDS_NAME.fullmatch(path.name) for path in named)
    return tree if linked or joined else None


def _is_about_music(path: Path) -> bool:
    """Whether a file is one of those that describe music, by its name."""
    known = (METADATA_NAME, LYRICS_NAME, MATCH_SCORES_NAME, *MIDI_INFO_NAMES)
    return path.name in known or any(pattern.fullmatch(path.name) for pattern in (_GENRE_NAME, _IDS_NAME))


def _lists_of_ids(files: list[Path]) -> tuple[Path, ...]:
    """The lists of the cleansed set or, failing these, of all that match: five times as many, most of them not here."""
    named = [path for path in files if _IDS_NAME.fullmatch(path.name)]
    return tuple(path for path in named if path.name.startswith("cleansed")) or tuple(named)


def _first(files: list[Path], *names: str) -> Path | None:
    return next((path for path in files if path.name in names), None)


def tree_of(parts: Mapping[str, Path], rest: LakhTree | None = None) -> LakhTree:
    """The tree of parts that a user names one by one, by the keys of a source file.

    Args:
        parts: `lpd`, `midi`, `match_scores`, `cleansed_ids`, `midi_info`, `metadata`, `genres`, `lyrics`; genres may be
            a file, or a folder of them.
        rest: where a part is that is not named.
    """
    found = rest if rest is not None else LakhTree(Path(os.path.commonpath(parts.values())))
    ids, (genres, outside) = parts.get("cleansed_ids"), _genre_files(parts.get("genres"))
    root = Path(os.path.commonpath([found.root, *(path if path.is_dir() else path.parent for path in parts.values())]))
    return replace(
        found,
        root=root,
        lpd=(parts["lpd"],) if "lpd" in parts else found.lpd,
        midi=(parts["midi"],) if "midi" in parts else found.midi,
        ids=(ids,) if ids is not None else found.ids,
        genres=genres if "genres" in parts else found.genres,
        match_scores=parts.get("match_scores", found.match_scores),
        midi_info=parts.get("midi_info", found.midi_info),
        metadata=parts.get("metadata", found.metadata),
        lyrics=parts.get("lyrics", found.lyrics),
        outside=(*found.outside, *outside),
    )


def _genre_files(path: Path | None) -> tuple[tuple[Path, ...], tuple[Path, ...]]:
    """A file of genres, whatever it is called, or all of a folder that are called as such files are.

    And those of the folder that are links to places outside of it.
    """
    if path is None or not path.is_dir():
        return (path,) if path is not None else (), ()
    named = [each for each in path.rglob("*") if _GENRE_NAME.fullmatch(each.name) and each.is_file()]
    outside = tuple(each for each in named if leads_out(each, path))
    return _annotations_first(each for each in named if each not in outside), outside


def _annotations_first(paths: Iterable[Path]) -> tuple[Path, ...]:
    """What people wrote (`.cls`) before the lists that were made of it and of other catalogues."""
    return tuple(sorted(paths, key=lambda path: (path.suffix.lower() != ".cls", path.as_posix())))
