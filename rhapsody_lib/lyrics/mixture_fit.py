"""The shares of the mixture (`cache`), fitted by likelihood."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from rhapsody_lib.lyrics.cache import DEFAULT, Array, MixtureSettings, Opinions, gate_table, shares_of, without_ngram

#: More tokens than this do not move some dozens of weights.
_TUNING_TOKENS = 10_000
_PRIOR_STRENGTH, _FIT_STEPS, _FIT_RATE = 1.0, 80, 0.2
_TINY = 1e-30


def fit_gates(found: Sequence[Opinions], *, with_ngram: bool, start: MixtureSettings | None = None) -> MixtureSettings:
    """The settings under which songs are likeliest, with a prior around `start` that a few words do not overcome.

    Args:
        found: opinions on songs that no expert has learnt; none at all give `start`.
        with_ngram: fit the shares with a 5-gram too.
        start: `DEFAULT` where none is given.
    """
    start = start or DEFAULT
    kept: list[Opinions] = []
    for song in found[:: 1 + sum(map(len, found)) // _TUNING_TOKENS]:
        kept += [song] if len(song) else []
    if not kept:
        return start
    features, known = (np.concatenate([getattr(song, name) for song in kept]) for name in ("features", "known"))
    plain = without_ngram(known)

    def of_experts(theta: float) -> Array:
        return np.concatenate([song.at(theta) for song in kept])

    # The best theta hardly depends on the shares: it is chosen with those of a first fit.
    gates = _fitted(of_experts(start.theta), plain, features, start.weights(with_ngram=False))
    shares = shares_of(features, plain, gates)
    nats = {theta: -_log_sum((shares * of_experts(theta)).sum(axis=1)) for theta in kept[0].cache}
    theta = min(nats, key=lambda theta: nats[theta])
    gates = _fitted(of_experts(theta), plain, features, start.weights(with_ngram=False), gates)
    best = replace(start, theta=theta, gates=gate_table(gates))
    if with_ngram:
        gates = _fitted(of_experts(theta), known, features, start.weights(with_ngram=True))
        best = replace(best, gates_with_ngram=gate_table(gates))
    return best


def _log_sum(probabilities: Array) -> float:
    return float(np.log(np.maximum(probabilities, _TINY)).sum())


def _fitted(
    experts: Array, known: npt.NDArray[np.bool_], features: Array, prior: Array, start: Array | None = None
) -> Array:
    """Weights of the shares by gradient descent (Adam: Kingma & Ba 2015) from `start`, the best on the way."""
    weights = (prior if start is None else start).copy()
    first, second = np.zeros_like(prior), np.zeros_like(prior)
    best: Array = weights
    lowest = np.inf
    for step in range(1, _FIT_STEPS + 1):
        shares = shares_of(features, known, weights)
        parts = shares * experts
        total = np.maximum(parts.sum(axis=1, keepdims=True), _TINY)
        away = weights - prior
        loss = _PRIOR_STRENGTH / 2 * float((away**2).sum()) - _log_sum(total)
        if loss < lowest:
            best, lowest = weights, loss
        slope = features.T @ (shares - parts / total) + _PRIOR_STRENGTH * away
        first, second = 0.9 * first + 0.1 * slope, 0.99 * second + 0.01 * slope**2
        rate = _FIT_RATE * (1 - step / (_FIT_STEPS + 1))
        weights = weights - rate * (first / (1 - 0.9**step)) / (np.sqrt(second / (1 - 0.99**step)) + 1e-9)
    return best
