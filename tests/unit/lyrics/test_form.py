from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rhapsody_lib.lyrics.form import plan_form, rhyme_group

FORMS = st.none() | st.lists(st.sampled_from(["verse 1", "verse 2", "chorus", "bridge"]), max_size=9)


@given(lines=st.integers(1, 60), max_lines=st.integers(4, 120), form=FORMS)
def test_the_prompt_opens_and_the_limit_holds(lines: int, max_lines: int, form: list[str] | None) -> None:
    prompt = [f"line {number}" for number in range(lines)]
    plan = plan_form(prompt, max_lines, form)
    given_lines = [line for section in plan for line in section.given]
    assert given_lines == prompt
    assert sum(section.lines for section in plan) <= max(max_lines, lines)
    opening = [section.name for section in plan if section.given]
    assert opening == [section.name for section in plan[: len(opening)]]
    assert len(set(opening)) == len(opening)
    assert all(section.lines >= len(section.given) for section in plan)


def test_the_default_form() -> None:
    names = [section.name for section in plan_form(["one"], 24)]
    assert names == ["verse 1", "chorus", "verse 2", "chorus", "bridge", "chorus"]


def test_long_songs_end_in_a_chorus() -> None:
    names = [section.name for section in plan_form(["one"], 120)]
    assert names[-1] == "chorus"
    assert len(set(names)) > 10


def test_rhyme_groups() -> None:
    assert [rhyme_group("ABAB", 4, line) for line in range(4)] == [[0, 2], [1, 3], [0, 2], [1, 3]]
    assert rhyme_group("ABCB", 4, 0) == [0]
    assert rhyme_group("AABB", 6, 5) == [4, 5]
