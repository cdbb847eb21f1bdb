"""An inverted file over the songs' vectors, for catalogues so large that exact search takes too long.

The vectors are divided among the nearest of some centroids (k-means); a query looks into the lists of its nearest ones
alone. There each vector lies in a byte a number, the candidates that these find are scored again by the vectors
themselves: Jegou, Douze, Schmid: Product Quantization for Nearest Neighbor Search, PAMI 2011, section 4, with scalar
quantisation and exact re-ranking. What it finds may be less than all, so its recall is measured when it is built, on
queries that are real vectors, and it is refused where that is too low (docs/decisions/0035).
"""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rhapsody_lib.errors import DamagedArtifactError
from rhapsody_lib.optional import is_installed, require
from rhapsody_lib.processors import available_processors
from rhapsody_lib.recipe import BUILD_AGAIN
from rhapsody_lib.retrieval.index import ExactIndex, Mask, Rows, best_of
from rhapsody_lib.retrieval.scoring import Scores
from rhapsody_lib.retrieval.serving import Vectors

logger = logging.getLogger(__name__)

#: Below so many songs exact search is fast enough, and no inverted file is built: the benchmark says so.
INVERTED_FROM_SONGS = 2_000_000
#: Share of the ten best songs that must be found; an inverted file that finds less is not used.
LEAST_RECALL = 0.95
#: Lists that a query may look into, of which the fewest are taken that find enough.
_PROBES = (8, 16, 32, 64, 128)
#: Candidates that are scored again for each song wanted, and vectors of a list that k-means is trained on.
_CANDIDATES, _TRAINED_ON = 10, 64
_MEASURED_AT, _ADDED_AT_ONCE = 10, 65_536


def default_lists(songs: int) -> int:
    """Lists of an inverted file: some twice the square root of the songs, so that k-means stays cheap beside them."""
    return max(1, 2 * math.isqrt(songs))


@dataclass(frozen=True)
class InvertedIndex:
    """An inverted file beside the exact vectors.

    Args:
        exact: the vectors.
        probes: lists that a query looks into.
        recall: share of the ten best that it found when it was built.
    """

    exact: ExactIndex
    probes: int
    recall: float
    _lists: Any

    @classmethod
    def build(
        cls, exact: ExactIndex, queries: Vectors, *, seed: int, least_recall: float = LEAST_RECALL, lists: int = 0
    ) -> InvertedIndex | None:
        """Build and measure; none if it does not find enough, whatever it looks into.

        Args:
            exact: unit vectors of all songs.
            queries: real vectors to measure by [queries x dimension].
            seed: of k-means and of what it is trained on.
            least_recall: share of the ten best that must be found.
            lists: how many; 0: `default_lists`.

        Raises:
            MissingExtraError: the extra `index` is not installed.
        """
        faiss = require("faiss")
        count = lists or default_lists(len(exact))
        dimension = queries.shape[1]
        random = np.random.default_rng(seed)
        trained_on = np.sort(random.permutation(len(exact))[: count * _TRAINED_ON])
        quantiser = faiss.IndexFlatIP(dimension)
        found = faiss.IndexIVFScalarQuantizer(
            quantiser, dimension, count, faiss.ScalarQuantizer.QT_8bit, faiss.METRIC_INNER_PRODUCT
        )
        found.cp.seed, found.cp.min_points_per_centroid = seed % 2**31, 1
        found.train(rows_of(exact, trained_on))
        for chunk in exact.chunks:
            for start in range(0, len(chunk), _ADDED_AT_ONCE):
                found.add(np.ascontiguousarray(chunk[start : start + _ADDED_AT_ONCE]))
        wanted, _ = exact.search(queries, _MEASURED_AT)
        recall = 0.0
        for probes in (*(probes for probes in _PROBES if probes < count), count):
            built = cls(exact, probes, recall, found)
            recall = _recall(wanted, built.search(queries, _MEASURED_AT)[0])
            if recall >= least_recall:
                return cls(exact, probes, recall, found)
            if probes >= _PROBES[-1]:
                break
        logger.warning(
            "The inverted file finds %.3f of the ten best songs, less than %.2f: it is not used, the catalogue is "
            "searched exactly.",
            recall,
            least_recall,
        )
        return None

    def search(
        self, queries: Vectors, k: int, *, allowed: Mask | None = None, threads: int = 0
    ) -> tuple[list[Rows], list[Scores]]:
        """As `ExactIndex.search`; the scores are exact, but a row may be missed, and more so where few are allowed."""
        faiss = require("faiss")
        queries = self.exact.checked(queries)
        if k < 1 or not len(queries):
            return self.exact.search(queries, k, allowed=allowed, threads=threads)
        settings: dict[str, Any] = {"nprobe": self.probes}
        if allowed is not None:
            bits = np.packbits(allowed, bitorder="little")
            settings["sel"] = faiss.IDSelectorBitmap(bits)
        faiss.omp_set_num_threads(threads or available_processors())
        most = min(len(self.exact), k * _CANDIDATES)
        _, rows = self._lists.search(queries, most, params=faiss.SearchParametersIVF(**settings))
        found = []
        for query, places in zip(queries, rows, strict=True):
            candidates = np.sort(places[places >= 0])
            found.append(best_of(candidates, rows_of(self.exact, candidates) @ query, k))
        return [best for best, _ in found], [scores for _, scores in found]

    def write(self, path: Path) -> None:
        """Write the lists."""
        require("faiss").write_index(self._lists, str(path))

    @classmethod
    def load(cls, path: Path, exact: ExactIndex, *, probes: int, recall: float) -> InvertedIndex | None:
        """Memory-map what `write` wrote; none, and so exact search, where the extra `index` is not installed.

        Raises:
            DamagedArtifactError: it is missing or damaged, or is not of these vectors.
        """
        if not is_installed("faiss"):
            logger.info("%s: is not used, for the extra 'index' is not installed; the search is exact", path)
            return None
        faiss = require("faiss")
        try:
            lists = faiss.read_index(str(path), faiss.IO_FLAG_MMAP)
            if lists.ntotal != len(exact):
                raise ValueError(f"it has {lists.ntotal} songs, the catalogue {len(exact)}")
        except (OSError, RuntimeError, ValueError) as error:
            raise DamagedArtifactError(
                f"{path}: is not a usable inverted file ({str(error)[:200]}). {BUILD_AGAIN}"
            ) from error
        return cls(exact, probes, recall, lists)


def rows_of(exact: ExactIndex, rows: Rows) -> Vectors:
    """Vectors of some rows, which grow [rows x dimension]."""
    starts = np.cumsum([0, *(len(chunk) for chunk in exact.chunks)])
    places = np.searchsorted(rows, starts)
    parts = [
        chunk[rows[places[number] : places[number + 1]] - starts[number]] for number, chunk in enumerate(exact.chunks)
    ]
    vectors: Vectors = np.concatenate(parts)
    return vectors


def _recall(wanted: list[Rows], found: list[Rows]) -> float:
    """Share of the rows wanted that were found."""
    hits = sum(len(np.intersect1d(one, other)) for one, other in zip(wanted, found, strict=True))
    return hits / max(1, sum(len(one) for one in wanted))
