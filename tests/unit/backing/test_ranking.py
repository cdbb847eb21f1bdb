"""How firmly the accompaniment keeps to patterns."""

from __future__ import annotations

import math
from itertools import permutations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from rhapsody_lib.backing.ranking import FIRM, FREE, LEAST_FIRM, BarNotes, Wanted, bars_alike, firmness_of, phrase_score


def _bar(steps: set[int]) -> BarNotes:
    bar = BarNotes()
    bar.notes["piano"] = [(step, 60) for step in sorted(steps)]
    return bar


@given(st.sets(st.integers(0, 47), min_size=1), st.integers(2, 20))
def test_a_pattern_that_returns_is_firm(steps: set[int], count: int) -> None:
    assert firmness_of([_bar(steps)] * count) == 1.0


def test_free_playing_is_not() -> None:
    random = np.random.default_rng(0)
    bars = [_bar(set(random.choice(48, 8, replace=False).tolist())) for _ in range(30)]
    assert firmness_of(bars) == LEAST_FIRM


def test_a_fill_now_and_then_leaves_a_pattern_firmer_than_bars_of_two_kinds() -> None:
    usual, fill = {0, 12, 24, 36}, {0, 6, 12, 18, 24, 30, 36, 42}
    rare = firmness_of([*[_bar(usual)] * 15, _bar(fill)])
    often = firmness_of([_bar(usual), _bar(fill)] * 8)
    assert often < rare <= 1.0


def test_the_melody_s_freedom_is_not_the_accompaniment_s() -> None:
    bars = [_bar({0, 24}) for _ in range(8)]
    for number, bar in enumerate(bars):
        bar.notes["melody"] = [(number, 60)]
    assert firmness_of(bars) == 1.0


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sets(st.integers(0, 47), min_size=1, max_size=6), min_size=2, max_size=12))
def test_firmness_is_the_mean_likeness_of_all_pairs_of_bars(bars: list[set[int]]) -> None:
    pairs = [len(x & y) / len(x | y) for x, y in permutations(bars, 2)]
    expected = min(1.0, max(LEAST_FIRM, (sum(pairs) / len(pairs) - FREE) / (FIRM - FREE)))
    assert math.isclose(firmness_of([_bar(steps) for steps in bars]), expected, abs_tol=1e-9)


def test_of_free_playing_bars_as_alike_as_the_primers_are_better() -> None:
    still, moving = [_bar({0, 12}), _bar({0, 12})], [_bar({0, 12}), _bar({6, 18})]
    assert (bars_alike(still), bars_alike(moving), bars_alike(still[:1])) == (1.0, 0.0, 0.0)
    for likeness, firmness, is_better in ((0.9, 0.2, True), (0.1, 0.2, False)):
        wanted = Wanted(0, {}, -1, firmness=firmness, likeness=likeness)
        assert (phrase_score(still, wanted, -1.0) > phrase_score(moving, wanted, -1.0)) == is_better
    patterns = Wanted(0, {}, -1, likeness=0.9)
    assert phrase_score(still, patterns, -1.0) == phrase_score(moving, patterns, -1.0)
