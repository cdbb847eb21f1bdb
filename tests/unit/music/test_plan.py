"""Plans give every line bars that it can be sung in, and share music where shapes agree."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rhapsody_lib.errors import InputError
from rhapsody_lib.music.plan import PlannedSection, SongPlan, Unsung, bars_for_lines, line_capacity, plan_from_lyrics
from rhapsody_lib.words.document import Lyrics, LyricSection, parse_lyrics
from rhapsody_lib.words.syllables import count_syllables

TEXT = """[verse 1]
the sky is blue above the town
and no one wants to come on down

[chorus]
oh hold the line
oh hold the line

[verse 2]
the rain is green below the hill
and everything is standing still

[chorus]
oh hold the line
oh hold the line
"""


def test_sections_of_one_kind_share_music() -> None:
    plan = plan_from_lyrics(parse_lyrics(TEXT))
    names = [section.name for section in plan.sections]
    assert names == ["intro", "verse 1", "chorus", "verse 2", "chorus", "ending"]
    labels = [section.label for section in plan.sections]
    assert labels[1] == labels[3] == "verse" and labels[2] == labels[4] == "chorus"
    assert plan.bars == 4 + 4 + 4 + 4 + 4 + 2
    assert plan.sections[1].syllables == (8, 8)
    assert [(line.line, line.section, line.start_bar, line.bars) for line in plan.lines()][:3] == [
        (0, 1, 4, 2), (1, 1, 6, 2), (2, 2, 8, 2),
    ]  # fmt: skip


def test_long_lines_get_more_bars_and_music_of_their_own() -> None:
    long = "this prompt goes on and on for ever and a day about a river and the people by the water"
    lyrics = Lyrics(
        "", (LyricSection("verse 1", (long, "short one")), LyricSection("verse 2", ("short one", "again now")))
    )
    plan = plan_from_lyrics(lyrics, unsung=Unsung(0, 0, 0))
    first, second = plan.sections
    assert (first.bars_per_line, second.bars_per_line) == (4, 2)
    assert first.label != second.label


def test_syllables_are_counted_in_the_language_that_is_sung() -> None:
    words = "El corazón de la noche no me quiere", "la poeta y el mío"
    plan = plan_from_lyrics(Lyrics("", (LyricSection("verse", words),)), unsung=Unsung(0, 0, 0))
    assert plan.sections[0].syllables == tuple(count_syllables(line, "es") for line in words)
    assert count_syllables(words[0], "es") != count_syllables(words[0])


def test_usual_bars_of_the_primer_are_kept_unless_lines_are_too_short_for_them() -> None:
    assert bars_for_lines([8, 9], (4, 4), 100, 2) == 2
    assert bars_for_lines([14], (4, 4), 100, 4) == 4
    assert bars_for_lines([4], (4, 4), 100, 4) == 2
    assert bars_for_lines([10], (3, 4), 180, 2) == 4


@given(st.lists(st.integers(1, 200), min_size=1), st.sampled_from([(4, 4), (3, 4), (6, 8), (2, 4), (5, 4)]),
       st.floats(40, 240), st.integers(1, 8))  # fmt: skip
def test_lines_fit_where_they_can(syllables: list[int], metre: tuple[int, int], bpm: float, usual: int) -> None:
    bars = bars_for_lines(syllables, metre, bpm, usual)
    assert bars in {1, 2, 4, 8}
    assert bars == 8 or max(syllables) <= line_capacity(bars, metre, bpm)


@given(st.lists(st.tuples(st.sampled_from(["verse", "chorus", "intro", "ending", "outro"]),
                          st.lists(st.sampled_from(["la", "la la la", "do re mi fa so la ti do " * 3]), max_size=6)),
                max_size=6))  # fmt: skip
def test_any_lyrics_are_planned_or_refused(sections: list[tuple[str, list[str]]]) -> None:
    lyrics = Lyrics("", tuple(LyricSection(name, tuple(lines)) for name, lines in sections))
    if not lyrics.lines:
        with pytest.raises(InputError, match="no lines"):
            plan_from_lyrics(lyrics)
        return
    plan = plan_from_lyrics(lyrics)
    assert len(plan.lines()) == len(lyrics.lines)
    assert [line.syllables for line in plan.lines()] == [s for section in plan.sections for s in section.syllables]
    assert plan.lines()[-1].start_bar + plan.lines()[-1].bars == plan.bars - 2


def _song(form: str) -> Lyrics:
    names = {"v": "verse", "c": "chorus", "b": "bridge", "i": "interlude"}
    return Lyrics("", tuple(LyricSection(names[letter], ("oh hold the line",) * 2) for letter in form))


@pytest.mark.parametrize(
    ("form", "before"),
    [("vcvc", 2), ("vcvcbc", 4), ("vvv", 2), ("vcvvv", 2), ("vc", None), ("v", None)],
)
def test_a_break_comes_after_the_chorus_nearest_to_the_middle(form: str, before: int | None) -> None:
    plan = plan_from_lyrics(_song(form), unsung=Unsung(0, 8, 0))
    found = [number for number, section in enumerate(plan.sections) if not section.syllables]
    assert found == ([] if before is None else [before])
    assert all(plan.sections[number].bars == 8 for number in found)


def test_what_is_sung_keeps_its_name_beside_an_instrumental_of_its_kind() -> None:
    plan = plan_from_lyrics(_song("vcivc"), unsung=Unsung(4, 4, 2))
    both = [section for section in plan.sections if section.kind == "interlude"]
    assert {bool(section.syllables): section.name for section in both} == {
        True: "interlude",
        False: "instrumental interlude",
    }


def test_impossible_plans_are_refused() -> None:
    with pytest.raises(ValueError, match="divide"):
        PlannedSection("verse", "verse", 5, (4, 4))
    with pytest.raises(ValueError, match="differ"):
        SongPlan((4, 4), (PlannedSection("a", "x", 2), PlannedSection("b", "x", 4)))
    with pytest.raises(InputError, match="Shorten"):
        plan_from_lyrics(Lyrics("", (LyricSection("verse", ("la",) * 700),)))
