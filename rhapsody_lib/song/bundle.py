"""The files of a song, in a folder that appears whole or not at all.

lyrics.txt, song.mid, song.kar, backing.mid and song.json are the same bytes for the same song: they hold no time and
no path. song.json tells how the song was made and the digests of the other four.
"""

from __future__ import annotations

import hashlib
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
from rhapsody_lib.music.score import PARTS, Score
from rhapsody_lib.progress import Progress, silent
from rhapsody_lib.song.karaoke import backing_midi, karaoke_file, song_midi
from rhapsody_lib.song.page import FILES, song_page
from rhapsody_lib.song.pianoroll import draw_pianoroll
from rhapsody_lib.song.render import encode_mp3, render_samples
from rhapsody_lib.words.document import Lyrics

PAGE_FILE, INFO_FILE = "index.html", "song.json"
#: Value of `format` in song.json, by which a folder is known to be a song of ours.
FORMAT = "rhapsody-song-1"
_DIGESTED = ("lyrics.txt", "song.mid", "song.kar", "backing.mid")
_NAMES = frozenset({*FILES, PAGE_FILE})
#: A song being written, and the one it replaces, lie beside the target as `.<name>.<8 characters><end>`.
_UNFINISHED, _REPLACED = ".partial", ".old"


def lyrics_text(lyrics: Lyrics) -> str:
    """lyrics.txt: the title, an empty line, the sections with headings."""
    return f"{lyrics.title or 'Untitled'}\n\n{lyrics.text()}"


def _music_facts(score: Score) -> dict[str, Any]:
    metre = score.metres[0]
    return {
        "duration_s": round(score.duration_s, 3),
        "tempo_bpm": round(score.tempo_bpm, 3),
        "key": score.key.name,
        "metre": f"{metre.numerator}/{metre.denominator}",
        "style": score.style,
        "bars": sum(1 for _ in score.bars()),
        "notes": {part: len(score.parts[part]) for part in PARTS},
        "syllables": len(score.syllables),
        "sections": [section.name for section in score.sections],
    }


def _info_text(lyrics: Lyrics, score: Score, info: Mapping[str, Any], files: Mapping[str, bytes]) -> str:
    told = {
        "format": FORMAT,
        "title": lyrics.title,
        **info,
        "music": _music_facts(score),
        "files": {name: {"sha256": hashlib.sha256(files[name]).hexdigest()} for name in _DIGESTED},
    }
    return json.dumps(told, ensure_ascii=False, indent=2, allow_nan=False) + "\n"


def song_files(
    lyrics: Lyrics, score: Score, info: Mapping[str, Any], *, audio: bool, progress: Progress = silent
) -> dict[str, bytes]:
    """The contents of a song's files by name, `index.html` last.

    Raises:
        InputError: the song is too long for audio.
        MissingExtraError: something needed to write a file is not installed.
    """
    files = {
        "lyrics.txt": lyrics_text(lyrics).encode(errors="replace"),
        "song.mid": song_midi(score),
        "song.kar": karaoke_file(score),
        "backing.mid": backing_midi(score),
    }
    files[INFO_FILE] = _info_text(lyrics, score, info, files).encode(errors="replace")
    if audio:
        files["song.mp3"] = encode_mp3(render_samples(score, progress=progress))
    files["pianoroll.png"] = draw_pianoroll(score)
    files[PAGE_FILE] = song_page(lyrics, score, info, files).encode(errors="replace")
    return files


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
    names = {path.name for path in target.iterdir()}
    foreign = sorted(names - _NAMES)
    if foreign or (names and not _is_bundle(target)):
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
    ours = [folder for folder in named if {path.name for path in folder.iterdir()} <= _NAMES]
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
                (unfinished / name).write_bytes(data)
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
    progress: Progress = silent,
) -> dict[str, Path]:
    """Write a song's folder: all of its files, or nothing.

    Args:
        out: the folder; an earlier song there is replaced.
        lyrics: the words, in order of performance.
        score: with the words fitted (`fit_words`).
        info: prompt, seed, release, matches, settings, versions and the like, for song.json: plain values, no times,
            no absolute paths.
        audio: whether to render song.mp3.
        progress: told while audio is rendered.

    Returns:
        The paths of the files written, by name.

    Raises:
        InputError: `out` holds something else, cannot be written, or the song is too long for audio.
        MissingExtraError: something needed to write a file is not installed.
    """
    check_target(out)
    files = song_files(lyrics, score, info, audio=audio, progress=progress)
    try:
        _write_folder(Path(os.path.realpath(out)), files)
    except OSError as error:
        raise _unwritable(out, error) from error
    return {name: out / name for name in files}
