"""index.html: the song as one offline file that shows its notes and its words in time.

It plays song.mp3 beside it, or mixes its parts alone: all but the recording is inlined. Text of a user never becomes
markup: it stands in a JSON block whose `<` are escaped and is shown by `textContent`, and the page's content security
policy runs only the one script whose hash it names.
"""

from __future__ import annotations

import base64
import bisect
import hashlib
import html
import json
import re
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from typing import Any

from rhapsody_lib.music.score import Note, Score, Section, Syllable
from rhapsody_lib.song.fit import pair_sections
from rhapsody_lib.song.notation import upper_voice
from rhapsody_lib.song.palette import PART_COLOURS
from rhapsody_lib.song.render import MIX, TAIL_S
from rhapsody_lib.song.spelling import chord_name
from rhapsody_lib.song.stems import stem_file
from rhapsody_lib.song.syllable_notes import syllable_runs
from rhapsody_lib.words.document import Lyrics

#: What each file of a bundle is, with its media type, in the order of the download buttons.
FILES: Mapping[str, tuple[str, str]] = {
    "song.mp3": ("the recording", "audio/mpeg"),
    "guide_vocal.mp3": ("the voice alone", "audio/mpeg"),
    "lyrics.txt": ("the words", "text/plain"),
    "song.mid": ("melody, words, five tracks", "audio/midi"),
    "backing.mid": ("five tracks to sing over", "audio/midi"),
    "song.kar": ("karaoke", "audio/midi"),
    "leadsheet.musicxml": ("for a score editor", "application/vnd.recordare.musicxml+xml"),
    "pianoroll.png": ("the notes as a picture", "image/png"),
    "song.json": ("how it was made", "application/json"),
}
#: The one file that the page plays from beside it and does not hold: the parts, which it does hold, add up to it.
RECORDING = "song.mp3"
#: Parts in the order they are drawn: the melody lies on top.
_DRAWN = ("strings", "guitar", "piano", "bass", "drums", "melody")
#: One script in eight pieces, in the order they build on each other.
_SCRIPTS = (
    "page_player.js", "page_stretch.js", "page_stems.js", "page_words.js", "page_roll.js", "page_follow.js",
    "page_mixer.js", "page_main.js",
)  # fmt: skip
_SLOT = re.compile(r"\{\{([A-Z_]+)\}\}")
#: The current line stays marked so long after its last syllable.
_AFTERGLOW_S = 1.0


@cache
def _packaged(name: str) -> str:
    return resources.files("rhapsody_lib.song").joinpath(name).read_text(encoding="utf-8")


def _csp_hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _json_block(value: Any) -> str:
    """JSON that can stand in a script element: no `<` that could close it."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _seconds(score: Score, ticks: int) -> float:
    return round(score.seconds_at(ticks), 3)


def _typeset(name: str) -> str:
    """The name of a chord or key with real accidentals."""
    return re.sub(r"(?<=[A-G])b|b(?=5)", "♭", name).replace("#", "♯")


def _chord_labels(score: Score, syllables: Sequence[Syllable], ends: Sequence[int]) -> dict[int, str]:
    """Chord names by the start of the syllable to write them over: the one that sounds, or the section's next."""
    starts = [syllable.start_ticks for syllable in syllables]
    labels: dict[int, list[str]] = {}
    for section in score.sections:
        last = ""
        for chord in score.chords:
            if not section.start_ticks <= chord.start_ticks < section.end_ticks:
                continue
            name = _typeset(chord_name(chord.symbol, score.key))
            index = bisect.bisect_right(starts, chord.start_ticks) - 1
            if index < 0 or ends[index] <= chord.start_ticks or starts[index] < section.start_ticks:
                index += 1
            if name != last and index < len(starts) and starts[index] < section.end_ticks:
                labels.setdefault(starts[index], []).append(name)
            last = name
    return {start: " ".join(names) for start, names in labels.items()}


