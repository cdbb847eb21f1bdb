"""The files of a song, in a folder that appears whole or not at all.

lyrics.txt, song.mid, song.kar, backing.mid and song.json are the same bytes for the same song: they hold no time and
no path. song.json tells how the song was made and the digests of the other four.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Mapping
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
    """Refuse to write a song where something else would be lost.

    Raises:
        InputError: `out` is a file, or a folder with anything that is not a song of ours.
    """
    if not out.exists():
        return
    if not out.is_dir():
        raise InputError(f"{out}: is a file. Name a folder for the song with --out.")
    names = {path.name for path in out.iterdir()}
    foreign = sorted(names - {*FILES, PAGE_FILE})
    if foreign or (names and not _is_bundle(out)):
        reason = f"holds '{foreign[0]}', which is no file of a song" if foreign else "is not a song's folder"
        raise InputError(f"{out}: {reason}, so it is not replaced. Name another folder with --out.")


def _swap(new: Path, out: Path) -> None:
    """Put the finished folder in the place of the old one."""
    if not out.exists():
        new.rename(out)
        return
    old = new.with_name(new.name + ".old")
    out.rename(old)
    new.rename(out)
    shutil.rmtree(old)


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
        out.parent.mkdir(parents=True, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
        try:
            for name, data in files.items():
                (unfinished / name).write_bytes(data)
            unfinished.chmod(0o755)
            _swap(unfinished, out)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
    except OSError as error:
        raise InputError(f"{out}: cannot be written ({error.strerror}). Name another folder with --out.") from error
    return {name: out / name for name in files}
