"""The weights of the hybrid score, and what a score is worth: both fitted on halves of songs that look for each other.

A song's score is a weighted sum of its features, each in standard deviations over the catalogue. The weights are those
of a conditional logit model (McFadden 1974; in retrieval, Cao et al.: ListNet, ICML 2007, with one right answer): they
make the right song most probable among all. The share of probability that a song gets is then drawn to the share of
right answers that was seen at it (Platt 1999): the confidence.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rhapsody_lib.retrieval.scoring import Scores, standardised

Floats = NDArray[np.float64]
#: What a score is the sum of: cosine of the encoder's vectors about their mean, cosine of the TF-IDF vectors, and the
#: nearness of the lines' shapes.
FEATURES = ("dense", "lexical", "shape")
#: Best songs of a query by which the confidence is fitted: as many as are shown.
SHOWN = 5
#: Queries that the weights known before count as, so that a small catalogue's own do not run away.
_PRIOR_QUERIES = 20.0
#: Queries without which no confidence is told: it would be that of other songs, and of a catalogue of one song 1.
FEWEST_QUERIES = 20
_STEPS, _LONGEST_STEP, _SMALL = 40, 0.5, 1e-4
_LEAST_SHARE = 1e-12


@dataclass(frozen=True)
class Calibration:
    """How features become a score and a confidence.

    Args:
        weights: of each of `FEATURES`.
        slope: of the log odds of a song's share of the probability.
        intercept: of the same.
        queries: halves of songs that it was fitted on; 0: the catalogue is too small, and it is of other songs.
    """

    weights: tuple[float, ...]
    slope: float
    intercept: float
    queries: int = 0

    @property
    def tells(self) -> bool:
        """Whether it was fitted on enough queries that its confidences say something of this catalogue."""
        return self.queries >= FEWEST_QUERIES

    @classmethod
    def of_card(cls, card: Mapping[str, Any]) -> Calibration:
        """What a catalogue's card says.

        Raises:
            KeyError, TypeError, ValueError: it is no calibration.
        """
        weights = tuple(float(card["weights"][name]) for name in FEATURES)
        found = cls(weights, float(card["slope"]), float(card["intercept"]), int(card["queries"]))
        if not np.isfinite([*weights, found.slope, found.intercept]).all() or found.slope <= 0:
            raise ValueError("the calibration is no numbers, or falls")
        return found

    def to_card(self) -> dict[str, Any]:
        """The same for a catalogue's card."""
        weights = {name: round(value, 6) for name, value in zip(FEATURES, self.weights, strict=True)}
        numbers = {"slope": round(self.slope, 6), "intercept": round(self.intercept, 6), "queries": self.queries}
        return {"weights": weights, **numbers}

    def with_lexical_share(self, share: float) -> Calibration:
        """The same with the lexical weight at a share of the encoder's and its own together."""
        dense, lexical, *others = self.weights
        both = dense + lexical
        weights = ((1 - share) * both, share * both, *others)
        return Calibration(weights, self.slope, self.intercept, self.queries)

    def scores(self, features: Sequence[Scores]) -> Scores:
        """Score of each song [songs] of its features [songs each]."""
        parts = (weight * standardised(feature) for weight, feature in zip(self.weights, features, strict=True))
        return np.asarray(sum(parts), dtype=np.float32)

    def confidences(self, scores: Scores) -> Floats:
        """Of each song [songs], in [0, 1]: what share of matches with its share of the probability were right."""
        return _sigmoid(self.slope * log_odds(scores) + self.intercept)


#: Fitted on 1,000 songs of `kaggle_shape` by artists of whom the encoder had read nothing (`docs/retrieval.md`).
USUAL = Calibration((1.63, 0.54, 2.44), 1.0, 0.0)


def _sigmoid(values: Floats) -> Floats:
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(values, -50, 50))))


def log_odds(scores: Scores) -> Floats:
    """Log odds of each song's share of the probability, the softmax of the scores [songs]."""
    values = scores.astype(np.float64)
    shares = np.exp(values - values.max(initial=-np.inf))
    shares = np.clip(shares / shares.sum(), _LEAST_SHARE, 1 - 1e-9)
    return np.asarray(np.log(shares) - np.log1p(-shares))


