"""The music files of a Lakh corpus: found, named by md5 and MSD id, and the best one of each song picked."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from rhapsody_lib.corpus.folders import files_below, leads_out, why_not_followed
from rhapsody_lib.corpus.lakh.tree import MD5, MIDI_SUFFIXES, PASSED_OVER, ROLL_SUFFIX, TRACK_ID, LakhTree
from rhapsody_lib.corpus.listing import is_side_file
from rhapsody_lib.corpus.schema import RejectCode


@dataclass(frozen=True, slots=True)
class MusicFile:
    """A file of music: `name` is its path within the tree, `folder` the number of its folder, the best being 0.

    `track_id` is '' where no folder is named by one.
    """

    kind: Literal["npz", "midi"]
    path: str
    name: str
    md5: str
    track_id: str
    folder: int


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A file or entry that is no song, and why."""

    name: str
    code: RejectCode
    detail: str


@dataclass(frozen=True, slots=True)
class Chosen:
    """The music of a song: the file that is read, and the MIDI file of the same music, if another."""

    file: MusicFile
    midi_path: str = ""


def music_files(tree: LakhTree) -> Iterator[MusicFile | LeftOut]:
    """Every file of music, folder by folder, by name, and what lies in these folders and is none.

    Raises:
        OSError: a folder cannot be listed.
    """
    kinds: tuple[tuple[Literal["npz", "midi"], tuple[str, ...], tuple[Path, ...]], ...] = (
        ("npz", (ROLL_SUFFIX,), tree.lpd),
        ("midi", MIDI_SUFFIXES, tree.midi),
    )
    for kind, suffixes, folders in kinds:
        for number, folder in enumerate(folders):
            for _, entry in files_below(folder):
                path = Path(entry.path)
                name = os.fsencode(os.path.relpath(entry.path, tree.root)).decode("utf-8", "replace")
                above, stem = path.parent.name, path.stem
                if path.suffix.lower() not in suffixes:
                    if not _is_other_part(path, tree):
                        yield LeftOut(name, RejectCode.UNKNOWN_TYPE, f"is no file of music as {folder.name} has them")
                elif entry.is_symlink() and leads_out(path, folder):
                    yield LeftOut(name, RejectCode.OUTSIDE, why_not_followed(path))
                else:
                    track_id = above if TRACK_ID.fullmatch(above) else ""
                    md5 = stem.lower() if MD5.fullmatch(stem) else stem
                    yield MusicFile(kind, entry.path, name, md5, track_id, number)


def _is_other_part(path: Path, tree: LakhTree) -> bool:
    """Whether a file in a folder of music is read as something else, or tells nothing that is asked."""
    passed_over = path.suffix.lower() in PASSED_OVER or is_side_file(path)
    return passed_over or path in (*tree.side_files, *tree.outside) or tree.holds_music(path)


@dataclass(frozen=True)
class Matches:
    """Which song an md5 is of: `listed` by lists of ids, `scores` by (MSD id, md5)."""

    listed: frozenset[tuple[str, str]]
    scores: Mapping[tuple[str, str], float]

    def rank(self, track_id: str, md5: str) -> tuple[bool, float]:
        """The higher, the better an md5 matches a song."""
        return (track_id, md5) in self.listed, self.scores.get((track_id, md5), 0.0)


def with_songs(files: Iterable[MusicFile], matches: Matches) -> Iterator[MusicFile | LeftOut]:
    """The files, those that stand in no folder of a song given to all the songs that they match."""
    of_md5: dict[str, set[str]] = defaultdict(set)
    for track_id, md5 in (*matches.listed, *matches.scores):
        of_md5[md5].add(track_id)
    for file in files:
        if file.track_id:
            yield file
        elif file.md5 in of_md5:
            yield from (replace(file, track_id=track_id) for track_id in sorted(of_md5[file.md5]))
        else:
            yield LeftOut(file.name, RejectCode.NO_MATCH, "matches no song of the Million Song Dataset")


def best_of(track_id: str, files: Iterable[MusicFile], matches: Matches) -> Iterator[Chosen | LeftOut]:
    """The file of a song that is read, a roll before a MIDI file, with the MIDI file it was made of; and all others."""
    ranked = sorted(
        files,
        key=lambda file: (
            file.kind != "npz",
            *(-value for value in matches.rank(track_id, file.md5)),
            file.md5,
            file.folder,
        ),
    )
    best = ranked[0]
    same = [file for file in ranked[1:] if file.md5 == best.md5]
    midi = next((file for file in same if file.kind == "midi" and best.kind == "npz"), None)
    yield Chosen(best, midi.path if midi is not None else "")
    for file in ranked[1:]:
        if file.md5 != best.md5:
            yield LeftOut(file.name, RejectCode.OTHER_MATCH, f"{best.name} is taken for {track_id}")
        elif file.kind == best.kind:
            yield LeftOut(file.name, RejectCode.REPEATED_MD5, f"is the same music as {best.name}")
