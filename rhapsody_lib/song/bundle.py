"""The files of a song, in a folder that appears whole or not at all. What they hold is written by `contents`."""

from __future__ import annotations

import importlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from rhapsody_lib.errors import InputError
from rhapsody_lib.music.score import Score
from rhapsody_lib.progress import Progress, silent
from rhapsody_lib.song.contents import ALL_FILES, FORMAT, INFO_FILE, song_files
from rhapsody_lib.words.document import Lyrics

#: A song being written, and the one it replaces, lie beside the target as `.<name>.<8 characters><end>`.
_UNFINISHED, _REPLACED = ".partial", ".old"


def _foreign(folder: Path) -> list[str]:
    """What lies in a folder and is no file of a song."""
    tops = {path.name: path for path in folder.iterdir()}
    folders = {name.partition("/")[0] for name in ALL_FILES if "/" in name}
    inside = [
        f"{name}/{path.name}" for name in folders & set(tops) if tops[name].is_dir() for path in tops[name].iterdir()
    ]
    return sorted(({*tops} - {name for name in folders if name in tops and tops[name].is_dir()}) - ALL_FILES) + sorted(
        set(inside) - ALL_FILES
    )


def _is_bundle(folder: Path) -> bool:
    try:
        info = json.loads((folder / INFO_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(info, dict) and info.get("format") == FORMAT


def check_target(out: Path) -> None:
    """Refuse to write a song where something else would be lost, or where it cannot be written. Leaves no trace.

    Raises:
        InputError: `out` is a file, or a folder with anything that is not a song of ours, or cannot be created.
    """
    try:
        target = Path(os.path.realpath(out))
        if target.exists():
            _check_replaceable(target, out)
        _check_creatable(target, out)
    except (OSError, ValueError) as error:
        raise _unwritable(out, error) from error


def _unwritable(out: Path, error: OSError | ValueError) -> InputError:
    reason = getattr(error, "strerror", None) or error
    return InputError(f"{out}: cannot be written ({reason}). Name another folder with --out.")


def _check_replaceable(target: Path, out: Path) -> None:
    if not target.is_dir():
        raise InputError(f"{out}: is a file. Name a folder for the song with --out.")
    if target == Path.cwd() or target.is_mount():
        raise InputError(f"{out}: cannot be replaced while it is in use. Name a folder inside it with --out.")
    foreign = _foreign(target)
    if foreign or (any(target.iterdir()) and not _is_bundle(target)):
        reason = f"holds '{foreign[0]}', which is no file of a song" if foreign else "is not a song's folder"
        raise InputError(f"{out}: {reason}, so it is not replaced. Name another folder with --out.")


def _check_creatable(target: Path, out: Path) -> None:
    """Make the folders that will be needed inside a folder that is then removed."""
    there = next(folder for folder in target.parents if folder.exists())
    if not there.is_dir():
        raise InputError(f"{out}: cannot be written, for {there} is a file. Name another folder with --out.")
    trial = Path(tempfile.mkdtemp(prefix=".", suffix=_UNFINISHED, dir=there))
    try:
        longest = f".{target.name}.{'x' * 8}{_UNFINISHED}"
        (trial / target.relative_to(there)).with_name(longest).mkdir(parents=True)
    finally:
        shutil.rmtree(trial, ignore_errors=True)


@contextmanager
def _alone_in(parent: Path) -> Iterator[None]:
    """Let no other process write a song into `parent` meanwhile, so that what lies unfinished there is of dead runs.

    The system drops the lock of a process that dies. Where folders cannot be locked (Windows, some network drives), two
    runs that write the same folder at the same moment may make each other fail.
    """
    descriptor = -1
    try:
        with suppress(ImportError, OSError):
            fcntl: Any = importlib.import_module("fcntl")
            descriptor = os.open(parent, os.O_RDONLY)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        if descriptor >= 0:
            os.close(descriptor)


def _leftovers(out: Path, end: str) -> list[Path]:
    """Folders beside `out` that dead runs left, the newest last. One with a file that is not of a song is not ours."""
    pattern = re.compile(rf"\.{re.escape(out.name)}\.[a-z0-9_]{{8}}{re.escape(end)}")
    named = [path for path in out.parent.iterdir() if pattern.fullmatch(path.name) and path.is_dir()]
    ours = [folder for folder in named if not _foreign(folder)]
    return sorted(ours, key=lambda folder: (folder.stat().st_mtime_ns, folder.name))


def _put_back(out: Path) -> None:
    """Give an earlier song its place again if a run was killed between the two renames of `_swap`."""
    replaced = _leftovers(out, _REPLACED)
    if replaced and not out.exists():
        replaced[-1].rename(out)


def _swap(new: Path, out: Path) -> None:
    """Put the finished folder in the place of the old one, or leave the old one there."""
    if not out.exists():
        new.rename(out)
        return
    old = new.with_suffix(_REPLACED)
    out.rename(old)
    try:
        new.rename(out)
    except BaseException:
        old.rename(out)
        raise


def _write_folder(out: Path, files: Mapping[str, bytes]) -> None:
    """Write the files into a new folder and put it in the place of `out`."""
    out.parent.mkdir(parents=True, exist_ok=True)
    with _alone_in(out.parent):
        _put_back(out)
        unfinished = Path(tempfile.mkdtemp(prefix=f".{out.name}.", suffix=_UNFINISHED, dir=out.parent))
        try:
            for name, data in files.items():
                path = unfinished / name
                path.parent.mkdir(exist_ok=True)
                path.write_bytes(data)
            unfinished.chmod(0o755)
            _swap(unfinished, out)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
        for folder in (*_leftovers(out, _UNFINISHED), *_leftovers(out, _REPLACED)):
            shutil.rmtree(folder, ignore_errors=True)


def write_bundle(
    out: Path,
    *,
    lyrics: Lyrics,
    score: Score,
    info: Mapping[str, Any],
    audio: bool = True,
    vocal: bool = False,
    progress: Progress = silent,
) -> dict[str, Path]:
    """Write a song's folder: all of its files, or nothing.

    Args:
        out: the folder; an earlier song there is replaced.
        lyrics: the words, in order of performance.
        score: with the words fitted (`fit_words`).
        info: prompt, seed, release, matches, settings, versions and the like, for song.json: plain values, no times,
            no absolute paths.
        audio: whether to render song.mp3 and the parts alone.
        vocal: whether a synthesizer sings in the recording, and alone in guide_vocal.mp3.
        progress: told while audio is rendered.

    Returns:
        The paths of the files written, by name.

    Raises:
        InputError: `out` holds something else, cannot be written, or the song is too long for audio.
        MissingExtraError: something needed to write a file is not installed.
    """
    check_target(out)
    files = song_files(lyrics, score, info, audio=audio, vocal=vocal, progress=progress)
    try:
        _write_folder(Path(os.path.realpath(out)), files)
    except OSError as error:
        raise _unwritable(out, error) from error
    return {name: out / name for name in files}
