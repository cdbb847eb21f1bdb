"""Any MIDI file to a score. Files are untrusted: size, notes and length are limited; symusic parses the notes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from rhapsody_lib.errors import UnreadableFileError
from rhapsody_lib.music.chords import Key
from rhapsody_lib.music.foreign import (
    DEFAULT_LIMITS,
    Conductor,
    MidiLimits,
    assembled,
    check_length,
    conductor_of,
    metres_of,
    scaled,
    tempi_of,
)
from rhapsody_lib.music.midi_meta import TEXT, TRACK_NAME, TextEvent, decode, text_events, unwrapped
from rhapsody_lib.music.midi_words import Words, read_words
from rhapsody_lib.music.midi_writer import SIGNATURE
from rhapsody_lib.music.note_tables import (
    DURATION,
    PART,
    PITCH,
    START,
    VELOCITY,
    NoteTable,
    ScoreTables,
    in_order,
    where,
)
from rhapsody_lib.music.own_midi import own_tables
from rhapsody_lib.music.parts import RawTrack
from rhapsody_lib.music.score import Score
from rhapsody_lib.optional import require

__all__ = ["DEFAULT_LIMITS", "MidiLimits", "midi_to_score", "midi_to_tables", "read_conductor"]

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]+")
_EXTENSION = re.compile(r"\.(midi?|kar|rmi)$", re.IGNORECASE)


def _parsed(data: bytes, name: str) -> Any:
    symusic = require("symusic")
    if not data:
        raise UnreadableFileError(name, "bad_midi", "is empty.", "Export it again.")
    try:
        return symusic.Score.from_midi(data)
    except (RuntimeError, ValueError, OverflowError, MemoryError) as error:
        # What symusic says is of its own code: it tells a user no more than this.
        raise UnreadableFileError(
            name, "bad_midi", "is not a MIDI file that can be read.", "Export it again."
        ) from error


def _signature(parsed: Any) -> Key | None:
    for event in parsed.key_signatures:
        if -7 <= event.key <= 7 and event.tonality in {0, 1}:
            return Key(event.key * 7 % 12, "major") if event.tonality == 0 else Key((event.key * 7 + 9) % 12, "minor")
    return None


def _parsed_notes(parsed: Any, name: str) -> NoteTable:
    """All notes that sound, sorted, each track's index as their part."""
    table = _as_written([track.notes.numpy() for track in parsed.tracks])
    start, pitch, duration, velocity, _ = table.min(axis=1).tolist() if table.size else (0, 0, 0, 1, 0)
    if min(start, duration) < 0:
        raise UnreadableFileError(name, "bad_midi", "has times beyond what MIDI files can hold.")
    if velocity < 1 or pitch < 0:
        table = where(table, (table[VELOCITY] >= 1) & (table[PITCH] >= 0))
    last = scaled(table[START] + table[DURATION], parsed.tpq)
    table[START] = scaled(table[START], parsed.tpq)
    table[DURATION] = np.maximum(1, last - table[START])
    return in_order(table)


def _as_written(tracks: Sequence[Mapping[str, npt.NDArray[Any]]]) -> NoteTable:
    """The notes of symusic's tracks in the file's own ticks."""
    sizes = [len(track["time"]) for track in tracks]
    table = np.empty((5, sum(sizes)), dtype=np.int64)
    end = 0
    for index, (track, size) in enumerate(zip(tracks, sizes, strict=True)):
        begin, end = end, end + size
        table[START, begin:end] = track["time"]
        table[PITCH, begin:end] = track["pitch"]
        table[DURATION, begin:end] = track["duration"]
        table[VELOCITY, begin:end] = track["velocity"]
        table[PART, begin:end] = index
    return table


def _tracks(parsed: Any, table: NoteTable) -> list[RawTrack]:
    cuts = table[PART].searchsorted(np.arange(len(parsed.tracks) + 1)).tolist()
    return [
        RawTrack(str(track.name), int(track.program) & 127, bool(track.is_drum), table[:, begin:end])
        for track, begin, end in zip(parsed.tracks, cuts[:-1], cuts[1:], strict=True)
    ]