def fit_weights(features: Sequence[NDArray[np.float32]], wanted: Sequence[int], prior: Sequence[float]) -> Floats:
    """Weights of standardised features by Newton's method on the conditional logit likelihood, drawn to a prior.

    Args:
        features: of each query, [songs x features].
        wanted: of each query the row of the song it was cut from.
        prior: weights that a few queries more would speak for.
    """
    weights = before = np.asarray(prior, dtype=np.float64)
    for _ in range(_STEPS):
        slope, curve = -_PRIOR_QUERIES * (weights - before), _PRIOR_QUERIES * np.eye(len(weights))
        for values, row in zip(features, wanted, strict=True):
            scores = values @ weights
            shares = np.exp(scores - scores.max())
            shares /= shares.sum()
            mean = shares @ values
            slope += values[row] - mean
            curve += (values * shares[:, None]).T @ values - np.outer(mean, mean)
        step = np.clip(np.linalg.solve(curve, slope), -_LONGEST_STEP, _LONGEST_STEP)
        weights = weights + step
        if float(np.abs(step).max()) < _SMALL:
            break
    return weights


def fit_confidence(odds: Floats, right: NDArray[np.bool_], prior: Calibration = USUAL) -> tuple[float, float]:
    """Slope and intercept of Platt's sigmoid over log odds [matches], drawn to a prior; the slope stays positive.

    Args:
        odds: log odds of matches that were shown.
        right: whether each is the song that was looked for.
        prior: slope and intercept that a few matches more would speak for.
    """
    inputs, labels = np.stack([odds, np.ones_like(odds)], axis=1), right.astype(np.float64)
    values = before = np.array([prior.slope, prior.intercept])
    for _ in range(_STEPS):
        told = _sigmoid(inputs @ values)
        slope = inputs.T @ (labels - told) - _PRIOR_QUERIES / 4 * (values - before)
        curve = (inputs * (told * (1 - told))[:, None]).T @ inputs + _PRIOR_QUERIES / 4 * np.eye(2)
        step = np.clip(np.linalg.solve(curve, slope), -_LONGEST_STEP, _LONGEST_STEP)
        values = values + step
        if float(np.abs(step).max()) < _SMALL:
            break
    return max(float(values[0]), 0.05), float(values[1])


def calibrate(
    features: Sequence[NDArray[np.float32]],
    wanted: Sequence[int],
    prior: Calibration = USUAL,
    *,
    keep_weights: bool = False,
) -> Calibration:
    """Weights and confidence of known-item queries.

    Args:
        features: of each query, standardised [songs x features].
        wanted: of each query the row of its song.
        prior: what is known before.
        keep_weights: keep the prior's weights and fit the confidence alone.
    """
    if not len(wanted):
        return prior
    weights = np.asarray(prior.weights) if keep_weights else fit_weights(features, wanted, prior.weights)
    odds: list[Floats] = []
    right: list[NDArray[np.bool_]] = []
    for values, row in zip(features, wanted, strict=True):
        scores = (values @ weights).astype(np.float32)
        best = np.argsort(-scores, kind="stable")[:SHOWN]
        odds.append(log_odds(scores)[best])
        right.append(best == row)
    slope, intercept = fit_confidence(np.concatenate(odds), np.concatenate(right), prior)
    return Calibration(tuple(map(float, weights)), slope, intercept, len(wanted))


@dataclass(frozen=True)
class Reliability:
    """How well confidences tell the share of right matches.

    Args:
        bins: (mean confidence, share of right matches, number of matches) from low to high.
        brier: mean squared difference of confidence and outcome.
        brier_base: the same of the mean share for all: what no knowledge of the match gives.
        error: expected calibration error: mean difference in a bin, weighted by its matches.
    """

    bins: tuple[tuple[float, float, int], ...]
    brier: float
    brier_base: float
    error: float


def reliability(confidences: Floats, right: NDArray[np.bool_], bins: int = 10) -> Reliability:
    """Reliability of confidences [matches] in bins of equal width; empty bins are left out."""
    outcome = right.astype(np.float64)
    places = np.minimum((confidences * bins).astype(int), bins - 1)
    found = [
        (
            float(confidences[places == place].mean()),
            float(outcome[places == place].mean()),
            int((places == place).sum()),
        )
        for place in range(bins)
        if (places == place).any()
    ]
    error = sum(abs(told - seen) * count for told, seen, count in found) / max(1, len(outcome))
    brier = float(np.mean((confidences - outcome) ** 2)) if len(outcome) else 0.0
    base = float(np.var(outcome)) if len(outcome) else 0.0
    return Reliability(tuple(found), brier, base, float(error))
