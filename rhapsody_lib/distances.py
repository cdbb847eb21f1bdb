"""How far one set of songs is from another by figures of each song.

A figure alone says little; its distance to songs that were held out of training, beside that of songs spoilt on
purpose, says more. Yang and Lerch 2020, "On the evaluation of generative models in music": compare distributions over
songs, not means alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

#: The least spread of reference songs, by their mean and in all: songs that are all alike would else make any
#: difference infinite.
_LEAST_SHARE, _LEAST_SPREAD = 1 / 20, 0.02
_BINS = 512


@dataclass(frozen=True)
class FigureDistance:
    """How far one figure of some songs is from that of reference songs.

    Args:
        mean: over the songs.
        reference: over the reference songs.
        spread: standard deviation over the reference songs, or the least that counts.
        shift: difference of the means in units of the spread.
        wasserstein: 1-Wasserstein distance of the two distributions in the same unit: it sees a wrong spread too.
        overlap: area that two distributions share, in [0, 1]: of the differences between reference songs, and of those
            between songs and reference songs (Yang and Lerch 2020, section 4.2).
    """

    mean: float
    reference: float
    spread: float
    shift: float
    wasserstein: float
    overlap: float


def figure_distances(
    songs: Sequence[Mapping[str, float]], reference: Sequence[Mapping[str, float]]
) -> dict[str, FigureDistance]:
    """The distance of songs to reference songs by each figure; songs that have none (nan) are left out of it.

    A figure that no song or fewer than two reference songs have is not told.
    """
    found = {}
    for name in reference[0] if reference else ():
        ours, theirs = (
            np.array([figures[name] for figures in of if not math.isnan(figures[name])]) for of in (songs, reference)
        )
        if not len(ours) or len(theirs) < 2:
            continue
        mean = float(theirs.mean())
        spread = max(float(theirs.std()), abs(mean) * _LEAST_SHARE, _LEAST_SPREAD)
        found[name] = FigureDistance(
            float(ours.mean()),
            mean,
            spread,
            (float(ours.mean()) - mean) / spread,
            wasserstein(ours, theirs) / spread,
            overlap_area(ours, theirs),
        )
    return found


def overall(found: Mapping[str, FigureDistance]) -> float:
    """One distance of all figures: the root of the mean of their squared 1-Wasserstein distances.

    As a Euclidean distance is: what is wrong by one figure only is far, though it be right by the others. The mean
    would forgive it, and a control that spoils one thing is wrong by few figures.
    """
    return math.sqrt(sum(distance.wasserstein**2 for distance in found.values()) / len(found)) if found else math.nan


def wasserstein(a: FloatArray, b: FloatArray) -> float:
    """1-Wasserstein distance of two samples: the area between their distribution functions."""
    places = np.sort(np.concatenate([a, b]))
    shares = [np.searchsorted(np.sort(sample), places[:-1], side="right") / len(sample) for sample in (a, b)]
    return float((np.abs(shares[0] - shares[1]) * np.diff(places)).sum())


def overlap_area(songs: FloatArray, reference: FloatArray) -> float:
    """Shared area of the densities of |a - b| over pairs of reference songs, and over pairs of a song and one of them.

    Densities are Gaussian kernel estimates with Scott's bandwidth, on a grid of 512 values.
    """
    first, second = np.triu_indices(len(reference), 1)
    within = np.abs(reference[first] - reference[second])
    between = np.abs(songs[:, None] - reference[None, :]).ravel()
    top = float(max(within.max(), between.max()))
    if top == 0:
        return 1.0
    edges = np.linspace(-top / 2, 1.5 * top, _BINS + 1)
    return float(np.minimum(_density(within, edges), _density(between, edges)).sum())


def _density(sample: FloatArray, edges: FloatArray) -> FloatArray:
    """Shares of a smoothed histogram, [bins]."""
    width = edges[1] - edges[0]
    shares = np.histogram(sample, edges)[0] / len(sample)
    bandwidth = max(float(sample.std()) * len(sample) ** -0.2, width)
    reach = np.arange(-len(shares) // 4, len(shares) // 4 + 1) * width
    kernel = np.exp(-0.5 * (reach / bandwidth) ** 2)
    smooth: FloatArray = np.convolve(shares, kernel / kernel.sum(), mode="same")
    return smooth
