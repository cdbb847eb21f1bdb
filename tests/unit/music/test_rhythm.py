from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rhapsody_lib.errors import InputError
from rhapsody_lib.music.rhythm import Frame, place, strength
from rhapsody_lib.music.score import Metre


def frame(
    metre: tuple[int, int] = (4, 4), bars: int = 2, bpm: float = 100.0, reference: frozenset[int] = frozenset()
) -> Frame:
    return Frame(Metre(0, *metre), bars, bpm, 480, 0.2, np.zeros(8 * bars), reference)


@given(
    st.lists(st.integers(0, 2), min_size=1, max_size=60),
    st.sampled_from([(4, 4), (3, 4), (6, 8), (5, 4), (2, 4), (1, 4)]),
    st.integers(1, 4),
    st.floats(40, 220),
)
def test_onsets_rise_and_stay_in_their_room(stresses: list[int], metre: tuple[int, int], bars: int, bpm: float) -> None:
    found = frame(metre, bars, bpm)
    onsets = place(stresses, [True] * len(stresses), found)
    assert len(onsets) == len(stresses)
    assert all(a < b for a, b in itertools.pairwise(onsets))
    assert onsets[0] >= -480 and onsets[-1] < max(found.total_ticks - 480, 480)


def test_stressed_syllables_fall_on_the_beat() -> None:
    onsets = place([0, 1, 0, 1, 0, 1, 0, 1], [True] * 8, frame())
    stressed = onsets[1::2]
    assert all(onset % 480 == 0 for onset in stressed)
    assert onsets[0] < 0 <= onsets[1]


def test_a_stressed_first_syllable_takes_no_pickup() -> None:
    assert place([1, 0, 1, 0], [True] * 4, frame())[0] >= 0


def test_there_is_room_to_breathe() -> None:
    for count in range(4, 15):
        onsets = place([1, 0] * (count // 2) + [1] * (count % 2), [True] * count, frame())
        assert onsets[-1] <= 2 * 1920 - 480 - 240


def test_a_reference_is_followed_where_it_fits() -> None:
    reference = [0, 480, 720, 960, 1440, 1920]
    assert place([1, 0, 0, 1, 0, 1], [True] * 6, frame(reference=frozenset(reference))) == reference


def test_more_syllables_than_ticks_are_refused() -> None:
    with pytest.raises(InputError, match="does not fit"):
        place([0] * 2000, [True] * 2000, frame((1, 4), 1))


def test_metric_weights() -> None:
    four, six = Metre(0, 4, 4), Metre(0, 6, 8)
    assert [strength(four, t) for t in (0, 480, 960, 240, 120, -240)] == [1.0, 0.5, 0.75, 0.2, 0.0, 0.2]
    assert [strength(six, t) for t in (0, 720, 240, 480)] == [1.0, 0.75, 0.2, 0.2]
