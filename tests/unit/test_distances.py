"""Distances of sets of songs: known ones, and the properties they must have."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rhapsody_lib.distances import FigureDistance, figure_distances, overall, overlap_area, wasserstein

_samples = st.lists(st.floats(-100, 100), min_size=2, max_size=20).map(np.array)


def _figures(values: list[float], name: str = "x") -> list[dict[str, float]]:
    return [{name: value} for value in values]


def test_known_distances() -> None:
    found = figure_distances(_figures([3.0, 5.0]), _figures([1.0, 3.0]))["x"]
    assert (found.mean, found.reference, found.spread) == (4.0, 2.0, 1.0)
    assert (found.shift, found.wasserstein) == (2.0, 2.0)
    assert wasserstein(np.array([0.0]), np.array([0.0, 1.0])) == pytest.approx(0.5)


def test_songs_that_are_all_alike_have_a_least_spread() -> None:
    assert figure_distances(_figures([1.0]), _figures([10.0, 10.0]))["x"].spread == 0.5
    assert figure_distances(_figures([1.0]), _figures([0.0, 0.0]))["x"].spread == 0.02


def test_a_song_without_a_figure_is_left_out_of_it() -> None:
    nan = math.nan
    assert figure_distances(_figures([nan, 2.0]), _figures([1.0, nan, 3.0]))["x"].mean == 2.0
    assert figure_distances(_figures([nan]), _figures([1.0, 3.0])) == {}
    assert figure_distances(_figures([1.0]), _figures([nan, 3.0])) == {}


def test_what_is_wrong_by_one_figure_only_is_far() -> None:
    def distance(value: float) -> FigureDistance:
        return FigureDistance(0, 0, 1, value, value, 0)

    assert overall({"a": distance(4), **{str(place): distance(0) for place in range(3)}}) == 2.0
    assert math.isnan(overall({}))


def test_overlap_tells_other_songs_from_like_ones() -> None:
    random = np.random.default_rng(0)
    reference, like, other = random.normal(size=60), random.normal(size=60), random.normal(8, 1, size=60)
    assert overlap_area(like, reference) > 0.9
    assert overlap_area(other, reference) < 0.1
    assert overlap_area(np.ones(3), np.ones(4)) == 1


@given(_samples, _samples)
def test_properties(a: np.ndarray, b: np.ndarray) -> None:
    assert wasserstein(a, a) == pytest.approx(0)
    assert wasserstein(a, b) == pytest.approx(wasserstein(b, a))
    assert wasserstein(a, b) >= abs(a.mean() - b.mean()) - 1e-6
    assert -1e-9 <= overlap_area(a, b) <= 1 + 1e-9
