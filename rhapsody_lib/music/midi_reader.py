"""Any MIDI file to a score. Files are untrusted: size, notes and length are limited; symusic parses the notes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from rhapsody_lib.errors import UnreadableFileError
from rhapsody_lib.music.chords import Key
from rhapsody_lib.music.grid_phase import moved_to_grid, off_grid_ticks
from rhapsody_lib.music.harmony import believed_key, chords_of, profile_of
from rhapsody_lib.music.midi_meta import TEXT, TRACK_NAME, TextEvent, decode, text_events, unwrapped
from rhapsody_lib.music.midi_words import Words, on_melody, read_words
from rhapsody_lib.music.midi_writer import SIGNATURE
from rhapsody_lib.music.note_tables import (
    DURATION,
    PART,
    PITCH,
    START,
    VELOCITY,
    NoteTable,
    ScoreTables,
    end_ticks,
    in_order,
    notes_of_part,
    pitched,
    where,
)
from rhapsody_lib.music.own_midi import own_tables
from rhapsody_lib.music.parts import RawTrack, assign
from rhapsody_lib.music.score import (
    PARTS,
    TICKS_PER_BEAT,
    Metre,
    Note,
    Score,
    Tempo,
    bars_until,
    seconds_at,
)
from rhapsody_lib.optional import require

Ticks = TypeVar("Ticks", int, npt.NDArray[np.int64])
DEFAULT_BPM = 120.0
_BELIEVED_BPM = (8.0, 600.0)
_MAX_CHANGES = 2000
#: A first time signature this late is a slip of the program that wrote it, no upbeat.
_LEAST_UPBEAT_TICKS = TICKS_PER_BEAT // 8
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]+")
_EXTENSION = re.compile(r"\.(midi?|kar|rmi)$", re.IGNORECASE)
_NO_NOTES: Mapping[str, tuple[Note, ...]] = MappingProxyType(dict.fromkeys(PARTS, ()))


@dataclass(frozen=True)
class MidiLimits:
    """What a file may ask for before it is refused as too large."""

    max_bytes: int = 10_000_000
    max_notes: int = 100_000
    max_tracks: int = 1000
    max_seconds: float = 3600.0


DEFAULT_LIMITS = MidiLimits()


def _parsed(data: bytes, name: str) -> Any:
    symusic = require("symusic")
    try:
        return symusic.Score.from_midi(data)
    except (RuntimeError, ValueError, OverflowError, MemoryError) as error:
        reason = re.sub(r"\s+", " ", str(error))[:160]
        raise UnreadableFileError(
            name, "bad_midi", f"is not a MIDI file that can be read ({reason}).", "Export it again."
        ) from error


def _scaled(ticks: Ticks, tpq: int) -> Ticks:
    if TICKS_PER_BEAT % tpq == 0:
        return ticks * (TICKS_PER_BEAT // tpq)
    return (ticks * TICKS_PER_BEAT * 2 + tpq) // (2 * tpq)


def _tempi(parsed: Any) -> tuple[Tempo, ...]:
    """Tempo changes that can be believed; repeated ones merged, 120 where the file names none at its start."""
    tempi = [Tempo(0, DEFAULT_BPM)]
    for event in sorted(parsed.tempos, key=lambda event: event.time)[:_MAX_CHANGES]:
        if event.mspq <= 0 or event.time < 0:
            continue
        bpm = round(60_000_000 / event.mspq, 2)
        start = _scaled(event.time, parsed.tpq)
        if not _BELIEVED_BPM[0] <= bpm <= _BELIEVED_BPM[1] or bpm == tempi[-1].bpm:
            continue
        if tempi[-1].start_ticks == start:
            tempi.pop()
        tempi.append(Tempo(start, bpm))
    return tuple(tempi)


def _moved_tempi(tempi: Sequence[Tempo], shift: int, unheard_ticks: int) -> tuple[Tempo, ...]:
    """Tempi as much later as all else; of those that come to lie on one tick the last stands.

    Before `unheard_ticks` nothing sounds and no tempo is named: the first that is named stands from the start.
    """
    if len(tempi) > 1 and tempi[1].start_ticks + shift <= unheard_ticks:
        tempi = (replace(tempi[1], start_ticks=0), *tempi[2:])
    moved = {max(0, tempo.start_ticks + shift) if tempo.start_ticks else 0: tempo.bpm for tempo in tempi}
    return tuple(Tempo(start, bpm) for start, bpm in moved.items())


def _metres(parsed: Any) -> tuple[Metre, ...]:
    """Time signatures that can be."""
    metres = [Metre(0, 4, 4)]
    for event in sorted(parsed.time_signatures, key=lambda event: event.time)[:_MAX_CHANGES]:
        numerator, denominator = int(event.numerator), int(event.denominator)
        if event.time < 0 or not 1 <= numerator <= 32 or denominator not in {1, 2, 4, 8, 16, 32}:
            continue
        start = _scaled(event.time, parsed.tpq)
        if (numerator, denominator) == (metres[-1].numerator, metres[-1].denominator):
            continue
        if metres[-1].start_ticks == start:
            metres.pop()
        metres.append(Metre(start, numerator, denominator))
    return tuple(metres)


def _musical(metres: Sequence[Metre]) -> tuple[tuple[Metre, ...], int]:
    """Metres of another maker's file, and the ticks by which all else moves so that its first bar is whole.

    Programs write an upbeat as a bar of its own length: 1/4, then 4/4 one beat later. A 1/4 that goes on is what
    converters write for no metre at all, and counts as 4/4.
    """
    shift = 0
    if len(metres) > 1 and metres[1].start_ticks < metres[1].bar_ticks:
        upbeat = metres[1].start_ticks
        shift = metres[1].bar_ticks - upbeat if upbeat >= _LEAST_UPBEAT_TICKS else -upbeat
        metres = metres[1:]
    merged: list[Metre] = []
    for metre in metres:
        known = replace(metre, numerator=4, denominator=4) if metre.numerator == 1 else metre
        start = max(0, metre.start_ticks + shift) if merged else 0
        if not merged or (merged[-1].numerator, merged[-1].denominator) != (known.numerator, known.denominator):
            merged.append(replace(known, start_ticks=start))
    return tuple(merged), max(0, shift)


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
    last = _scaled(table[START] + table[DURATION], parsed.tpq)
    table[START] = _scaled(table[START], parsed.tpq)
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


def _check_length(tempi: Sequence[Tempo], end: int, name: str, limits: MidiLimits) -> None:
    if not end:
        raise UnreadableFileError(name, "no_notes", "holds no notes.", "Choose a file with music in it.")
    if seconds_at(tempi, end) > limits.max_seconds or end > limits.max_seconds * 10 * TICKS_PER_BEAT:
        raise UnreadableFileError(
            name, "too_large", f"lasts longer than {limits.max_seconds:.0f} seconds.", "Cut it to one song."
        )


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
    tables = own_tables(tracks, events, key=_signature(parsed), tempi=_tempi(parsed), metres=_metres(parsed))
    _check_length(tables.frame.tempi, tables.end_ticks, name, limits)
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
    named = _metres(parsed)
    metres, shift = _musical(named)
    table = _parsed_notes(parsed, name)
    table[START] += shift
    if len(metres) == 1:
        off = off_grid_ticks(table, metres[0], has_metre=all(metre.numerator > 1 for metre in named))
        if off:
            table, moved = moved_to_grid(table, off, metres[0].bar_ticks)
            shift += moved
    first = int(table[START].min()) if table.size else 0
    tempi = _moved_tempi(_tempi(parsed), shift, 0 if any(not event.time for event in parsed.tempos) else first)
    sung = [max(0, _scaled(syllable.ticks, parsed.tpq) + shift) for syllable in words.syllables]
    notes, programs = assign(_tracks(parsed, table), sung)
    end = end_ticks(notes)
    _check_length(tempi, end, name, limits)  # before bars are counted
    heard = pitched(notes)
    frame = Score(
        title=_title(events, words, name),
        key=believed_key(_signature(parsed), profile_of(heard)),
        tempi=tempi,
        metres=metres,
        parts=_NO_NOTES,
        chords=chords_of(heard, list(bars_until(metres, end))),
        syllables=on_melody(words.syllables, sung, notes_of_part(notes, "melody")[START].tolist()) if sung else (),
        programs=programs,
    )
    return ScoreTables(frame, notes)
