"""The contents of a song's files, by name.

lyrics.txt, song.mid, song.kar, backing.mid, leadsheet.musicxml and song.json are the same bytes for the same song: they
hold no time and no path.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from rhapsody_lib.music.score import PARTS, Score
from rhapsody_lib.progress import Progress, silent
from rhapsody_lib.song.engraving import engrave
from rhapsody_lib.song.karaoke import backing_midi, karaoke_file, song_midi
from rhapsody_lib.song.mp3 import encode_recording, in_16_bits
from rhapsody_lib.song.musicxml import leadsheet
from rhapsody_lib.song.page import FILES, RECORDING, song_page
from rhapsody_lib.song.pianoroll import draw_pianoroll
from rhapsody_lib.song.render import place_of, render_song
from rhapsody_lib.song.second_player import SecondPlayer
from rhapsody_lib.song.stems import VOCAL_FILE, Stems, stem_file
from rhapsody_lib.song.voices import told_voices
from rhapsody_lib.words.document import Lyrics

PAGE_FILE, INFO_FILE = "index.html", "song.json"
#: Value of `format` in song.json, by which a folder is known to be a song of ours.
FORMAT = "rhapsody-song-1"
#: The files whose digests song.json tells.
_DIGESTED = ("lyrics.txt", "song.mid", "song.kar", "backing.mid", "leadsheet.musicxml")
#: Names of all files that a song may have, relative to its folder.
ALL_FILES = frozenset({*FILES, PAGE_FILE, VOCAL_FILE, *map(stem_file, PARTS)})


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


def _sounding(score: Score, *, vocal: bool) -> list[str]:
    return [part for part in PARTS if score.parts[part]] + ["vocal"] * vocal


def _told_files(score: Score, files: Mapping[str, bytes], *, audio: bool, vocal: bool) -> dict[str, Any]:
    """What song.json tells of each file: what it is, and the digest of those that are the same everywhere."""
    wanted = FILES.keys() - (set() if audio else {RECORDING}) - (set() if vocal else {VOCAL_FILE})
    told: dict[str, Any] = {name: {"about": about} for name, (about, _) in FILES.items() if name in wanted}
    told[PAGE_FILE] = {"about": "the song on one page"}
    for part in _sounding(score, vocal=vocal) if audio else ():
        told[stem_file(part)] = {"about": f"{part} alone, without the room, in mono"}
    for name in _DIGESTED:
        told[name]["sha256"] = hashlib.sha256(files[name]).hexdigest()
    return told


def _info_text(
    lyrics: Lyrics, score: Score, info: Mapping[str, Any], files: Mapping[str, bytes], *, audio: bool, vocal: bool
) -> str:
    told = {
        "format": FORMAT,
        "title": lyrics.title,
        **info,
        "music": _music_facts(score),
        "files": _told_files(score, files, audio=audio, vocal=vocal),
    }
    if audio:
        told["mix"] = {part: asdict(place_of(part, vocal=vocal)) for part in _sounding(score, vocal=vocal)}
    if vocal:
        told["voices"] = told_voices(score.syllables)
    return json.dumps(told, ensure_ascii=False, indent=2, allow_nan=False) + "\n"


@dataclass(frozen=True)
class _Written:
    """What is no sound: the files of words and notes by name, and the pages of the lead sheet."""

    files: dict[str, bytes]
    sheet: list[str]


def _written(lyrics: Lyrics, score: Score) -> _Written:
    sheet, midi = leadsheet(score), song_midi(score)
    files = {
        "lyrics.txt": lyrics_text(lyrics).encode(errors="replace"),
        "song.mid": midi,
        "song.kar": karaoke_file(score, midi),
        "backing.mid": backing_midi(score, midi),
        "leadsheet.musicxml": sheet,
        "pianoroll.png": draw_pianoroll(score),
    }
    return _Written(files, engrave(sheet))


def _recorded(
    lyrics: Lyrics, score: Score, *, vocal: bool, progress: Progress
) -> tuple[dict[str, bytes], float, _Written]:
    """The recording and the parts alone by file name, what the page multiplies their sum by, and what is no sound.

    Some parts are played by another process. LAME lets other threads run: the parts are encoded while others are
    played, the mix while the rest is written.
    """
    voice = None
    if vocal:
        from rhapsody_lib.song.guide_vocal import sing_score

        voice = sing_score(score)
    with SecondPlayer(score, vocal=vocal) as second, Stems() as stems:

        def add(part: str, alone: np.ndarray) -> None:
            if part not in second.files:
                stems.add(part, alone)

        rendering = render_song(score, vocal=voice, on_part=add, elsewhere=second, progress=progress)
        gain, samples = rendering.gain, in_16_bits(rendering.samples)
        del rendering  # in 32 bits it is twice as large
        recording = stems.beside(encode_recording, samples)
        del samples
        written = _written(lyrics, score)
        encoded = {**stems.files(), **{stem_file(part): file for part, file in second.files.items()}}
        return {RECORDING: recording.result(), **encoded}, gain, written


def song_files(
    lyrics: Lyrics,
    score: Score,
    info: Mapping[str, Any],
    *,
    audio: bool,
    vocal: bool = False,
    progress: Progress = silent,
) -> dict[str, bytes]:
    """The contents of a song's files by name, `index.html` last.

    Raises:
        InputError: the song is too long for audio.
        MissingExtraError: something needed to write a file is not installed.
    """
    recorded: dict[str, bytes] = {}
    gain = 1.0
    if audio:
        recorded, gain, written = _recorded(lyrics, score, vocal=vocal, progress=progress)
    else:
        written = _written(lyrics, score)
    told = _info_text(lyrics, score, info, written.files, audio=audio, vocal=audio and vocal)
    files = {**written.files, INFO_FILE: told.encode(errors="replace"), **recorded}
    page = song_page(lyrics, score, info, files, sheet=written.sheet, gain=gain)
    files[PAGE_FILE] = page.encode(errors="replace")
    return files
