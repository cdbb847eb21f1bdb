from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rhapsody_lib.errors import InputError
from rhapsody_lib.lyrics.form import SCHEMES, SECTIONS, check_form, parse_form, plan_form, rhyme_group

FORMS = st.lists(st.sampled_from(["verse 1", "verse 2", "chorus", "bridge"]), max_size=9)


@given(lines=st.integers(1, 60), max_lines=st.integers(4, 120), form=FORMS, size=st.integers(2, 8))
def test_the_prompt_opens_and_the_limit_holds(lines: int, max_lines: int, form: list[str], size: int) -> None:
    prompt = [f"line {number}" for number in range(lines)]
    plan = plan_form(prompt, max_lines, form, size)
    given_lines = [line for section in plan for line in section.given]
    assert given_lines == prompt
    if form:
        names, own = [section.name for section in plan], [section.name for section in plan[len(plan) - len(form) :]]
        assert [name.split()[0] for name in own] == [name.split()[0] for name in form]
        assert [own.index(name) for name in own] == [form.index(name) for name in form]
        assert names[: len(plan) - len(form)] == [f"verse {number}" for number in range(1, len(plan) - len(form) + 1)]
    else:
        assert sum(section.lines for section in plan) <= max(max_lines, lines, size)
    opening = [section.name for section in plan if section.given]
    assert opening == [section.name for section in plan[: len(opening)]]
    assert len(set(opening)) == len(opening)
    assert all(size >= section.lines >= len(section.given) for section in plan)


def test_a_prompt_longer_than_the_form_s_opening_goes_before_the_whole_form() -> None:
    form = ("verse 1", "chorus", "verse 1", "chorus", "bridge", "chorus")
    plan = plan_form([f"line {number}" for number in range(12)], 24, form)
    assert [section.name for section in plan] == [
        "verse 1", "verse 2", "verse 3", "verse 4", "chorus", "verse 4", "chorus", "bridge", "chorus",
    ]  # fmt: skip
    assert [len(section.given) for section in plan] == [4, 4, 4, 0, 0, 0, 0, 0, 0]


def test_a_form_that_opens_with_sections_enough_holds_the_prompt_itself() -> None:
    plan = plan_form([f"line {number}" for number in range(7)], 24, ("verse 1", "chorus", "verse 2", "chorus"))
    assert [(section.name, len(section.given)) for section in plan] == [
        ("verse 1", 4), ("chorus", 3), ("verse 2", 0), ("chorus", 0),
    ]  # fmt: skip


def test_the_default_form() -> None:
    names = [section.name for section in plan_form(["one"], 24)]
    assert names == ["verse 1", "chorus", "verse 2", "chorus", "bridge", "chorus"]


def test_long_songs_end_in_a_chorus() -> None:
    names = [section.name for section in plan_form(["one"], 120)]
    assert names[-1] == "chorus"
    assert len(set(names)) > 10


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", ()),
        ("verse chorus verse chorus", ("verse 1", "chorus", "verse 2", "chorus")),
        ("Verse 1, Chorus - verse 1 / Bridge", ("verse 1", "chorus", "verse 1", "bridge")),
        ("verse verse2 verse prechorus pre-chorus", ("verse 1", "verse 2", "verse 3", "pre-chorus", "pre-chorus")),
        ("verse pre chorus chorus post-chorus", ("verse 1", "pre-chorus", "chorus", "refrain")),
    ],
)
def test_a_form_in_words(text: str, names: tuple[str, ...]) -> None:
    assert parse_form(text) == names


@pytest.mark.parametrize("text", ["vers chorus", "verse <script>", "verse \N{PARTY POPPER}", "1 2 3", "versechorus"])
def test_what_is_no_section_is_named_with_the_sections(text: str) -> None:
    with pytest.raises(InputError, match=r"no section.*verse, pre-chorus, chorus"):
        parse_form(text)


def test_a_form_of_too_many_sections_is_refused() -> None:
    assert len(parse_form("verse " * 24)) == 24
    with pytest.raises(InputError, match="at most 24"):
        parse_form("verse " * 25)


@given(st.lists(st.sampled_from(SECTIONS), min_size=1, max_size=24))
def test_every_section_is_understood(kinds: list[str]) -> None:
    assert [name.rstrip("0123456789 ") for name in parse_form(" ".join(kinds))] == kinds


def test_rhyme_groups() -> None:
    assert [rhyme_group("ABAB", line) for line in range(4)] == [[0, 2], [1, 3], [0, 2], [1, 3]]
    assert rhyme_group("ABCB", 0) == [0]
    assert rhyme_group("AABBCC", 5) == [4, 5]


def test_there_are_rhymes_for_every_length_of_section() -> None:
    assert set(SCHEMES) == set(range(1, 9))
    assert all(len(scheme) == lines for lines, schemes in SCHEMES.items() for scheme in schemes)


def test_a_form_of_too_many_lines_is_refused() -> None:
    check_form("verse " * 15, 8)
    with pytest.raises(InputError, match="at most 120"):
        check_form("verse " * 16, 8)
