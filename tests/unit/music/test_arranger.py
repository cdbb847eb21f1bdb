from __future__ import annotations

import dataclasses
import itertools

import pytest
from hypothesis import given, settings

from rhapsody_lib.music.arranger import arrange, swung
from rhapsody_lib.music.chords import parse_chord, parse_key
from rhapsody_lib.music.leadsheet import LeadSheet
from rhapsody_lib.music.score import PART_RANGES, PARTS, Metre, Note, Section, Syllable, TimedChord
from rhapsody_lib.music.styles import STYLES
from tests.unit.music.music_strategies import lead_sheets


def sheet(style: str = "pop", metre: tuple[int, int] = (4, 4), chords: str = "C Am F G7 C Am F G7 C") -> LeadSheet:
    time = Metre(0, *metre)
    bar = time.bar_ticks
    names = chords.split()
    half = len(names) // 2 * bar
    return LeadSheet(
        title="Harbour Light",
        style=style,
        key=parse_key("C"),
        tempo_bpm=100.0,
        metres=(time,),
        melody=tuple(Note(i * bar, 64 + i % 5, bar // 2, 80) for i in range(len(names) - 1)),
        chords=tuple(TimedChord(i * bar, parse_chord(name)) for i, name in enumerate(names)),
        sections=(Section("verse 1", 0, half), Section("chorus", half, len(names) * bar)),
        syllables=(Syllable(0, "la", True, 0),),
        end_ticks=len(names) * bar,
    )


@settings(max_examples=60)
@given(lead_sheets())
def test_any_sheet_gives_a_lawful_score(found: LeadSheet) -> None:
    score = arrange(found)
    for part in PARTS:
        notes, (low, high) = score.parts[part], PART_RANGES[part]
        assert list(notes) == sorted(notes)
        assert all(low <= n.pitch <= high and 1 <= n.velocity <= 127 and n.duration_ticks >= 1 for n in notes)
        for _, same in itertools.groupby(sorted(notes, key=lambda n: n.pitch), key=lambda n: n.pitch):
            assert all(a.end_ticks <= b.start_ticks for a, b in itertools.pairwise(same))
    last = score.chords[-1].symbol
    assert last.root == found.key.tonic
    assert score.parts["bass"] and score.parts["piano"] and score.parts["drums"]


@pytest.mark.parametrize("style", sorted(STYLES))
@pytest.mark.parametrize("metre", [(4, 4), (3, 4), (6, 8), (2, 4), (12, 8), (5, 4), (7, 8), (2, 2)])
def test_every_style_and_metre_has_sound_in_each_part_and_bar(style: str, metre: tuple[int, int]) -> None:
    score = arrange(sheet(style, metre))
    assert all(score.parts[part] for part in PARTS)
    for start, time in score.bars():
        inside = [
            n for p in PARTS if p != "melody" for n in score.parts[p] if start <= n.start_ticks < start + time.bar_ticks
        ]
        assert len(inside) >= 2
    assert score.style == style and score.programs == STYLES[style].program_of_part()


def test_same_sheet_same_score_and_other_title_other_velocities() -> None:
    assert arrange(sheet()) == arrange(sheet())
    other = arrange(dataclasses.replace(sheet(), title="Harbour Night"))
    assert [n.velocity for n in other.parts["piano"]] != [n.velocity for n in arrange(sheet()).parts["piano"]]
    assert [n.pitch for n in other.parts["piano"]] == [n.pitch for n in arrange(sheet()).parts["piano"]]


def test_melody_and_words_keep_their_places_in_straight_styles() -> None:
    source = sheet()
    score = arrange(source)
    assert [(n.start_ticks, n.pitch, n.duration_ticks) for n in score.parts["melody"]] == [
        (n.start_ticks, n.pitch, n.duration_ticks) for n in source.melody
    ]
    assert score.syllables == source.syllables


def test_swing_moves_offbeats_and_syllables_together() -> None:
    source = dataclasses.replace(
        sheet("swing"), melody=(Note(240, 64, 240, 80),), syllables=(Syllable(240, "la", True, 0),)
    )
    score = arrange(source)
    assert score.parts["melody"][0].start_ticks == score.syllables[0].start_ticks == 320
    assert [swung(t) for t in (0, 240, 480, 720)] == [0, 320, 480, 800]
    assert (
        all(swung(t) < swung(t + 1) for t in range(0, 960, 7)) or min(swung(t + 1) - swung(t) for t in range(960)) >= 0
    )


def test_a_sheet_that_ends_elsewhere_is_brought_home() -> None:
    away = sheet(chords="C F G7 Dm")
    score = arrange(away)
    assert score.chords[-1].symbol == parse_chord("C")
    assert score.chords[-1].start_ticks == away.end_ticks
    assert score.sections[-1].name == "ending"
    final = [n for n in score.parts["bass"] if n.start_ticks >= away.end_ticks]
    assert [n.pitch % 12 for n in final] == [0]


def test_choruses_are_fuller_and_open_with_a_crash() -> None:
    source = sheet("rock", chords="C F G C C F G C C")
    score = arrange(source)
    chorus = source.sections[1].start_ticks
    assert any(n.pitch == 49 and n.start_ticks == chorus for n in score.parts["drums"])
    assert not [n for n in score.parts["strings"] if n.start_ticks < chorus]

    def loudness(part: str, *, after: bool) -> float:
        notes = [n.velocity for n in score.parts[part] if (n.start_ticks >= chorus) == after]
        return sum(notes) / len(notes)

    assert loudness("guitar", after=True) > loudness("guitar", after=False)


def test_sections_end_in_a_fill() -> None:
    source = sheet("pop")
    drums = arrange(source).parts["drums"]
    end = source.sections[0].end_ticks
    assert any(n.pitch in {45, 47, 50} and end - 960 <= n.start_ticks < end for n in drums)


def test_walking_bass_meets_each_root_and_steps_into_the_next() -> None:
    source = sheet("swing", chords="Dm7 G7 Cmaj7 A7 Dm7 G7 C6 A7 Dm7 G7 C6 C6")
    chorus = source.sections[1].start_ticks
    bass = [n for n in arrange(source).parts["bass"] if chorus <= n.start_ticks < source.end_ticks - 1920]
    assert len(bass) == 4 * ((source.end_ticks - chorus) // 1920 - 1)
    for before, note in itertools.pairwise(bass):
        chord = source.chord_at(note.start_ticks)
        if note.start_ticks % 1920 == 0 and chord is not None:
            assert note.pitch % 12 == chord.bass
            assert abs(note.pitch - before.pitch) <= 2 or (note.pitch - before.pitch) % 12 in {5, 7}


def test_held_chords_change_with_the_harmony() -> None:
    source = sheet("ballad", chords="C C C C C C C C C")
    split = (TimedChord(0, parse_chord("C")), TimedChord(960, parse_chord("F")), TimedChord(1920, parse_chord("C")))
    score = arrange(dataclasses.replace(source, chords=split))
    held = [n for n in score.parts["guitar"] if n.start_ticks < 1920]
    assert {n.pitch % 12 for n in held if n.start_ticks < 960} == {0, 4, 7}
    assert {n.pitch % 12 for n in held if n.start_ticks >= 960} == {5, 9, 0}
    assert all(n.end_ticks <= 960 for n in held if n.start_ticks < 960)


def test_sheets_without_chords_or_sections_are_harmonised() -> None:
    bare = dataclasses.replace(sheet(), chords=(), sections=(), style="unknown")
    score = arrange(bare)
    assert score.chords and score.chords[0].start_ticks == 0
    assert score.parts["strings"]


def test_intro_quotes_the_tune() -> None:
    source = sheet("pop", chords="C Am F G7 C Am F G7 C")
    bar = 1920
    sections = (Section("intro", 0, 4 * bar), Section("verse 1", 4 * bar, 9 * bar))
    tune = tuple(Note(4 * bar + i * 480, 60 + i % 8, 400, 80) for i in range(14))
    score = arrange(dataclasses.replace(source, sections=sections, melody=tune))
    quoted = {(n.start_ticks, n.pitch) for n in score.parts["piano"]}
    assert {(n.start_ticks - 4 * bar, n.pitch + 12) for n in tune[:12]} <= quoted
