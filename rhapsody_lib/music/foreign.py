"""Music of any maker to a score: what MIDI files and piano rolls have in common once their notes are in a table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from rhapsody_lib.errors import UnreadableFileError
from rhapsody_lib.music.chords import Key
from rhapsody_lib.music.grid_phase import moved_to_grid, off_grid_ticks
from rhapsody_lib.music.harmony import believed_key, chords_of, profile_of
from rhapsody_lib.music.midi_words import Sung, on_melody
from rhapsody_lib.music.note_tables import START, NoteTable, ScoreTables, end_ticks, notes_of_part, pitched
from rhapsody_lib.music.parts import RawTrack, assign
from rhapsody_lib.music.score import PARTS, TICKS_PER_BEAT, Metre, Note, Score, Tempo, bars_until, seconds_at

Ticks = TypeVar("Ticks", int, npt.NDArray[np.int64])
DEFAULT_BPM = 120.0
BELIEVED_BPM = (8.0, 600.0)
MAX_CHANGES = 2000
#: A first time signature this late is a slip of the program that wrote it, no upbeat.
_LEAST_UPBEAT_TICKS = TICKS_PER_BEAT // 8
_NO_NOTES: Mapping[str, tuple[Note, ...]] = MappingProxyType(dict.fromkeys(PARTS, ()))


@dataclass(frozen=True)
class MidiLimits:
    """What a file may ask for before it is refused as too large."""

    max_bytes: int = 10_000_000
    max_notes: int = 100_000
    max_tracks: int = 1000
    max_seconds: float = 3600.0


DEFAULT_LIMITS = MidiLimits()


@dataclass(frozen=True)
class Conductor:
    """Tempi and metres as a file names them, with 120 and 4/4 where it names none.

    `names_metre` is whether bars can be believed (a 1/4 is what converters write for no metre at all), `names_tempo`
    whether a tempo stands at the start, `first_metre_ticks` where the first time signature stands, if there is one,
    and `first_note_ticks` where the first note begins (0 unless it was asked for).
    """

    tempi: tuple[Tempo, ...]
    metres: tuple[Metre, ...]
    names_metre: bool = True
    names_tempo: bool = True
    first_metre_ticks: int | None = 0
    first_note_ticks: int = 0


def conductor_of(parsed: Any) -> Conductor:
    """The conductor of a file that symusic has parsed."""
    metres = metres_of(parsed)
    named = [int(event.time) for event in parsed.time_signatures]
    return Conductor(
        tempi=tempi_of(parsed),
        metres=metres,
        names_metre=all(metre.numerator > 1 for metre in metres),
        names_tempo=any(not event.time for event in parsed.tempos),
        first_metre_ticks=max(0, scaled(min(named), parsed.tpq)) if named else None,
    )


def scaled(ticks: Ticks, tpq: int) -> Ticks:
    """Ticks of a file in those of a score."""
    if TICKS_PER_BEAT % tpq == 0:
        return ticks * (TICKS_PER_BEAT // tpq)
    return (ticks * TICKS_PER_BEAT * 2 + tpq) // (2 * tpq)


def tempi_of(parsed: Any) -> tuple[Tempo, ...]:
    """Tempo changes that can be believed; repeated ones merged, 120 where the file names none at its start."""
    tempi = [Tempo(0, DEFAULT_BPM)]
    for event in sorted(parsed.tempos, key=lambda event: event.time)[:MAX_CHANGES]:
        if event.mspq <= 0 or event.time < 0:
            continue
        bpm = round(60_000_000 / event.mspq, 2)
        start = scaled(event.time, parsed.tpq)
        if not BELIEVED_BPM[0] <= bpm <= BELIEVED_BPM[1] or bpm == tempi[-1].bpm:
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


def metres_of(parsed: Any) -> tuple[Metre, ...]:
    """Time signatures that can be."""
    metres = [Metre(0, 4, 4)]
    for event in sorted(parsed.time_signatures, key=lambda event: event.time)[:MAX_CHANGES]:
        numerator, denominator = int(event.numerator), int(event.denominator)
        if event.time < 0 or not 1 <= numerator <= 32 or denominator not in {1, 2, 4, 8, 16, 32}:
            continue
        start = scaled(event.time, parsed.tpq)
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


def check_length(tempi: Sequence[Tempo], end: int, name: str, limits: MidiLimits) -> None:
    """Refuse music without notes, or of more seconds or ticks than the limits allow.

    Raises:
        UnreadableFileError: `no_notes` or `too_large`.
    """
    if not end:
        raise UnreadableFileError(name, "no_notes", "holds no notes.", "Choose a file with music in it.")
    if seconds_at(tempi, end) > limits.max_seconds or end > limits.max_seconds * 10 * TICKS_PER_BEAT:
        raise UnreadableFileError(
            name, "too_large", f"lasts longer than {limits.max_seconds:.0f} seconds.", "Cut it to one song."
        )


def assembled(
    tracks_of: Callable[[NoteTable], list[RawTrack]],
    table: NoteTable,
    conductor: Conductor,
    *,
    title: str,
    name: str,
    limits: MidiLimits,
    signature: Key | None = None,
    syllables: Sequence[Sung] = (),
    sung_ticks: Sequence[int] = (),
) -> ScoreTables:
    """Notes of tracks as a score: bars made whole, tracks mapped to parts, key and chords told.

    Args:
        tracks_of: the tracks of a table, once its notes have moved.
        table: the notes of all tracks, each track's index as their part, sorted by `in_order`.
        conductor: tempi and metres.
        title: of the score.
        name: what messages call the file.
        limits: what it may ask for.
        signature: the key that the file names.
        syllables: the words that are sung.
        sung_ticks: where each of them is.

    Raises:
        UnreadableFileError: `no_notes` or `too_large`.
    """
    metres, shift = _musical(conductor.metres)
    table[START] += shift
    if len(metres) == 1:
        off = off_grid_ticks(table, metres[0], has_metre=conductor.names_metre)
        if off:
            table, moved = moved_to_grid(table, off, metres[0].bar_ticks)
            shift += moved
    first = int(table[START].min()) if table.size else 0
    tempi = _moved_tempi(conductor.tempi, shift, 0 if conductor.names_tempo else first)
    sung = [max(0, ticks + shift) for ticks in sung_ticks]
    notes, programs = assign(tracks_of(table), sung)
    end = end_ticks(notes)
    check_length(tempi, end, name, limits)  # before bars are counted
    heard = pitched(notes)
    frame = Score(
        title=title,
        key=believed_key(signature, profile_of(heard)),
        tempi=tempi,
        metres=metres,
        parts=_NO_NOTES,
        chords=chords_of(heard, list(bars_until(metres, end))),
        syllables=on_melody(syllables, sung, notes_of_part(notes, "melody")[START].tolist()) if sung else (),
        programs=programs,
    )
    return ScoreTables(frame, notes)
