"""Counts that do not grow with what is counted: histograms of fixed bins, and the most frequent of many names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache

import numpy as np
import numpy.typing as npt

_Array = npt.NDArray[np.float64]

#: A value beyond the first or the last edge counts in the bin beside it.
OTHERS = "(others)"


@cache
def bin_edges(figure: str) -> tuple[float, ...]:
    """The edges of the bins of a figure: the same for every corpus, so that any two can be compared."""
    if figure == "year":
        return tuple(map(float, range(1400, 2102)))
    if figure == "tempo_bpm":
        return tuple(np.arange(20.0, 402.0, 2.0).tolist())
    if figure == "seconds":
        return tuple(np.arange(0.0, 1205.0, 5.0).tolist())
    top = {"words": 50_000, "lines": 5_000, "notes": 500_000}[figure]
    # Counts: about 25 bins for each tenfold, none that could hold no whole number.
    return tuple(np.unique(np.round(np.geomspace(1, top, 120))).tolist())


@dataclass
class Histogram:
    """How often each value of a figure was seen: `counts[i]` from `edges[i]` up to below `edges[i + 1]`."""

    edges: tuple[float, ...]
    counts: npt.NDArray[np.int64] = field(repr=False)
    total: float = 0.0
    least: float = float("inf")
    most: float = float("-inf")

    @classmethod
    def of(cls, figure: str) -> Histogram:
        """An empty one."""
        edges = bin_edges(figure)
        return cls(edges, np.zeros(len(edges) - 1, np.int64))

    def add(self, values: npt.ArrayLike) -> None:
        """Count values; those that are no numbers are left out."""
        found: _Array = np.asarray(values, np.float64)
        found = found[np.isfinite(found)]
        if not len(found):
            return
        places = np.searchsorted(self.edges, found, side="right") - 1
        self.counts += np.bincount(np.clip(places, 0, len(self.counts) - 1), minlength=len(self.counts))
        self.total += float(found.sum())
        self.least, self.most = min(self.least, float(found.min())), max(self.most, float(found.max()))

    @property
    def n(self) -> int:
        """How many values were counted."""
        return int(self.counts.sum())

    def quantile(self, share: float) -> float:
        """The value that `share` of the values lie below, by its bin; nan without values."""
        if not self.n:
            return float("nan")
        reached = np.cumsum(self.counts)
        place = int(np.searchsorted(reached, share * self.n))
        before = int(reached[place - 1]) if place else 0
        within = (share * self.n - before) / max(1, int(self.counts[place]))
        low, high = self.edges[place], self.edges[place + 1]
        return float(min(max(low + within * (high - low), self.least), self.most))

    def message(self) -> dict[str, object]:
        """Plain JSON values; bins without values at either end are left out."""
        found = {"n": self.n, "mean": round(self.total / self.n, 3) if self.n else None}
        for name, share in (("p5", 0.05), ("median", 0.5), ("p95", 0.95)):
            found[name] = round(self.quantile(share), 2) if self.n else None
        held = np.flatnonzero(self.counts)
        first, stop = (int(held[0]), int(held[-1]) + 1) if len(held) else (0, 0)
        ends = {"least": round(self.least, 3), "most": round(self.most, 3)} if self.n else {"least": None, "most": None}
        return {**found, **ends, "first_bin": first, "counts": self.counts[first:stop].tolist()}


def full_counts(figure: str, told: Mapping[str, object]) -> npt.NDArray[np.int64]:
    """Counts in all bins of a figure from `Histogram.message`."""
    counts = np.zeros(len(bin_edges(figure)) - 1, np.int64)
    first, held = told["first_bin"], told["counts"]
    if not isinstance(first, int) or not isinstance(held, Sequence):
        raise TypeError(f"the histogram of {figure} is none")
    counts[first : first + len(held)] = held
    return counts


class Tally:
    """Counts names; beyond `limit` different ones the rarest are counted together as `OTHERS`."""

    def __init__(self, limit: int = 2_000) -> None:
        self._limit, self._counts, self._others = limit, Counter[str](), 0

    def add(self, counts: Mapping[str, int] | Iterable[tuple[str, int]]) -> None:
        """Count names so many times each."""
        for name, count in counts.items() if isinstance(counts, Mapping) else counts:
            self._counts[name] += count
        if len(self._counts) > 2 * self._limit:
            self._cut()

    def _cut(self) -> None:
        ranked = self._ranked()
        self._counts = Counter(dict(ranked[: self._limit]))
        self._others += sum(count for _, count in ranked[self._limit :])

    def _ranked(self) -> list[tuple[str, int]]:
        return sorted(self._counts.items(), key=lambda item: (-item[1], item[0]))

    def message(self) -> dict[str, int]:
        """Counts by name, the most frequent first."""
        ranked = self._ranked()
        others = self._others + sum(count for _, count in ranked[self._limit :])
        return dict(ranked[: self._limit]) | ({OTHERS: others} if others else {})


class Sample:
    """So many of many rows, by the order of their digests: any order of the rows gives the same ones."""

    def __init__(self, size: int) -> None:
        self._size, self._held = size, list[tuple[int, dict[str, object]]]()

    def wants(self, digest: int) -> bool:
        """Whether a row with this digest would be held, as things are."""
        return len(self._held) < self._size or digest < self._held[-1][0]

    def add(self, digest: int, row: dict[str, object]) -> None:
        """Hold a row, if it is among the first by digest."""
        if self.wants(digest):
            self._held = sorted([*self._held, (digest, row)], key=lambda item: item[0])[: self._size]

    def rows(self) -> list[dict[str, object]]:
        """What is held."""
        return [row for _, row in self._held]
