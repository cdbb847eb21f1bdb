"""The weights find what tells the right song, and confidences are shares of right matches."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rhapsody_lib.retrieval.calibration import USUAL, Calibration, calibrate, fit_weights, reliability


def queries(count: int, songs: int, weights: tuple[float, ...], seed: int = 0):  # type: ignore[no-untyped-def]
    """Queries whose right song is drawn by the model itself: its weights are the truth."""
    random = np.random.default_rng(seed)
    features, wanted = [], []
    for _ in range(count):
        values = random.normal(size=(songs, len(weights))).astype(np.float32)
        shares = np.exp(values @ np.array(weights))
        features.append(values)
        wanted.append(int(random.choice(songs, p=shares / shares.sum())))
    return features, wanted


def test_the_weights_that_drew_the_songs_are_found() -> None:
    features, wanted = queries(1500, 40, (2.0, 0.0, 1.0))
    np.testing.assert_allclose(fit_weights(features, wanted, (1, 1, 1)), (2.0, 0.0, 1.0), atol=0.15)


def test_few_queries_leave_what_was_known_before() -> None:
    features, wanted = queries(2, 10, (3.0, 3.0, 0.0))
    assert abs(fit_weights(features, wanted, USUAL.weights) - USUAL.weights).max() < 0.5
    assert calibrate([], []) == USUAL


def test_confidences_are_the_shares_of_right_matches_among_other_queries() -> None:
    fitted = calibrate(*queries(1000, 40, (2.0, 0.5, 1.0)))
    told, right = [], []
    for values, row in zip(*queries(1000, 40, (2.0, 0.5, 1.0), seed=1), strict=True):
        scores = (values @ np.array(fitted.weights)).astype(np.float32)
        best = np.argsort(-scores)[:5]
        told.append(fitted.confidences(scores)[best])
        right.append(best == row)
    found = reliability(np.concatenate(told), np.concatenate(right))
    assert found.error < 0.02
    assert found.brier < 0.9 * found.brier_base
    assert sum(count for _, _, count in found.bins) == 5000


@settings(max_examples=50)
@given(st.lists(st.floats(-30, 30, width=32), min_size=1, max_size=30))
def test_a_higher_score_is_never_less_sure(scores: list[float]) -> None:
    told = USUAL.confidences(np.array(scores, np.float32))
    assert ((told >= 0) & (told <= 1)).all()
    order = np.argsort(scores, kind="stable")
    assert (np.diff(told[order]) >= -1e-12).all()


def test_the_card_is_read_back_and_nonsense_is_refused() -> None:
    card = json.loads(json.dumps(USUAL.to_card()))
    assert Calibration.of_card(card) == USUAL
    for broken in ({"slope": float("nan")}, {"slope": -1.0}, {"weights": {"dense": 1.0}}):
        with pytest.raises((ValueError, KeyError)):
            Calibration.of_card(card | broken)
