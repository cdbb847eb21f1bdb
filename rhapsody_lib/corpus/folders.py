"""What a folder holds. Folders are strangers' too: links that lead round in circles, folders that may not be listed."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

FETCH = "fetch its data (git annex get, dvc pull), or leave the link out"


def is_file(entry: os.DirEntry[str]) -> bool:
    """Whether an entry is a file, or a link to one; False where that cannot be told."""
    try:
        return entry.is_file()
    except OSError:
        return False


def is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether an entry is a folder; a link to one is none."""
    try:
        return entry.is_dir(follow_symlinks=False)
    except OSError:
        return False


def leads_nowhere(path: Path) -> bool:
    """Whether a file is a link to one that is not there, as those of git-annex and DVC are until data are fetched."""
    try:
        return path.is_symlink() and not path.exists()
    except OSError:  # where it leads may not be looked at
        return False


def leads_out(path: Path, root: Path) -> bool:
    """Whether a file of a source is a link that is not read: to one outside of it, which its sender did not send.

    Or to nothing.
    """
    return path.is_symlink() and (leads_nowhere(path) or not path.resolve().is_relative_to(root))


def why_not_followed(path: Path) -> str:
    """What is told of a file that `leads_out`."""
    if leads_nowhere(path):
        return f"is a link to nothing: {FETCH}"
    return "is a link that leads out of its folder; copy the file in, or name its folder as a source"


def visible(folder: str | os.PathLike[str]) -> list[os.DirEntry[str]]:
    """What is in a folder by name, without what is hidden; nothing where it may not be listed.

    Raises:
        OSError: it is not there, or is no folder.
    """
    try:
        with os.scandir(folder) as entries:
            return sorted((entry for entry in entries if not entry.name.startswith(".")), key=lambda entry: entry.name)
    except PermissionError:
        return []


def files_below(folder: str | os.PathLike[str]) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """(path within the folder, entry) of each visible file below a folder, and of each link to nothing.

    Links to folders are not followed.
    Folders may be nested as deep as paths can be long; what lies deeper is passed over.

    Raises:
        OSError: the folder is not there.
    """
    opened = [("", iter(visible(folder)))]
    while opened:
        prefix, entries = opened[-1]
        entry = next(entries, None)
        if entry is None:
            opened.pop()
        elif is_folder(entry):
            with contextlib.suppress(OSError):  # it went meanwhile, or its path is too long
                opened.append((f"{prefix}{entry.name}/", iter(visible(entry.path))))
        elif is_file(entry) or (entry.is_symlink() and leads_nowhere(Path(entry.path))):
            yield prefix + entry.name, entry
