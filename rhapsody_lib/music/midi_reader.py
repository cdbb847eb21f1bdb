"""Any MIDI file to a score. Files are untrusted: size, notes and length are limited; symusic parses the notes."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from rhapsody_lib.errors import UnreadableFileError
from rhapsody_lib.music.chords import Key, parse_chord
from rhapsody_lib.music.harmony import believed_key, estimate_chords, pitch_class_profile
from rhapsody_lib.music.midi_meta import TEXT, TRACK_NAME, TextEvent, decode, text_events, unwrapped
from rhapsody_lib.music.midi_words import Words, on_melody, read_words
from rhapsody_lib.music.midi_writer import SIGNATURE
from rhapsody_lib.music.parts import RawTrack, assign
from rhapsody_lib.music.score import (
    DEFAULT_PROGRAMS,
    PARTS,
    TICKS_PER_BEAT,
    Metre,
    Note,
    Score,
    Section,
    Syllable,
    Tempo,
    TimedChord,
)
from rhapsody_lib.optional import require

DEFAULT_BPM = 120.0
_BELIEVED_BPM = (8.0, 600.0)
_MAX_CHANGES = 2000


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
        return symusic.Score.from_midi(unwrapped(data))
    except (RuntimeError, ValueError, OverflowError, MemoryError) as error:
        reason = re.sub(r"\s+", " ", str(error))[:160]
        raise UnreadableFileError(
            name, "bad_midi", f"is not a MIDI file that can be read ({reason}).", "Export it again."
        ) from error


def _scaled(ticks: int, tpq: int) -> int:
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


def _metres(parsed: Any, *, trusted: bool) -> tuple[Metre, ...]:
    """Time signatures that can be believed. A 1/4 bar, which converters write for none, counts as 4/4."""
    metres = [Metre(0, 4, 4)]
    for event in sorted(parsed.time_signatures, key=lambda event: event.time)[:_MAX_CHANGES]:
        numerator, denominator = int(event.numerator), int(event.denominator)
        if event.time < 0 or not 1 <= numerator <= 32 or denominator not in {1, 2, 4, 8, 16, 32}:
            continue
        if numerator == 1 and not trusted:
            numerator, denominator = 4, 4
        start = _scaled(event.time, parsed.tpq)
        if (numerator, denominator) == (metres[-1].numerator, metres[-1].denominator):
            continue
        if metres[-1].start_ticks == start:
            metres.pop()
        metres.append(Metre(start, numerator, denominator))
    return tuple(metres)


def _signature(parsed: Any) -> Key | None:
    for event in parsed.key_signatures:
        if -7 <= event.key <= 7 and event.tonality in {0, 1}:
            return Key(event.key * 7 % 12, "major") if event.tonality == 0 else Key((event.key * 7 + 9) % 12, "minor")
    return None


def _tracks(parsed: Any, name: str) -> list[RawTrack]:
    tracks = []
    for track in parsed.tracks:
        columns = track.notes.numpy()
        rows = zip(*(columns[c].tolist() for c in ("time", "duration", "pitch", "velocity")), strict=True)
        notes = []
        for start, duration, pitch, velocity in rows:
            if start < 0 or duration < 0:
                raise UnreadableFileError(name, "bad_midi", "has times beyond what MIDI files can hold.")
            if 1 <= velocity <= 127 and 0 <= pitch <= 127:
                first = _scaled(start, parsed.tpq)
                last = _scaled(start + duration, parsed.tpq)
                notes.append(Note(first, pitch, max(1, last - first), velocity))
        tracks.append(RawTrack(str(track.name), int(track.program) & 127, bool(track.is_drum), tuple(sorted(notes))))
    return tracks


def _check_length(score: Score, name: str, limits: MidiLimits) -> None:
    notes = [note for part in PARTS for note in score.parts[part]]
    if not notes:
        raise UnreadableFileError(name, "no_notes", "holds no notes.", "Choose a file with music in it.")
    if score.duration_s > limits.max_seconds or score.end_ticks > limits.max_seconds * 10 * TICKS_PER_BEAT:
        raise UnreadableFileError(
            name, "too_large", f"lasts longer than {limits.max_seconds:.0f} seconds.", "Cut it to one song."
        )


def midi_to_score(data: bytes, name: str, *, limits: MidiLimits = DEFAULT_LIMITS) -> Score:
    """Read a MIDI, karaoke (.kar) or RIFF/RMID file; nothing is quantised.

    Files written by `score_to_midi` come back as they were. In others, tracks are mapped to parts by the rules of
    `music.parts`, notes are folded into the parts' ranges, the key is believed unless the notes contradict it, and
    chords are estimated (`music.harmony`).

    Args:
        data: the file's bytes.
        name: what messages call the file.
        limits: what it may ask for.

    Raises:
        UnreadableFileError: with code `bad_midi`, `no_notes` or `too_large`.
        MissingExtraError: symusic is not installed.
    """
    if len(data) > limits.max_bytes:
        raise UnreadableFileError(
            name, "too_large", f"has {len(data):,} bytes; {limits.max_bytes:,} are allowed.", "Is it one song?"
        )
    parsed = _parsed(data, name)
    if parsed.tpq <= 0:
        raise UnreadableFileError(name, "bad_midi", "names no ticks per beat.")
    if parsed.note_num() > limits.max_notes or len(parsed.tracks) > limits.max_tracks:
        raise UnreadableFileError(name, "too_large", f"has more than {limits.max_notes:,} notes.", "Is it one song?")
    events = text_events(data)
    tracks = _tracks(parsed, name)
    own = any(event.kind == TEXT and event.data == SIGNATURE.encode() for event in events)
    if not own:
        return _foreign_score(parsed, tracks, events, name, limits)
    score = _own_score(parsed, tracks, events)
    _check_length(score, name, limits)
    return score


def _title(events: Sequence[TextEvent], words: Words, name: str) -> str:
    names = [event.data for event in events if event.kind == TRACK_NAME and event.track == 0]
    title = words.title or (decode(names[:1])[0] if names else "")
    title = re.sub(r"[\x00-\x1f\x7f-\x9f]+", " ", title).strip()[:120]
    if title and title.lower() not in {"soft karaoke", "melody", "piano", "untitled", "track 0", "conductor"}:
        return title
    return re.sub(r"\.(midi?|kar|rmi)$", "", re.split(r"[/\\]", name)[-1], flags=re.IGNORECASE)[:120]


def _foreign_score(
    parsed: Any, tracks: Sequence[RawTrack], events: Sequence[TextEvent], name: str, limits: MidiLimits
) -> Score:
    words = read_words(events)
    syllables = [Syllable(_scaled(s.start_ticks, parsed.tpq), s.text, s.ends_word, s.line) for s in words.syllables]
    parts, programs = assign(tracks, [s.start_ticks for s in syllables])
    pitched = [note for part in PARTS if part != "drums" for note in parts[part]]
    score = Score(
        title=_title(events, words, name),
        key=believed_key(_signature(parsed), pitch_class_profile(pitched)),
        tempi=_tempi(parsed),
        metres=_metres(parsed, trusted=False),
        parts=parts,
        syllables=on_melody(syllables, parts["melody"]),
        programs=programs,
    )
    _check_length(score, name, limits)  # before bars are counted
    return dataclasses.replace(score, chords=estimate_chords(pitched, list(score.bars())))


def _own_score(parsed: Any, tracks: Sequence[RawTrack], events: Sequence[TextEvent]) -> Score:
    by_name = {track.name: track for track in tracks}
    texts = [(event.ticks, event.data.decode("utf-8", "replace")) for event in events if event.kind == TEXT]
    tagged = [(ticks, *text.partition(":")[::2]) for ticks, text in texts]
    programs = dict(DEFAULT_PROGRAMS)
    for _, _, value in (item for item in tagged if item[1] == "programs"):
        for part, _, number in (pair.partition("=") for pair in value.split()):
            if part in programs and re.fullmatch(r"[0-9]{1,3}", number):
                programs[part] = min(127, int(number))
    parts = {part: by_name[part].notes if part in by_name else () for part in PARTS}
    pitched = [note for part in PARTS if part != "drums" for note in parts[part]]
    return Score(
        title=next((e.data.decode("utf-8", "replace") for e in events if e.kind == TRACK_NAME and e.track == 0), ""),
        key=_signature(parsed) or believed_key(None, pitch_class_profile(pitched)),
        tempi=_tempi(parsed),
        metres=_metres(parsed, trusted=True),
        parts=parts,
        chords=tuple(_own_chords(tagged)),
        sections=tuple(_own_sections(tagged, max((note.end_ticks for t in tracks for note in t.notes), default=0))),
        syllables=read_own_syllables(events),
        programs=programs,
        style=next((value for _, tag, value in tagged if tag == "style"), ""),
    )


def _own_chords(tagged: Iterable[tuple[int, str, str]]) -> Iterable[TimedChord]:
    for ticks, tag, value in tagged:
        if tag == "chord":
            try:
                yield TimedChord(ticks, parse_chord(value))
            except ValueError:
                continue  # the file was edited by hand; the other chords stand


def _own_sections(tagged: Sequence[tuple[int, str, str]], end_ticks: int) -> Iterable[Section]:
    marks = [(ticks, tag, value) for ticks, tag, value in tagged if tag in {"section", "end"}]
    for index, (ticks, tag, value) in enumerate(marks):
        if tag == "section":
            yield Section(value, ticks, marks[index + 1][0] if index + 1 < len(marks) else end_ticks)


def read_own_syllables(events: Sequence[TextEvent]) -> tuple[Syllable, ...]:
    """Syllables as `score_to_midi` writes them: each carriage return is one line on."""
    line, syllables = 0, []
    for event in events:
        if event.kind == 0x05:
            text = event.data.decode("utf-8", "replace")
            line += len(text) - len(text.lstrip("\r"))
            ends_word = text.endswith(" ")
            syllables.append(Syllable(event.ticks, text.lstrip("\r").removesuffix(" "), ends_word, line))
    return tuple(syllables)
