"""Text events of a MIDI file, straight from its bytes.

The note parser (symusic) gives neither text events (FF 01) nor the raw bytes of lyrics, which are needed to tell
their character set. This scanner reads nothing else, is linear in the file's size, and stops quietly where a track
is malformed. It reads each track no further than the last bytes that look like such an event: most tracks have but
their name, at their start.
"""

from __future__ import annotations

import re
from contextlib import suppress
from typing import NamedTuple

TEXT, TRACK_NAME, LYRIC = 0x01, 0x03, 0x05
#: Beyond this many bytes no more words are looked for: a song's file is a hundredth of it.
MAX_SCANNED_BYTES = 4_000_000
#: A longer event is no syllable, chord or title; it is passed over.
MAX_TEXT_BYTES = 4096


class TextEvent(NamedTuple):
    """One text event: `ticks` in the file's own division, `kind` one of TEXT, TRACK_NAME, LYRIC."""

    track: int
    ticks: int
    kind: int
    data: bytes


#: A header chunk may be longer than its six bytes by what later standards add; more than this is damage.
_MAX_HEADER_BYTES = 256
#: How many bytes of data follow each status byte of a channel's events; 0 for all other bytes.
_DATA_BYTES = bytes(128) + bytes([2] * 64 + [1] * 32 + [2] * 16) + bytes(16)
_WORDS_EVENT = re.compile(rb"\xff[\x01\x03\x05]")


def unwrapped(data: bytes) -> bytes:
    """The MIDI file inside a RIFF/RMID wrapper, with a header of six bytes: readers are to skip what follows them."""
    start = data.find(b"MThd", 0, 64) if data[:4] == b"RIFF" else 0
    data = data[start:] if start > 0 else data
    length = int.from_bytes(data[4:8], "big")
    if data[:4] == b"MThd" and 6 < length <= _MAX_HEADER_BYTES:
        return data[:4] + b"\0\0\0\6" + data[8:14] + data[8 + length :]
    return data


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


def _scan_track(data: bytes, span: tuple[int, int, int], track: int, events: list[TextEvent]) -> None:
    """`span` is where the track begins, where its last text event may begin, and where it ends."""
    position, last, end = span
    ticks, status = 0, 0
    while position < last:
        byte = data[position]
        if byte < 0x80:  # most numbers are a single byte
            position += 1
        else:
            byte, position = _number(data, position, end)
        ticks += byte
        if position >= end:
            return
        byte = data[position]
        if byte >= 0x80:
            status = byte
            position += 1
        if _DATA_BYTES[status]:
            position += _DATA_BYTES[status]
        elif status == 0xFF:
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
            last = max((found.start() for found in _WORDS_EVENT.finditer(data, start, end)), default=start)
            if last > start:
                with suppress(ValueError):  # the words found so far stand; the notes are the note parser's to judge
                    _scan_track(data, (start, last, end), track, events)
            track += 1
        position = start + length
    return events


def decode(chunks: list[bytes]) -> list[str]:
    """Texts of one file: all UTF-8 if all of it is valid, else Windows-1252, else Latin-1, which knows every byte."""
    for charset in ("utf-8", "cp1252"):
        with suppress(UnicodeDecodeError):
            return [chunk.decode(charset) for chunk in chunks]
    return [chunk.decode("latin-1") for chunk in chunks]
