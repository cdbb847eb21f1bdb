"""Score to canonical MIDI: pretty_midi writes the six parts, the conductor track before them is made with mido.

pretty_midi alone would cut tempi to whole microseconds downwards, write text in Latin-1 and know no sections. The
conductor track holds all tempi, metres, the key, lyric events (FF 05, UTF-8) and text events `chord:F#m7`,
`section:verse 1`, `end:verse 1`, `style:folk`, `programs:...`, from which `midi_to_score` gives the same score back.

Lyrics follow the karaoke custom: a syllable that ends its word carries a trailing space, the first of a new line a
leading carriage return.
"""

from __future__ import annotations

import io
from typing import Any, Literal

import numpy as np

from rhapsody_lib.music.chords import Key
from rhapsody_lib.music.score import PARTS, TICKS_PER_BEAT, Score
from rhapsody_lib.optional import require

#: Text event at tick 0 by which our own files are known.
SIGNATURE = "rhapsody:score 1"
_TICK_S = 0.001  # at 125 quarter notes a minute and 480 ticks a beat a tick is a millisecond: seconds to ticks is exact
_MAJOR_NAMES = ("C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
_MINOR_NAMES = ("Cm", "C#m", "Dm", "Ebm", "Em", "Fm", "F#m", "Gm", "G#m", "Am", "Bbm", "Bm")


def _key_signature(key: Key) -> str:
    return (_MAJOR_NAMES if key.mode == "major" else _MINOR_NAMES)[key.tonic]


def _text_events(score: Score, meta: Any) -> list[tuple[int, Any]]:
    programs = " ".join(f"{part}={score.programs[part]}" for part in PARTS)
    events = [(0, text) for text in (SIGNATURE, f"style:{score.style}", f"programs:{programs}")]
    for index, section in enumerate(score.sections):
        events.append((section.start_ticks, f"section:{section.name}"))
        following = score.sections[index + 1].start_ticks if index + 1 < len(score.sections) else None
        if section.end_ticks != following:
            events.append((section.end_ticks, f"end:{section.name}"))
    events += [(chord.start_ticks, f"chord:{chord.symbol.name(flats=score.key.uses_flats)}") for chord in score.chords]
    return [(ticks, meta("text", text=text)) for ticks, text in events]


def _lyric_events(score: Score, meta: Any) -> list[tuple[int, Any]]:
    events, line = [], 0
    for syllable in score.syllables:
        text = "\r" * (syllable.line - line) + syllable.text + (" " if syllable.ends_word else "")
        line = syllable.line
        events.append((syllable.start_ticks, meta("lyrics", text=text)))
    return events


def _conductor_track(score: Score, *, lyrics: bool) -> bytes:
    """The MTrk chunk with everything that is no note."""
    mido = require("mido")
    meta = mido.MetaMessage
    events: list[tuple[int, Any]] = [(0, meta("track_name", name=score.title))]
    events += [(t.start_ticks, meta("set_tempo", tempo=round(60_000_000 / t.bpm))) for t in score.tempi]
    events += [
        (m.start_ticks, meta("time_signature", numerator=m.numerator, denominator=m.denominator)) for m in score.metres
    ]
    events.append((0, meta("key_signature", key=_key_signature(score.key))))
    events += _text_events(score, meta)
    events += _lyric_events(score, meta) if lyrics else []
    events.sort(key=lambda event: event[0])
    track, now = mido.MidiTrack(), 0
    for ticks, message in events:
        track.append(message.copy(time=ticks - now))
        now = ticks
    buffer = io.BytesIO()
    mido.MidiFile(type=1, ticks_per_beat=TICKS_PER_BEAT, charset="utf-8", tracks=[track]).save(file=buffer)
    return buffer.getvalue()[14:]


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


def _instrument_tracks_fast(score: Score) -> tuple[bytes, bytes]:
    """The same as `_instrument_tracks` by symusic, a hundred times faster."""
    symusic = require("symusic")
    file = symusic.Score(TICKS_PER_BEAT)
    file.tracks.append(symusic.Track())  # symusic puts its conductor events here; the chunk is cut off below
    for part in PARTS:
        track = symusic.Track(name=part, program=score.programs[part], is_drum=part == "drums")
        rows = np.array(
            [(n.start_ticks, n.duration_ticks, n.pitch, n.velocity) for n in score.parts[part]], dtype=np.int32
        ).reshape(-1, 4)
        time, duration, pitch, velocity = (np.ascontiguousarray(column) for column in rows.T)
        track.notes = symusic.Note.from_numpy(time, duration, pitch.astype(np.int8), velocity.astype(np.int8))
        file.tracks.append(track)
    data = file.dumps_midi()
    timing_length = 8 + int.from_bytes(data[18:22], "big")
    return data[:14], data[14 + timing_length :]


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
        MissingExtraError: the writer or mido is not installed.
    """
    header, instruments = _instrument_tracks(score) if writer == "pretty_midi" else _instrument_tracks_fast(score)
    return header + _conductor_track(score, lyrics=lyrics == "lyric") + instruments