def midi_to_tables(data: bytes, name: str, *, limits: MidiLimits = DEFAULT_LIMITS) -> ScoreTables:
    """`midi_to_score` with the notes in tables, ten times as fast."""
    if len(data) > limits.max_bytes:
        raise UnreadableFileError(
            name, "too_large", f"has {len(data):,} bytes; {limits.max_bytes:,} are allowed.", "Is it one song?"
        )
    data = unwrapped(data)
    parsed = _parsed(data, name)
    if parsed.tpq <= 0:
        raise UnreadableFileError(name, "bad_midi", "names no ticks per beat.")
    if parsed.note_num() > limits.max_notes or len(parsed.tracks) > limits.max_tracks:
        raise UnreadableFileError(name, "too_large", f"has more than {limits.max_notes:,} notes.", "Is it one song?")
    events = text_events(data)
    signed = SIGNATURE.encode() in data and any(e.kind == TEXT and e.data == SIGNATURE.encode() for e in events)
    if not signed:
        return _foreign(parsed, events, name, limits)
    tracks = _tracks(parsed, _parsed_notes(parsed, name))
    tables = own_tables(tracks, events, key=_signature(parsed), tempi=tempi_of(parsed), metres=metres_of(parsed))
    check_length(tables.frame.tempi, tables.end_ticks, name, limits)
    return tables


def midi_to_score(data: bytes, name: str, *, limits: MidiLimits = DEFAULT_LIMITS) -> Score:
    """Read a MIDI, karaoke (.kar) or RIFF/RMID file; nothing is quantised.

    Files written by `score_to_midi` come back as they were. In others, tracks are mapped to parts by the rules of
    `music.parts`, notes are folded into the parts' ranges, the key is believed unless the notes contradict it, chords
    are estimated (`music.harmony`), and a first bar that is cut short is filled up with rest in front.

    Args:
        data: the file's bytes.
        name: what messages call the file.
        limits: what it may ask for.

    Raises:
        UnreadableFileError: with code `bad_midi`, `no_notes` or `too_large`.
        MissingExtraError: symusic is not installed.
    """
    return midi_to_tables(data, name, limits=limits).score()


def _title(events: Sequence[TextEvent], words: Words, name: str) -> str:
    names = [event.data for event in events if event.kind == TRACK_NAME and event.track == 0]
    title = words.title or (decode(names[:1])[0] if names else "")
    title = (title if title.isprintable() else _CONTROL.sub(" ", title)).strip()[:120]
    if title and title.lower() not in {"soft karaoke", "melody", "piano", "untitled", "track 0", "conductor"}:
        return title
    return _EXTENSION.sub("", name.replace("\\", "/").rpartition("/")[2])[:120]


def _foreign(parsed: Any, events: Sequence[TextEvent], name: str, limits: MidiLimits) -> ScoreTables:
    words = read_words(events)
    return assembled(
        lambda table: _tracks(parsed, table),
        _parsed_notes(parsed, name),
        conductor_of(parsed),
        title=_title(events, words, name),
        name=name,
        limits=limits,
        signature=_signature(parsed),
        syllables=words.syllables,
        sung_ticks=[scaled(syllable.ticks, parsed.tpq) for syllable in words.syllables],
    )


def read_conductor(data: bytes, name: str, *, limits: MidiLimits = DEFAULT_LIMITS) -> Conductor:
    """Tempi and metres of a MIDI file, and where its first note begins.

    Raises:
        UnreadableFileError: with code `bad_midi` or `too_large`.
        MissingExtraError: symusic is not installed.
    """
    if len(data) > limits.max_bytes:
        raise UnreadableFileError(name, "too_large", f"has {len(data):,} bytes; {limits.max_bytes:,} are allowed.")
    parsed = _parsed(unwrapped(data), name)
    if parsed.tpq <= 0:
        raise UnreadableFileError(name, "bad_midi", "names no ticks per beat.")
    first = min((int(track.notes.numpy()["time"].min()) for track in parsed.tracks if len(track.notes)), default=0)
    return replace(conductor_of(parsed), first_note_ticks=max(0, scaled(first, parsed.tpq)))
