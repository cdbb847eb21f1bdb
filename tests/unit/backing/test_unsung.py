"""Intro, break and ending of a song are as long as its primer's, in whole phrases."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rhapsody_lib.backing.unsung import LEAST_BREAK, longest_break, unsung_of
from rhapsody_lib.music.chords import Key
from rhapsody_lib.music.plan import UNSUNG, Unsung
from rhapsody_lib.music.score import PARTS, Metre, Note, Score, Tempo

BAR = 4 * 480


def _score(sung: str) -> Score:
    """A piano in every bar, and a melody in those marked `x`."""
    parts: dict[str, tuple[Note, ...]] = dict.fromkeys(PARTS, ())
    parts["piano"] = tuple(Note(bar * BAR, 60, BAR, 70) for bar in range(len(sung)))
    # A step early, as players are: still the bar's own note.
    parts["melody"] = tuple(Note(max(0, bar * BAR - 10), 72, 240, 70) for bar, mark in enumerate(sung) if mark == "x")
    return Score("", Key(0, "major"), (Tempo(0, 90.0),), (Metre(0, 4, 4),), parts)


@pytest.mark.parametrize(
    ("sung", "expected"),
    [
        ("", UNSUNG),
        ("-" * 9, UNSUNG),
        ("x" * 16, Unsung(4, 0, 2)),
        ("---" + "x" * 16 + "--", Unsung(4, 0, 2)),
        ("-" * 8 + "x" * 8 + "-" * 7 + "x" * 8 + "-" * 5, Unsung(8, 8, 4)),
        ("-" * 30 + "xx--xx" + "x---x", Unsung(8, 4, 2)),
        ("xx--xx--xx", Unsung(4, 0, 2)),
    ],
)
def test_stretches_without_melody_are_found(sung: str, expected: Unsung) -> None:
    assert unsung_of(_score(sung), 20) == expected


@given(st.lists(st.booleans(), max_size=40))
def test_the_longest_break_lies_between_sung_bars(sung: list[bool]) -> None:
    begin, end = longest_break(sung)
    inner = "".join("x" if sings else "-" for sings in sung).strip("-")
    longest = max(map(len, inner.split("x")), default=0)
    assert end - begin == (longest if longest >= LEAST_BREAK else 0)
    assert not any(sung[begin:end])
    assert not end or (sung[begin - 1] and sung[end])
