r"""MIDI files of a fitted song: with lyric events, as karaoke, and the backing alone.

`song.mid` carries words as lyric events (FF 05), `song.kar` as text events (FF 01) in a `Words` track, as karaoke
players expect: `@` headers, `\` before the first syllable of a section, `/` before that of any other line, a space
after each word. Text is UTF-8 in both, whatever the language; a player that takes it for Latin-1 shows plain English
right.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

from rhapsody_lib.music.midi import score_to_midi
from rhapsody_lib.music.score import PARTS, Score
from rhapsody_lib.optional import require

#: A syllable that begins with one of these would be taken for a control; it is written with the full-width sign.
_CONTROLS = {"/": "／", "\\": "＼", "@": "＠"}


def song_midi(score: Score) -> bytes:
    """The song as MIDI: melody with lyric events, and the five tracks of the backing."""
    return score_to_midi(score)


def backing_midi(score: Score, midi: bytes | None = None) -> bytes:
    """The five tracks without melody and words, to sing or play to.

    Args:
        score: the song.
        midi: its `song_midi`, where that is written already.
    """
    head, conductor, *tracks = _chunks(midi or song_midi(score))
    kept = [chunk for part, chunk in zip(PARTS, tracks, strict=True) if part != "melody"]
    return _written(head, [_without(_track_of(head, conductor), {"lyrics"})], kept)


def _chunks(data: bytes) -> list[bytes]:
    """The chunks of a MIDI file of ours: the header, the conductor track, a track for each of `PARTS`.

    Tracks of notes are taken over as they are: writing them is most of the time that a MIDI file needs.
    """
    chunks, at = [], 0
    while at < len(data):
        end = at + 8 + int.from_bytes(data[at + 4 : at + 8], "big")
        chunks.append(data[at:end])
        at = end
    return chunks


def _header(header: bytes, tracks: int) -> bytes:
    """The header of a file with so many tracks."""
    return header[:10] + tracks.to_bytes(2, "big") + header[12:]


def _track_of(header: bytes, chunk: bytes) -> Any:
    """A track chunk as mido's track."""
    data = io.BytesIO(_header(header, 1) + chunk)
    return require("mido").MidiFile(file=data, charset="utf-8").tracks[0]


def _chunk_of(track: Any) -> bytes:
    """A track of mido as a chunk."""
    buffer = io.BytesIO()
    require("mido").MidiFile(type=1, charset="utf-8", tracks=[track]).save(file=buffer)
    return _chunks(buffer.getvalue())[1]


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


def _without(track: Any, kinds: set[str]) -> Any:
    """The track without its events of some kinds; the others keep their times."""
    kept, carried = require("mido").MidiTrack(), 0
    for message in track:
        if message.type in kinds:
            carried += message.time
        else:
            kept.append(message.copy(time=message.time + carried))
            carried = 0
    return kept


def _written(head: bytes, tracks: Sequence[Any], chunks: Sequence[bytes]) -> bytes:
    return _header(head, len(tracks) + len(chunks)) + b"".join([*map(_chunk_of, tracks), *chunks])


def karaoke_file(score: Score, midi: bytes | None = None, *, author: str = "Rhapsody") -> bytes:
    """The song as a `.kar` file: a `Soft Karaoke` track with headers, the `Words` track, then the six parts.

    Args:
        score: with its words fitted.
        midi: its `song_midi`, where that is written already.
        author: the second title line that players show.
    """
    mido = require("mido")
    head, conductor, *tracks = _chunks(midi or song_midi(score))
    # A karaoke player would show any text as words.
    first = _without(_track_of(head, conductor), {"lyrics", "text", "marker", "cue_marker"})
    first.name = "Soft Karaoke"
    first[1:1] = [mido.MetaMessage("text", text=text) for text in ("@KMIDI KARAOKE FILE", "@V0100")]
    return _written(head, [first, _words_track(score, author)], tracks)
