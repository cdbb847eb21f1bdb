"""Tracks of any MIDI file into the six parts.

Rules, in this order:

- Channel 10 is drums. General MIDI families give the rest, as in the Lakh Pianoroll's five tracks: pianos, chromatic
  percussion and organs are `piano`; guitars and plucked strings `guitar`; basses `bass`; every other pitched sound
  `strings`; sound effects and percussive programs are left out.
- The melody is the track that is named one (melody, vocal, voice, lead, sing...), else the track whose onsets meet
  most lyric events (at least half), else the most melodic track: of those with at least 8 notes, median pitch 55 or
  more and at most one note in five sounding together with another, the one that covers most time, high tracks
  preferred. If none is, the highest notes of the busiest pitched track (its skyline) are taken out of it.
- The melody is made monophonic by the skyline rule: the highest of simultaneous notes, each cut where the next begins.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rhapsody_lib.music.score import DEFAULT_PROGRAMS, PART_RANGES, PARTS, TICKS_PER_BEAT, Note

_MELODY_NAME = re.compile(
    r"\b(melod\w*|vocals?|vox|voice|lead|sing\w*|canto|gesang|lyrics?|words|tune|soprano)\b", re.IGNORECASE
)
_NOT_MELODY_NAME = re.compile(r"back(ing|ground)?|harmony|guitar|synth|pad|choir", re.IGNORECASE)
_PLUCKED = frozenset({104, 105, 106, 107})


@dataclass(frozen=True)
class RawTrack:
    """A track as parsed: ticks already at `TICKS_PER_BEAT`."""

    name: str
    program: int
    is_drum: bool
    notes: tuple[Note, ...]


def family(program: int) -> str | None:
    """The part that a General MIDI program belongs to, None for sound effects and percussive sounds."""
    if program <= 23 or program == 108:
        return "piano"
    if program <= 31 or program in _PLUCKED:
        return "guitar"
    if program <= 39:
        return "bass"
    return "strings" if program < 112 else None


def without_overlaps(notes: Iterable[Note]) -> tuple[Note, ...]:
    """Sorted notes in which no pitch sounds twice at once: a note ends where the same pitch starts again."""
    kept: list[Note] = []
    last_of_pitch: dict[int, int] = {}
    for note in sorted(notes):
        index = last_of_pitch.get(note.pitch)
        if index is not None and kept[index].end_ticks > note.start_ticks:
            before = kept[index]
            if before.start_ticks == note.start_ticks:
                kept[index] = max(before, note, key=lambda n: n.duration_ticks)
                continue
            kept[index] = Note(before.start_ticks, before.pitch, note.start_ticks - before.start_ticks, before.velocity)
        last_of_pitch[note.pitch] = len(kept)
        kept.append(note)
    return tuple(kept)


def skyline(notes: Iterable[Note]) -> tuple[Note, ...]:
    """The highest note of each onset, cut where the next begins."""
    highest: dict[int, Note] = {}
    for note in notes:
        if note.start_ticks not in highest or note.pitch > highest[note.start_ticks].pitch:
            highest[note.start_ticks] = note
    line = [highest[start] for start in sorted(highest)]
    cut = []
    for index, note in enumerate(line):
        room = line[index + 1].start_ticks - note.start_ticks if index + 1 < len(line) else note.duration_ticks
        cut.append(Note(note.start_ticks, note.pitch, min(note.duration_ticks, room), note.velocity))
    return tuple(cut)


def in_range(part: str, notes: Iterable[Note]) -> tuple[Note, ...]:
    """Notes folded by octaves into the part's range; drums outside it are dropped."""
    low, high = PART_RANGES[part]
    if part == "drums":
        return tuple(note for note in notes if low <= note.pitch <= high)
    folded = []
    for note in notes:
        pitch = note.pitch
        pitch += 12 * max(0, -(-(low - pitch) // 12))
        pitch -= 12 * max(0, -(-(pitch - high) // 12))
        folded.append(
            note if pitch == note.pitch else Note(note.start_ticks, pitch, note.duration_ticks, note.velocity)
        )
    return tuple(folded)


def _polyphonic_share(notes: Sequence[Note]) -> float:
    """Share of notes that start well inside an earlier one."""
    overlaps, end = 0, 0
    for note in notes:
        overlaps += note.start_ticks + TICKS_PER_BEAT // 8 < end
        end = max(end, note.end_ticks)
    return overlaps / len(notes)


def _median_pitch(notes: Sequence[Note]) -> int:
    return sorted(note.pitch for note in notes)[len(notes) // 2]


def _alignment(notes: Sequence[Note], lyric_ticks: Sequence[int]) -> tuple[float, float]:
    """How well a track sings the words (Dice: a note a syllable is 1), and the share of syllables on an onset."""
    near = TICKS_PER_BEAT // 8
    onsets = {(note.start_ticks + shift) // near for note in notes for shift in (0, near // 2, -(near // 2))}
    met = sum(ticks // near in onsets for ticks in lyric_ticks)
    return 2 * met / (len(lyric_ticks) + len(notes)), met / len(lyric_ticks)


def find_melody(tracks: Sequence[RawTrack], lyric_ticks: Sequence[int]) -> int | None:
    """Index of the melody track, None if no track is one. The rules stand at the top of this module."""
    pitched = [i for i, t in enumerate(tracks) if not t.is_drum and t.notes and family(t.program) is not None]
    named = [i for i in pitched if _MELODY_NAME.search(tracks[i].name) and not _NOT_MELODY_NAME.search(tracks[i].name)]
    if named:
        return max(named, key=lambda i: len(tracks[i].notes))
    if len(lyric_ticks) >= 4 and pitched:
        best = max(pitched, key=lambda i: _alignment(tracks[i].notes, lyric_ticks)[0])
        if _alignment(tracks[best].notes, lyric_ticks)[1] >= 0.5:
            return best
    melodic = [
        i
        for i in pitched
        if len(tracks[i].notes) >= 8
        and family(tracks[i].program) != "bass"
        and _median_pitch(tracks[i].notes) >= 55
        and _polyphonic_share(tracks[i].notes) <= 0.2
    ]

    def presence(i: int) -> float:
        notes = tracks[i].notes
        return sum(note.duration_ticks for note in notes) * (1 + (_median_pitch(notes) - 55) / 24)

    return max(melodic, key=presence) if melodic else None


def assign(
    tracks: Sequence[RawTrack], lyric_ticks: Sequence[int] = ()
) -> tuple[dict[str, tuple[Note, ...]], dict[str, int]]:
    """Notes and programs of the six parts, each part in its range and without overlaps of a pitch."""
    gathered: dict[str, list[Note]] = {part: [] for part in PARTS}
    weight: dict[str, dict[int, int]] = {part: {} for part in PARTS}
    melody_index = find_melody(tracks, lyric_ticks)
    for index, track in enumerate(tracks):
        part = "melody" if index == melody_index else "drums" if track.is_drum else family(track.program)
        if part is not None:
            gathered[part] += track.notes
            weight[part][track.program] = weight[part].get(track.program, 0) + len(track.notes)
    if melody_index is None:
        _take_skyline(gathered)
    else:
        gathered["melody"] = list(skyline(gathered["melody"]))
    programs = dict(DEFAULT_PROGRAMS)
    for part, counts in weight.items():
        if part != "drums" and counts:
            programs[part] = max(counts, key=lambda program: (counts[program], -program))
    return {part: without_overlaps(in_range(part, notes)) for part, notes in gathered.items()}, programs


def _take_skyline(gathered: dict[str, list[Note]]) -> None:
    """Move the highest notes of the busiest of piano, strings and guitar into the melody."""
    source = max(("piano", "strings", "guitar"), key=lambda part: len(gathered[part]))
    high = [note for note in gathered[source] if note.pitch >= 55]
    line = skyline(high)
    taken = {(note.start_ticks, note.pitch) for note in line}
    gathered["melody"] = list(line)
    gathered[source] = [note for note in gathered[source] if (note.start_ticks, note.pitch) not in taken]
