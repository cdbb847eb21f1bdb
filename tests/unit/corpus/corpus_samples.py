"""Small sources of songs, written by the tests themselves."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from html import escape
from pathlib import Path

from rhapsody_lib.music.chords import Key
from rhapsody_lib.music.midi import score_to_midi
from rhapsody_lib.music.score import PARTS, Metre, Note, Score, Syllable, Tempo

WORDS = "The river runs under the bridge and away to the sea and nobody knows where the little boats go"

SONG = """title: {title}
style: folk
mood: calm
key: G major
metre: 4/4
tempo: 96
form: verse 1

[verse 1]
| G | C | G | D |
{lines}
"""


def songbook_text(title: str, lines: Sequence[str]) -> str:
    return SONG.format(title=title, lines="\n".join(lines))


def xml_note(
    pitch: str, quarters: float, text: str = "", syllabic: str = "single", extra: str = "", verse: str = "1"
) -> str:
    sung = f'<lyric number="{verse}"><syllabic>{syllabic}</syllabic><text>{escape(text)}</text></lyric>' if text else ""
    sounding = "<rest/>" if pitch == "-" else f"<pitch><step>{pitch[0]}</step><octave>{pitch[1]}</octave></pitch>"
    return f"<note>{sounding}<duration>{quarters * 2:g}</duration>{extra}{sung}</note>"


def xml_score(
    measures: Sequence[str], *, attributes: str = "<time><beats>4</beats><beat-type>4</beat-type></time>"
) -> str:
    first = f"<attributes><divisions>2</divisions><key><fifths>0</fifths></key>{attributes}</attributes>"
    body = "".join(
        f'<measure number="{number}">{first if number == 1 else ""}{content}</measure>'
        for number, content in enumerate(measures, start=1)
    )
    return f'<score-partwise><work><work-title>Boats</work-title></work><part id="P1">{body}</part></score-partwise>'


def sung_measures(words: str) -> list[str]:
    pitches = ["C5", "D5", "E5", "F5", "G5", "E5", "D5", "C5"]
    notes = [xml_note(pitches[index % 8], 1, word) for index, word in enumerate(words.split())]
    return ["".join(notes[index : index + 4]) for index in range(0, len(notes), 4)]


def pack_mxl(path: Path, xml: str, *, member: str = "score.xml", container: str | None = None) -> None:
    stated = f"<container><rootfiles><rootfile full-path='{member}'/></rootfiles></container>"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("META-INF/container.xml", stated if container is None else container)
        archive.writestr(member, xml)


def midi_bytes(words: str = "", title: str = "Boats") -> bytes:
    melody = tuple(Note(index * 480, 60 + index % 8, 400, 90) for index in range(24))
    syllables = tuple(
        Syllable(index * 480, word, ends_word=True, line=index // 6) for index, word in enumerate(words.split()[:24])
    )
    score = Score(
        title=title,
        key=Key(0, "major"),
        tempi=(Tempo(0, 100.0),),
        metres=(Metre(0, 4, 4),),
        parts={part: melody if part == "melody" else () for part in PARTS},
        syllables=syllables,
    )
    return score_to_midi(score)
