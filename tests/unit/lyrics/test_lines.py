from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from rhapsody_lib.lyrics.lines import MAX_LINE_WORDS, break_line, break_text
from rhapsody_lib.words.tokens import clean_text, tokenize_line


@given(st.text(max_size=300))
def test_nothing_but_white_space_is_lost(text: str) -> None:
    lines = break_text(text)
    assert all(tokenize_line(line) for line in lines)
    if lines:
        assert " ".join(lines).split() == clean_text(text).split()


@given(st.lists(st.sampled_from(["la", "lo,", "li.", "lu"]), min_size=1, max_size=200))
def test_no_line_is_too_long(words: list[str]) -> None:
    lines = break_line(" ".join(words))
    assert " ".join(lines).split() == words
    assert max(len(line.split()) for line in lines) <= MAX_LINE_WORDS


@given(
    st.lists(
        st.sampled_from(["la", "3:30", "10,000", "U.S.A.", "love—oh", "well-", "no...yes", "海。山！", "—"]),
        max_size=60,
    )
)
@example(["la"] * 14 + ["3:30"])
@example(["10,000", "miles"] * 8)
@example(["la"] * 7 + ["U.S.A."] + ["la"] * 7)
@example(["la"] * 7 + ["love—oh"] + ["la"] * 7)
@example(["la"] * 8 + ["海。山！"] + ["la"] * 8)
def test_no_word_is_taken_apart(words: list[str]) -> None:
    assert " ".join(break_line(" ".join(words))).split() == words


def test_long_lines_break_before_a_dash_between_words() -> None:
    text = "the sun is up above the hill tonight - the birds are singing on the sill — and I am here"
    assert break_line(text) == [
        "the sun is up above the hill tonight",
        "- the birds are singing on the sill",
        "— and I am here",
    ]


def test_long_lines_break_at_punctuation() -> None:
    text = "the sun is up above the hill, the birds are singing on the sill, and I am here"
    assert break_text(text) == ["the sun is up above the hill,", "the birds are singing on the sill,", "and I am here"]


def test_own_line_breaks_are_kept() -> None:
    assert break_text("one\n\n  two  three \r\nfour") == ["one", "two three", "four"]


def test_a_line_of_punctuation_joins_its_neighbour() -> None:
    assert break_text("...\none\n--\ntwo") == ["... one --", "two"]
