"""Text events of a MIDI file, straight from its bytes.

The note parser (symusic) gives neither text events (FF 01) nor the raw bytes of lyrics, which are needed to tell
their character set. This scanner reads nothing else, is linear in the file's size, and stops quietly where a track
is malformed.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

TEXT, TRACK_NAME, LYRIC = 0x01, 0x03, 0x05
#: Beyond this many bytes no more words are looked for: a song's file is a hundredth of it.
MAX_SCANNED_BYTES = 4_000_000
#: A longer event is no syllable, chord or title; it is passed over.
MAX_TEXT_BYTES = 4096


@dataclass(frozen=True, slots=True)
class TextEvent:
    """One text event: `ticks` in the file's own division, `kind` one of TEXT, TRACK_NAME, LYRIC."""

    track: int
    ticks: int
    kind: int
    data: bytes


def unwrapped(data: bytes) -> bytes:
    """The MIDI file inside a RIFF/RMID wrapper, or the data as it is."""
    start = data.find(b"MThd", 0, 64) if data[:4] == b"RIFF" else -1
    return data[start:] if start > 0 else data


def _number(data: bytes, position: int, end: int) -> tuple[int, int]:
    """Variable-length number at `position` and where it ends; at most four bytes, as the standard has it."""
    value = 0
    for offset in range(4):
        if position + offset >= end:
            raise ValueError("a number runs past the track")
        byte = data[position + offset]
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, position + offset + 1
    raise ValueError("a number of more than four bytes")


def _scan_track(data: bytes, position: int, end: int, track: int, events: list[TextEvent]) -> None:
    ticks, status = 0, 0
    while position < end:
        delta, position = _number(data, position, end)
        ticks += delta
        if position >= end:
            return
        if data[position] >= 0x80:
            status = data[position]
            position += 1
        if status == 0xFF:
            kind = data[position] if position < end else 0x2F
            length, position = _number(data, position + 1, end)
            if kind == 0x2F:
                return
            if kind in {TEXT, TRACK_NAME, LYRIC} and length <= min(MAX_TEXT_BYTES, end - position):
                events.append(TextEvent(track, ticks, kind, data[position : position + length]))
            position += length
        elif status in {0xF0, 0xF7}:
            length, position = _number(data, position, end)
            position += length
        elif 0x80 <= status < 0xF0:
            position += 1 if 0xC0 <= status < 0xE0 else 2
        else:
            raise ValueError("a byte without meaning")


def text_events(data: bytes) -> list[TextEvent]:
    """Text, track name and lyric events of all tracks, in file order. Never raises."""
    data = unwrapped(data)
    events: list[TextEvent] = []
    position = 8 + int.from_bytes(data[4:8], "big")
    track = 0
    while position + 8 <= min(len(data), MAX_SCANNED_BYTES):
        length = int.from_bytes(data[position + 4 : position + 8], "big")
        start, end = position + 8, min(position + 8 + length, len(data), MAX_SCANNED_BYTES)
        if data[position : position + 4] == b"MTrk":
            with suppress(ValueError):  # the words found so far stand; the notes are the note parser's to judge
                _scan_track(data, start, end, track, events)
            track += 1
        position = start + length
    return events


def decode(chunks: list[bytes]) -> list[str]:
    """Texts of one file: all UTF-8 if all of it is valid, else Windows-1252, else Latin-1, which knows every byte."""
    for charset in ("utf-8", "cp1252"):
        with suppress(UnicodeDecodeError):
            return [chunk.decode(charset) for chunk in chunks]
    return [chunk.decode("latin-1") for chunk in chunks]
