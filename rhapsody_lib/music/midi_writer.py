"""Score to canonical MIDI: pretty_midi writes the six parts, the conductor track before them is made here.

pretty_midi alone would cut tempi to whole microseconds downwards, write text in Latin-1 and know no sections. The
conductor track holds all tempi, metres, the key, lyric events (FF 05, UTF-8) and text events `chord:F#m7`,
`section:verse 1`, `end:verse 1`, `style:folk`, `programs:...`, from which `midi_to_score` gives the same score back.
Its few kinds of events are written without mido, which took half of the time of a corpus of thousands of files.

Lyrics follow the karaoke custom: a syllable that ends its word carries a trailing space, the first of a new line a
leading carriage return.
"""

from __future__ import annotations

import io
from typing import Literal

import numpy as np

from rhapsody_lib.music.midi_meta import LYRIC, TEXT, TRACK_NAME
from rhapsody_lib.music.note_tables import DURATION, PITCH, START, VELOCITY, NoteTable, ScoreTables, notes_of_part
from rhapsody_lib.music.score import PARTS, TICKS_PER_BEAT, Score
from rhapsody_lib.optional import require

#: Text event at tick 0 by which our own files are known.
SIGNATURE = "rhapsody:score 1"
_TICK_S = 0.001  # at 125 quarter notes a minute and 480 ticks a beat a tick is a millisecond: seconds to ticks is exact
#: Sharps (flats below 0) of the key on each pitch class.
_MAJOR_SHARPS = (0, -5, 2, -3, 4, -1, 6, 1, -4, 3, -2, 5)
_MINOR_SHARPS = (-3, 4, -1, -6, 1, -4, 3, -2, 5, 0, -5, 2)
_END_OF_TRACK, _TEMPO, _METRE, _KEY = 0x2F, 0x51, 0x58, 0x59


def _text_events(score: Score) -> list[tuple[int, str]]:
    programs = " ".join(f"{part}={score.programs[part]}" for part in PARTS)
    events = [(0, text) for text in (SIGNATURE, f"style:{score.style}", f"programs:{programs}")]
    for index, section in enumerate(score.sections):
        events.append((section.start_ticks, f"section:{section.name}"))
        following = score.sections[index + 1].start_ticks if index + 1 < len(score.sections) else None
        if section.end_ticks != following:
            events.append((section.end_ticks, f"end:{section.name}"))
    flats = score.key.uses_flats
    return events + [(chord.start_ticks, f"chord:{chord.symbol.name(flats=flats)}") for chord in score.chords]


def _lyric_events(score: Score) -> list[tuple[int, str]]:
    events, line = [], 0
    for syllable in score.syllables:
        text = "\r" * (syllable.line - line) + syllable.text + (" " if syllable.ends_word else "")
        line = syllable.line
        events.append((syllable.start_ticks, text))
    return events


def _number(value: int) -> bytes:
    """A variable-length number."""
    digits = [value & 127]
    while value := value >> 7:
        digits.append(value & 127 | 128)
    return bytes(reversed(digits))


def _conductor_track(score: Score, *, lyrics: bool) -> bytes:
    """The MTrk chunk with everything that is no note."""
    key = (_MAJOR_SHARPS if score.key.mode == "major" else _MINOR_SHARPS)[score.key.tonic]
    events: list[tuple[int, int, bytes]] = [(0, TRACK_NAME, score.title.encode())]
    events += [(t.start_ticks, _TEMPO, round(60_000_000 / t.bpm).to_bytes(3, "big")) for t in score.tempi]
    events += [
        (m.start_ticks, _METRE, bytes((m.numerator, m.denominator.bit_length() - 1, 24, 8))) for m in score.metres
    ]
    events.append((0, _KEY, bytes((key & 255, score.key.mode == "minor"))))
    events += [(ticks, TEXT, text.encode()) for ticks, text in _text_events(score)]
    events += [(ticks, LYRIC, text.encode()) for ticks, text in _lyric_events(score)] if lyrics else []
    events.sort(key=lambda event: event[0])
    track, now = bytearray(), 0
    for ticks, kind, data in events:
        track += _number(ticks - now) + bytes((0xFF, kind)) + _number(len(data)) + data
        now = ticks
    track += bytes((0, 0xFF, _END_OF_TRACK, 0))
    return b"MTrk" + len(track).to_bytes(4, "big") + track


def _instrument_tracks(score: Score) -> tuple[bytes, bytes]:
    """Header chunk, and the MTrk chunks of the six parts in the order of `PARTS`, as pretty_midi writes them."""
    pretty_midi = require("pretty_midi")
    file = pretty_midi.PrettyMIDI(resolution=TICKS_PER_BEAT, initial_tempo=125.0)
    for part in PARTS:
        instrument = pretty_midi.Instrument(program=score.programs[part], is_drum=part == "drums", name=part)
        instrument.notes = [
            pretty_midi.Note(note.velocity, note.pitch, note.start_ticks * _TICK_S, note.end_ticks * _TICK_S)
            for note in score.parts[part]
        ]
        file.instruments.append(instrument)
    buffer = io.BytesIO()
    file.write(buffer)
    data = buffer.getvalue()
    timing_length = 8 + int.from_bytes(data[18:22], "big")
    return data[:14], data[14 + timing_length :]


def _instrument_tracks_fast(frame: Score, notes: NoteTable) -> tuple[bytes, bytes]:
    """The same as `_instrument_tracks` by symusic, a hundred times faster."""
    symusic = require("symusic")
    file = symusic.Score(TICKS_PER_BEAT)
    file.tracks.append(symusic.Track())  # symusic puts its conductor events here; the chunk is cut off below
    for part in PARTS:
        track = symusic.Track(name=part, program=frame.programs[part], is_drum=part == "drums")
        rows = notes_of_part(notes, part)
        times = (np.ascontiguousarray(rows[row], dtype=np.int32) for row in (START, DURATION))
        values = (np.ascontiguousarray(rows[row], dtype=np.int8) for row in (PITCH, VELOCITY))
        track.notes = symusic.Note.from_numpy(*times, *values)
        file.tracks.append(track)
    data = file.dumps_midi()
    timing_length = 8 + int.from_bytes(data[18:22], "big")
    return data[:14], data[14 + timing_length :]


def tables_to_midi(tables: ScoreTables) -> bytes:
    """`score_to_midi` of a score whose notes are a table, by symusic.

    Raises:
        MissingExtraError: symusic is not installed.
    """
    header, instruments = _instrument_tracks_fast(tables.frame, tables.notes)
    return header + _conductor_track(tables.frame, lyrics=True) + instruments


def score_to_midi(
    score: Score,
    *,
    lyrics: Literal["lyric", "none"] = "lyric",
    writer: Literal["pretty_midi", "symusic"] = "pretty_midi",
) -> bytes:
    """A type 1 MIDI file of a score: a conductor track, then a track named for each part.

    Tempi are stored as whole microseconds a quarter note. `lyrics="none"` leaves the words out. Songs are written by
    pretty_midi; a corpus of thousands by symusic, from whose files the same score is read.

    Raises:
        MissingExtraError: the writer is not installed.
    """
    if writer == "pretty_midi":
        header, instruments = _instrument_tracks(score)
    else:
        header, instruments = _instrument_tracks_fast(score, ScoreTables.of(score).notes)
    return header + _conductor_track(score, lyrics=lyrics == "lyric") + instruments
