"""A running average of the weights, which is a better model than any single set of them.

Polyak & Juditsky 1992, "Acceleration of Stochastic Approximation by Averaging", with exponential decay; it begins with
the plain mean, so that the weights before training have no part in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Arrays = list[npt.NDArray[Any]]

#: Batches between two updates, fewer at the end of an epoch: reading the weights costs more than averaging them.
EVERY = 8


class WeightAverage:
    """The average, or nothing where the decay is 0.

    Args:
        decay: share of the old average that a batch leaves.
        values: those of a saved average.
        count: how often it had been updated.
    """

    def __init__(self, decay: float, values: Sequence[npt.NDArray[Any]] = (), count: int = 0) -> None:
        self._decay = decay
        self.values: Arrays = list(values)
        self.count = count
        self.active = decay > 0

    def update(self, weights: Sequence[npt.NDArray[Any]], batches: int) -> None:
        """Take in the weights after `batches` batches since the last update."""
        self.count += 1
        share = np.float32(max(1 - self._decay**batches, 1 / self.count))
        if not self.values:
            self.values = [np.array(new) for new in weights]
            return
        self.values = [old + share * (new - old) for old, new in zip(self.values, weights, strict=True)]
