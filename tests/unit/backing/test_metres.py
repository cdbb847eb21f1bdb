from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rhapsody_lib.backing.metres import known_metre, known_metres
from rhapsody_lib.backing.vocabulary import METRES
from rhapsody_lib.errors import InputError
from rhapsody_lib.music.chords import Key
from rhapsody_lib.music.score import PARTS, Metre, Score, Tempo


def score(*metres: tuple[int, int, int]) -> Score:
    told = tuple(Metre(*metre) for metre in metres)
    return Score("Odd", Key(0, "major"), (Tempo(0, 90.0),), told, dict.fromkeys(PARTS, ()))


def told(*metres: tuple[int, int, int]) -> list[tuple[int, int, int]]:
    return [(m.start_ticks, m.numerator, m.denominator) for m in known_metres(score(*metres))]


@pytest.mark.parametrize(
    ("rare", "known"),
    [((8, 8), (4, 4)), ((4, 2), (2, 2)), ((9, 4), (3, 4)), ((6, 2), (3, 2)), ((1, 4), (4, 4)), ((12, 16), (6, 8)),
     ((16, 8), (4, 4)), ((18, 8), (9, 8)), ((11, 8), None), ((31, 32), None)],
)  # fmt: skip
def test_rare_metres_become_known_ones(rare: tuple[int, int], known: tuple[int, int] | None) -> None:
    assert known_metre(rare) == known


def test_a_bar_cut_short_is_a_bar_of_its_own_or_lengthens_the_one_before() -> None:
    assert told((0, 4, 4), (2880, 3, 4)) == [(0, 4, 4), (1920, 2, 4), (2880, 3, 4)]
    assert told((0, 4, 4), (4320, 3, 4)) == [(0, 4, 4), (1920, 5, 4), (4320, 3, 4)]
    assert told((0, 3, 4), (1450, 6, 8)) == [(0, 3, 4), (1440, 6, 8)]
    assert told((0, 4, 4), (600, 3, 4)) == [(0, 4, 4), (1920, 3, 4)]


def test_what_no_bar_holds_is_refused() -> None:
    with pytest.raises(InputError, match="metre 11/8"):
        told((0, 4, 4), (1920, 11, 8))


@given(st.lists(st.tuples(st.integers(1, 9000), st.sampled_from([*METRES, (1, 4), (4, 2)])), max_size=5))
def test_every_change_is_on_a_bar_line(changes: list[tuple[int, tuple[int, int]]]) -> None:
    metres = known_metres(score((0, 4, 4), *((ticks, *metre) for ticks, metre in sorted(dict(changes).items()))))
    assert all((m.numerator, m.denominator) in METRES for m in metres)
    for before, after in itertools.pairwise(metres):
        assert after.start_ticks > before.start_ticks
        assert (after.start_ticks - before.start_ticks) % before.bar_ticks == 0
