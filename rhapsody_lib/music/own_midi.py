"""The files that `score_to_midi` writes, read back as they were: parts by name, the rest in tagged text events."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from rhapsody_lib.music.chords import Key, parse_chord
from rhapsody_lib.music.harmony import estimate_key, profile_of
from rhapsody_lib.music.midi_meta import TEXT, TRACK_NAME, TextEvent
from rhapsody_lib.music.note_tables import PART, ScoreTables, end_ticks, joined, pitched
from rhapsody_lib.music.parts import RawTrack
from rhapsody_lib.music.score import DEFAULT_PROGRAMS, PARTS, Metre, Score, Section, Syllable, Tempo, TimedChord


def own_tables(
    tracks: Sequence[RawTrack],
    events: Sequence[TextEvent],
    *,
    key: Key | None,
    tempi: tuple[Tempo, ...],
    metres: tuple[Metre, ...],
) -> ScoreTables:
    """The score of a signed file.

    Args:
        tracks: named after the parts.
        events: the file's text events in order.
        key: of its signature; without one it is estimated.
        tempi: its tempo changes.
        metres: its time signatures.
    """
    by_name = {track.name: track.notes for track in tracks}
    texts = [(event.ticks, event.data.decode("utf-8", "replace")) for event in events if event.kind == TEXT]
    tagged = [(ticks, *text.partition(":")[::2]) for ticks, text in texts]
    for index, part in enumerate(PARTS):
        by_name[part] = by_name.get(part, joined([])).copy()
        by_name[part][PART] = index
    notes = joined([by_name[part] for part in PARTS])
    frame = Score(
        title=next((e.data.decode("utf-8", "replace") for e in events if e.kind == TRACK_NAME and e.track == 0), ""),
        key=key or estimate_key(profile_of(pitched(notes))),
        tempi=tempi,
        metres=metres,
        parts=dict.fromkeys(PARTS, ()),
        chords=tuple(_chords(tagged)),
        sections=tuple(_sections(tagged, max(map(end_ticks, by_name.values())))),
        syllables=read_own_syllables(events),
        programs=_programs(tagged),
        style=next((value for _, tag, value in tagged if tag == "style"), ""),
    )
    return ScoreTables(frame, notes)


def _programs(tagged: Iterable[tuple[int, str, str]]) -> dict[str, int]:
    programs = dict(DEFAULT_PROGRAMS)
    for _, _, value in (item for item in tagged if item[1] == "programs"):
        for part, _, number in (pair.partition("=") for pair in value.split()):
            if part in programs and re.fullmatch(r"[0-9]{1,3}", number):
                programs[part] = min(127, int(number))
    return programs


def _chords(tagged: Iterable[tuple[int, str, str]]) -> Iterable[TimedChord]:
    for ticks, tag, value in tagged:
        if tag == "chord":
            try:
                yield TimedChord(ticks, parse_chord(value))
            except ValueError:
                continue  # the file was edited by hand; the other chords stand


def _sections(tagged: Sequence[tuple[int, str, str]], end_ticks: int) -> Iterable[Section]:
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
