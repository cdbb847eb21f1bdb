"""What a folder holds. Folders are strangers' too: links that lead round in circles, folders that may not be listed."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path


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


def leads_out(path: Path, root: Path) -> bool:
    """Whether a file of a source is a link to one outside of it, which is not read: its sender did not send that."""
    return path.is_symlink() and not path.resolve().is_relative_to(root)


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
    """(path within the folder, entry) of each visible file below a folder; links to folders are not followed.

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
        elif is_file(entry):
            yield prefix + entry.name, entry