def _syllable_ends(score: Score) -> list[int]:
    """Tick at which each syllable ends: with the last of its notes."""
    notes = upper_voice(score)
    runs = syllable_runs(notes, score.syllables, score.sections)
    ends = {run.syllable.start_ticks: notes[run.last].end_ticks for run in runs}
    return [ends.get(syllable.start_ticks, syllable.start_ticks + 1) for syllable in score.syllables]


def _lines(lyrics: Lyrics, score: Score) -> list[dict[str, Any]]:
    """The lyric lines with their syllables as [start, end, text, chord], times in seconds."""
    ends = _syllable_ends(score)
    labels = _chord_labels(score, score.syllables, ends)
    pieces: dict[int, list[list[Any]]] = {}
    for syllable, end in zip(score.syllables, ends, strict=True):
        text = syllable.text + (" " if syllable.ends_word else "")
        start = syllable.start_ticks
        row = [_seconds(score, start), _seconds(score, end), text, labels.get(start, "")]
        pieces.setdefault(syllable.line, []).append(row)
    lines: list[dict[str, Any]] = []
    for number, text in enumerate(lyrics.lines):
        rows = pieces.get(number, [])
        begins = rows[0][0] if rows else (lines[-1]["end"] if lines else 0.0)
        lines.append({"text": text, "start": begins, "end": rows[-1][1] if rows else begins, "pieces": rows})
    starts = [line["start"] for line in lines]
    for placed, following in zip(lines, [*starts[1:], score.duration_s + _AFTERGLOW_S], strict=False):
        placed["end"] = round(min(placed["end"] + _AFTERGLOW_S, following), 3)
    return lines


def _sections(lyrics: Lyrics, score: Score) -> list[dict[str, Any]]:
    lines = iter(_lines(lyrics, score))
    sung: dict[Section, int] = {music: len(words.lines) for words, music in pair_sections(lyrics, score)}
    return [
        {
            "name": section.name,
            "start": _seconds(score, section.start_ticks),
            "end": _seconds(score, section.end_ticks),
            "lines": [next(lines) for _ in range(sung.get(section, 0))],
        }
        for section in score.sections
    ]


def _note_row(score: Score, note: Note) -> list[float]:
    start = _seconds(score, note.start_ticks)
    return [start, round(_seconds(score, note.end_ticks) - start, 3), note.pitch]


def _parts(score: Score) -> list[dict[str, Any]]:
    """The notes of each part as [start, length, pitch], times in seconds."""
    return [
        {"name": part, "colour": PART_COLOURS[part], "notes": [_note_row(score, note) for note in score.parts[part]]}
        for part in _DRAWN
    ]


def _match(info: Mapping[str, Any]) -> tuple[dict[str, Any] | None, list[dict[str, Any]]]:
    """The matched song for the page, and the others: title, artist, licence, confidence (or none), closest lines."""
    shown = []
    for match in info.get("matches") or []:
        closest = match.get("closest") or []
        pairs = [closest] if isinstance(closest, Mapping) else closest
        shown.append(
            {
                "title": str(match.get("title") or "untitled"),
                "artist": str(match.get("artist") or ""),
                "licence": str(match.get("licence") or ""),
                "confidence": None if match.get("confidence") is None else float(match["confidence"]),
                "primed": bool(info.get("primer")) and info.get("primer") == match.get("title"),
                "pairs": [[str(pair["generated_line"]), str(pair["catalogue_line"])] for pair in pairs],
            }
        )
    return (shown[0], shown[1:]) if shown else (None, [])


