"""The folder that a base model is written to: looked at before anything is trained, filled when all is made."""

from __future__ import annotations

import shutil
from collections.abc import Collection
from pathlib import Path
from tempfile import TemporaryFile

from rhapsody_lib.errors import InputError, StoreError

_MOST_NAMED = 3


def _partial(name: str) -> str:
    return f".{name}.partial"


def _there(path: Path) -> bool:
    """Whether there is anything, a link that leads nowhere too. Raises OSError where nothing could be."""
    try:
        path.lstat()
    except FileNotFoundError:
        return False
    return True


def check_out(out: Path, files: Collection[str]) -> None:
    """Refuse a folder that a base model cannot be written to; nothing is left there.

    Args:
        out: where it is to be: an absent or empty folder, or one that holds an earlier base model and nothing else.
        files: names of a base model's files.

    Raises:
        InputError: there is something else, or nothing can be written there.
    """
    own = {*files, *map(_partial, files)}
    try:
        others = sorted(path.name for path in out.iterdir() if path.name not in own) if _there(out) else []
        place = next(folder for folder in (out, *out.absolute().parents) if _there(folder))
        with TemporaryFile(dir=place):
            pass
    except OSError as error:
        raise InputError(f"--out {out}: cannot be written ({error.strerror or error}). Name another folder.") from error
    if others:
        named = ", ".join(others[:_MOST_NAMED]) + (" ..." if len(others) > _MOST_NAMED else "")
        raise InputError(
            f"--out {out}: holds files that are no base model's ({named}). Name a new or an empty folder, or that of "
            "an earlier base model of the same kind."
        )


def copy_base(made: Path, out: Path) -> None:
    """Copy a base model's files, each whole or not at all; those of an earlier one are replaced.

    Raises:
        StoreError: they cannot be written.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        for path in made.iterdir():
            shutil.copyfile(path, out / _partial(path.name))
        for path in made.iterdir():
            (out / _partial(path.name)).replace(out / path.name)
    except OSError as error:
        raise StoreError(
            f"--out {out}: cannot be written ({error.strerror or error}). The base model is in the store: mend that, "
            "and the same command writes it without training again."
        ) from error
