from __future__ import annotations

import itertools

import pytest

from rhapsody_lib.errors import InputError
from rhapsody_lib.music.chords import parse_chord, parse_key
from rhapsody_lib.music.composer import SongSection, compose_melody
from rhapsody_lib.music.form import ending_bars, intro_bars_of, timed_chords
from rhapsody_lib.music.leadsheet import LeadSheet
from rhapsody_lib.music.rhythm import strength
from rhapsody_lib.music.score import Metre


def bars(text: str) -> tuple:
    return tuple(tuple(parse_chord(name) for name in bar.split()) for bar in text.split("|"))


VERSE = bars("G|Em|C|D|G|Em|C|D7|G|Em|C|D|C|D7|G|G")
CHORUS = bars("C|G|D|Em|C|G|D7|G")
VERSE_1 = SongSection(
    "verse 1",
    VERSE,
    ("The kettle hums beside the door", "My boots are drying on the floor", "A letter waits in yesterday's coat",
     "I read the part about the boat"),
)  # fmt: skip
VERSE_2 = SongSection(
    "verse 2",
    VERSE,
    ("The ferry leaves at half past nine", "I hang your picture on the line", "A paper flag on the garden wall",
     "I never saw a sky so tall"),
)  # fmt: skip
CHORUS_ONE = SongSection(
    "chorus", CHORUS, ("Come home, come home, the tide is low", "Come home, come home, before the snow")
)


def compose(*sections: SongSection, title: str = "Half Past Nine", intro: int = 4, **changes: object) -> LeadSheet:
    values: dict[str, object] = {
        "title": title, "style": "folk", "key": parse_key("G"), "metre": (4, 4), "tempo_bpm": 96.0, "intro_bars": intro,
        "sections": sections or (VERSE_1, CHORUS_ONE, VERSE_2, CHORUS_ONE),
    }  # fmt: skip
    return compose_melody(**{**values, **changes})  # type: ignore[arg-type]


def section_notes(sheet: LeadSheet, number: int) -> list[tuple[int, int, int]]:
    section = sheet.sections[number]
    lines = sorted({s.line for s in sheet.syllables if section.start_ticks <= s.start_ticks < section.end_ticks - 480})
    found = zip(sheet.melody, sheet.syllables, strict=True)
    return [(n.start_ticks - section.start_ticks, n.pitch, n.duration_ticks) for n, s in found if s.line in lines]


def test_every_syllable_has_one_note_at_its_onset() -> None:
    sheet = compose()
    assert [n.start_ticks for n in sheet.melody] == [s.start_ticks for s in sheet.syllables]
    assert all(a.end_ticks <= b.start_ticks for a, b in itertools.pairwise(sheet.melody))
    assert all(55 <= n.pitch <= 77 for n in sheet.melody)
    lines = [line for s in (VERSE_1, CHORUS_ONE, VERSE_2, CHORUS_ONE) for line in s.lines]
    for number, line in enumerate(lines):
        sung = "".join(s.text + " " * s.ends_word for s in sheet.syllables if s.line == number)
        assert sung.strip() == line


def test_form_intro_and_ending() -> None:
    sheet = compose()
    assert [s.name for s in sheet.sections] == ["intro", "verse 1", "chorus", "verse 2", "chorus", "ending"]
    assert sheet.sections[0].end_ticks == 4 * 1920
    assert sheet.chord_at(3 * 1920).root == 2  # the intro leads in by the dominant
    assert sheet.chord_at(sheet.end_ticks - 1) == parse_chord("G")
    assert not [n for n in sheet.melody if n.start_ticks >= sheet.sections[-1].start_ticks]


def test_the_chorus_returns_to_the_note() -> None:
    sheet = compose()
    assert section_notes(sheet, 2)[:-1] == section_notes(sheet, 4)[:-1]


def test_the_second_verse_sounds_like_the_first() -> None:
    sheet = compose()
    first, second = ({(onset, pitch) for onset, pitch, _ in section_notes(sheet, i)} for i in (1, 3))
    assert len(first & second) >= 0.6 * min(len(first), len(second))


def test_a_repeated_line_is_repeated() -> None:
    twice = SongSection("chorus", bars("C|G|C|G"), ("Hold on to me", "Hold on to me"))
    sheet = compose(twice, intro=0)
    by_line = [[n for n, s in zip(sheet.melody, sheet.syllables, strict=True) if s.line == i] for i in (0, 1)]
    assert [(n.start_ticks + 3840, n.pitch) for n in by_line[0]] == [(n.start_ticks, n.pitch) for n in by_line[1]]


def test_choruses_lie_higher_than_verses() -> None:
    higher = 0
    for number in range(12):
        sheet = compose(title=f"Song {number}")
        verse, chorus = ([pitch for _, pitch, _ in section_notes(sheet, i)] for i in (1, 2))
        higher += sum(chorus) / len(chorus) > sum(verse) / len(verse)
    assert higher >= 11


def test_downbeats_are_mostly_chord_tones() -> None:
    hits = total = 0
    for number in range(8):
        sheet = compose(title=f"Song {number}")
        for note in sheet.melody:
            if strength(sheet.metres[0], note.start_ticks) >= 0.75:
                total += 1
                hits += note.pitch % 12 in sheet.chord_at(note.start_ticks).pitch_classes
    assert hits > 0.9 * total


def test_title_decides_the_melody_and_nothing_else_varies() -> None:
    assert compose() == compose()
    assert [n.pitch for n in compose().melody] != [n.pitch for n in compose(title="Another").melody]


def test_without_an_intro_nothing_starts_before_the_beginning() -> None:
    sheet = compose(SongSection("verse 1", bars("G|C"), ("And in the end we all go home",)), intro=0)
    assert sheet.melody[0].start_ticks == 0
    assert len(sheet.melody) == len(sheet.syllables) == 8
    assert all(a.end_ticks <= b.start_ticks for a, b in itertools.pairwise(sheet.melody))


@pytest.mark.parametrize("words", [1, 2, 40, 150])
def test_short_and_crowded_lines_are_set(words: int) -> None:
    sheet = compose(SongSection("verse 1", bars("G|C"), (" ".join(["la"] * words),)))
    assert len(sheet.melody) == words


def test_an_impossible_line_is_refused() -> None:
    with pytest.raises(InputError, match="syllables does not fit"):
        compose(SongSection("verse 1", bars("G"), ("la " * 3000,)))


def test_several_chords_share_a_bar_on_the_beats() -> None:
    assert [c.start_ticks for c in timed_chords(bars("C F|G F Em"), Metre(0, 4, 4), 0)] == [0, 960, 1920, 2880, 3360]
    assert [c.start_ticks for c in timed_chords(bars("C F"), Metre(0, 3, 4), 0)] == [0, 960]
    assert [c.start_ticks for c in timed_chords(bars("C F"), Metre(0, 6, 8), 0)] == [0, 720]


@pytest.mark.parametrize("style", ["blues", "swing", "ballad", "rock"])
@pytest.mark.parametrize("key", ["C", "F# minor", "Bb"])
def test_endings_close_on_the_tonic(style: str, key: str) -> None:
    found = ending_bars(style, parse_key(key), 120.0)
    assert 2 <= len(found) <= 4
    assert found[-1][-1].root == parse_key(key).tonic


def test_an_intro_may_be_longer_than_the_first_section() -> None:
    assert len(intro_bars_of(bars("C|F"), 5, parse_key("C"))) == 5
    assert intro_bars_of(bars("C|F"), 0, parse_key("C")) == ()