def _made(info: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What is told of the making, as (name, value)."""
    settings, release, versions = (info.get(name) or {} for name in ("settings", "release", "versions"))
    number = release.get("number") if isinstance(release, Mapping) else release
    told = [
        ("Seed", info.get("seed")),
        ("Release", number),
        ("Music primed with", info.get("primer")),
        ("Lyrics", f"best of {settings['candidates']}" if settings.get("candidates") else None),
        ("Temperature", settings.get("temperature")),
        ("Rhapsody", versions.get("rhapsody")),
    ]
    return [(name, str(value)) for name, value in told if value not in (None, "")]


def _facts(score: Score) -> list[str]:
    metre, seconds = score.metres[0], round(score.duration_s)
    facts = [score.style.replace("-", " "), _typeset(score.key.name), f"{metre.numerator}/{metre.denominator}"]
    return [fact for fact in [*facts, f"{score.tempo_bpm:.0f} bpm", f"{seconds // 60}:{seconds % 60:02d}"] if fact]


def _stems(files: Mapping[str, bytes]) -> list[dict[str, Any]]:
    """Each part that the page can play alone: where it stands between the ears (-1 to 1) and its share of the room."""
    return [
        {
            "name": part,
            "file": stem_file(part),
            "pan": round((MIX[part].pan - 64) / 64, 3),
            "room": MIX[part].room,
            "colour": PART_COLOURS[part],
        }
        for part in MIX
        if stem_file(part) in files
    ]


def _sheet_notes(score: Score) -> list[list[float]]:
    """[start, end] of each note of the engraving, whose element has the id `n<index>`."""
    return [[_seconds(score, note.start_ticks), _seconds(score, note.end_ticks)] for note in upper_voice(score)]


def _page_data(lyrics: Lyrics, score: Score, info: Mapping[str, Any], files: Mapping[str, bytes]) -> dict[str, Any]:
    match, others = _match(info)
    audio = RECORDING in files
    return {
        "title": lyrics.title,
        "prompt": " ".join(str(info.get("prompt", "")).split()),
        "text": lyrics.text(headings=False),
        "audio": audio,
        "duration": round(score.duration_s + (TAIL_S if audio else 0.0), 3),
        "facts": _facts(score),
        "made": _made(info),
        "match": match,
        "others": others,
        "sections": _sections(lyrics, score),
        "parts": _parts(score),
        "stems": _stems(files),
        "bpm": round(score.tempo_bpm, 2),
        "bars": [_seconds(score, start) for start, _ in score.bars()],
        "has_chords": bool(score.chords),
        "files": [
            {"name": name, "about": FILES[name][0], "type": FILES[name][1], "beside": name == RECORDING}
            for name in FILES
            if name in files
        ],
    }


def song_page(
    lyrics: Lyrics,
    score: Score,
    info: Mapping[str, Any],
    files: Mapping[str, bytes],
    *,
    sheet: Sequence[str] = (),
    gain: float = 1.0,
) -> str:
    """The page of a song. Same arguments, same text.

    Args:
        lyrics: the words; their sections are sung on the score's.
        score: with the words fitted.
        info: what song.json tells; of it `prompt`, `seed`, `release`, `primer`, `matches`, `settings` and `versions`
            are shown where present.
        files: contents of the files to offer for download, by names of `FILES`. With `song.mp3` the page plays it
            from beside itself, without it the page says so and runs silently; with the parts alone it mixes them.
        sheet: the pages of the lead sheet as SVG, from `engrave`.
        gain: what the sum of the parts is multiplied by.
    """
    script, style = "".join(map(_packaged, _SCRIPTS)), _packaged("page_style.css")
    holders = [
        f'<script type="text/plain" data-file="{name}">{base64.b64encode(files[name]).decode()}</script>'
        for name in dict.fromkeys([*FILES, *map(stem_file, MIX)])
        if name in files and name != RECORDING
    ]
    data = {**_page_data(lyrics, score, info, files), "gain": round(gain, 4), "sheet": []}
    if sheet:
        data["sheet"] = _sheet_notes(score)
    filled = {
        "SCRIPT_HASH": _csp_hash(script),
        "STYLE_HASH": _csp_hash(style),
        "TITLE": html.escape(lyrics.title or "Untitled"),
        "PLAIN": html.escape(lyrics.text()),
        "STYLE": style,
        "SCRIPT": script,
        "DATA": _json_block(data),
        "SHEET": "\n".join(f'<div class="sheet-page">{page}</div>' for page in sheet),
        "FILES": "\n".join(holders),
    }
    # One pass: a slot's name in the user's text is not filled again.
    return _SLOT.sub(lambda match: filled[match.group(1)], _packaged("page_template.html"))
