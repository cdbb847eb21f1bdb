"""Intro, break and ending of a song are as long as its primer's, in whole phrases."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rhapsody_lib.backing.unsung import longest_break, unsung_of
from rhapsody_lib.music.chords import Key
from rhapsody_lib.music.plan import UNSUNG, Unsung
from rhapsody_lib.music.score import PARTS, Metre, Note, Score, Tempo

BAR = 4 * 480


def _score(sung: str, played: str = "", metre: tuple[int, int] = (4, 4)) -> Score:
    """A melody in the bars marked `x`, and a piano in those marked so in `played`, or in all."""
    bar = Metre(0, *metre).bar_ticks
    parts: dict[str, tuple[Note, ...]] = dict.fromkeys(PARTS, ())
    marked = [number for number, mark in enumerate(played or "x" * len(sung)) if mark == "x"]
    parts["piano"] = tuple(Note(number * bar, 60, bar, 70) for number in marked)
    # A step early, as players are: still the bar's own note.
    parts["melody"] = tuple(Note(max(0, at * bar - 10), 72, 240, 70) for at, mark in enumerate(sung) if mark == "x")
    parts["drums"] = (Note((len(sung) or 1) * bar - 10, 42, 10, 70),)
    return Score("", Key(0, "major"), (Tempo(0, 90.0),), (Metre(0, *metre),), parts)


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


def test_short_bars_count_in_pairs() -> None:
    sung = "-" * 12 + "x" * 8 + "-" * 5 + "x" * 8 + "-" * 7
    assert unsung_of(_score(sung, metre=(2, 4)), 20) == Unsung(16, 0, 4)
    assert unsung_of(_score(sung, metre=(3, 8)), 20) == Unsung(16, 0, 4)
    assert unsung_of(_score(sung, metre=(6, 8)), 20) == Unsung(8, 4, 4)


def test_silence_is_no_music_without_a_singer() -> None:
    """Of a file whose few notes lie far apart nothing is learnt; a break that is played counts beside a longer one."""
    silent = "-" * 8 + "x" * 4 + "-" * 9 + "x" * 4 + "-" * 4 + "x" * 4 + "-" * 6
    played = "-" * 8 + "x" * 4 + "-" * 9 + "x" * 4 + "xxx-" + "x" * 4 + "-" * 6
    assert unsung_of(_score(silent, played), 20) == Unsung(4, 4, 2)
    assert unsung_of(_score(silent, silent), 20) == Unsung(4, 0, 2)


@given(st.lists(st.tuples(st.booleans(), st.booleans()), max_size=40))
def test_the_longest_break_lies_between_sung_bars(bars: list[tuple[bool, bool]]) -> None:
    sung, played = [sings for sings, _ in bars], [plays for _, plays in bars]
    begin, end = longest_break(sung, played, BAR)
    inside = range(1, len(bars))
    expected = max(
        (
            stop - start
            for start in inside
            for stop in inside
            if stop - start >= 3 and sung[start - 1] and sung[stop] and not any(sung[start:stop])
            if 2 * sum(played[start:stop]) > stop - start
        ),
        default=0,
    )
    assert end - begin == expected
    assert not any(sung[begin:end])
