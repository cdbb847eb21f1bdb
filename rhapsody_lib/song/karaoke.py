r"""MIDI files of a fitted song: with lyric events, as karaoke, and the backing alone.

`song.mid` carries words as lyric events (FF 05), `song.kar` as text events (FF 01) in a `Words` track, as karaoke
players expect: `@` headers, `\` before the first syllable of a section, `/` before that of any other line, a space
after each word. Text is UTF-8 in both, whatever the language; a player that takes it for Latin-1 shows plain English
right.
"""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

from rhapsody_lib.music.midi import score_to_midi
from rhapsody_lib.music.score import Score
from rhapsody_lib.optional import require

#: A syllable that begins with one of these would be taken for a control; it is written with the full-width sign.
_CONTROLS = {"/": "／", "\\": "＼", "@": "＠"}


def song_midi(score: Score) -> bytes:
    """The song as MIDI: melody with lyric events, and the five tracks of the backing."""
    return score_to_midi(score)


def backing_midi(score: Score) -> bytes:
    """The five tracks without melody and words, to sing or play to."""
    silent = replace(score, parts={**score.parts, "melody": ()}, syllables=())
    return _without_track(score_to_midi(silent, lyrics="none"), "melody")


def _file(data: bytes) -> Any:
    return require("mido").MidiFile(file=io.BytesIO(data), charset="utf-8")


def _saved(file: Any) -> bytes:
    buffer = io.BytesIO()
    file.save(file=buffer)
    return buffer.getvalue()


def _without_track(data: bytes, name: str) -> bytes:
    file = _file(data)
    file.tracks[:] = [track for track in file.tracks if track.name != name]
    return _saved(file)


def _plain(text: str) -> str:
    """Text for a header: one line."""
    return " ".join(text.split())


def _words(score: Score) -> list[tuple[int, str]]:
    """(tick, text) of each syllable with the marks of pages, lines and word ends."""
    pages = {section.start_ticks for section in score.sections}
    events: list[tuple[int, str]] = []
    line, last_start = -1, -1
    for syllable in score.syllables:
        text = _CONTROLS.get(syllable.text[:1], syllable.text[:1]) + syllable.text[1:]
        if syllable.line != line:
            turned = any(last_start < start <= syllable.start_ticks for start in pages) or line < 0
            text = ("\\" if turned else "/") + text
            line = syllable.line
        last_start = syllable.start_ticks
        events.append((syllable.start_ticks, text + (" " if syllable.ends_word else "")))
    return events


def _words_track(score: Score, author: str) -> Any:
    mido = require("mido")
    track = mido.MidiTrack([mido.MetaMessage("track_name", name="Words")])
    headers = ["@LENGL", f"@T{_plain(score.title) or 'Untitled'}", f"@T{author}"]
    track.extend(mido.MetaMessage("text", text=text) for text in headers)
    now = 0
    for tick, text in _words(score):
        track.append(mido.MetaMessage("text", text=text, time=tick - now))
        now = tick
    return track


def _without_texts(track: Any) -> Any:
    """The track without its text events, which a karaoke player would show as words; times stay."""
    mido = require("mido")
    kept, carried = mido.MidiTrack(), 0
    for message in track:
        if message.type in {"text", "marker", "cue_marker"}:
            carried += message.time
        else:
            kept.append(message.copy(time=message.time + carried))
            carried = 0
    return kept


def karaoke_file(score: Score, *, author: str = "Rhapsody") -> bytes:
    """The song as a `.kar` file: a `Soft Karaoke` track with headers, the `Words` track, then the six parts.

    Args:
        score: with its words fitted.
        author: the second title line that players show.
    """
    mido = require("mido")
    file = _file(score_to_midi(score, lyrics="none"))
    tracks = [_without_texts(track) for track in file.tracks]
    tracks[0].name = "Soft Karaoke"
    headers = [mido.MetaMessage("text", text=text) for text in ("@KMIDI KARAOKE FILE", "@V0100")]
    tracks[0][1:1] = headers
    file.tracks[:] = [tracks[0], _words_track(score, author), *tracks[1:]]
    return _saved(file)
