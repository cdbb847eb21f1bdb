"""Songs that stand in a corpus already: the same words, or nearly.

Near duplicates are found by MinHash over word 3-grams (Broder 1997) with banding (Leskovec, Rajaraman and Ullman,
Mining of Massive Datasets, section 3.4), and each candidate is verified by its exact Jaccard similarity, so that
no song is left out by chance. The 3-grams of the songs kept lie in a temporary file: memory holds a few
integers a song.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import TracebackType
from typing import IO

import numpy as np
import numpy.typing as npt

from rhapsody_lib.seeding import generator

PERMUTATIONS = 128
SHINGLE_WORDS = 3
#: A pair at the threshold is found with at least this probability.
_RECALL = 0.9999
_CHUNK_SHINGLES = 8192
_Hashes = npt.NDArray[np.uint64]


@dataclass(frozen=True)
class Duplicate:
    """The song that another repeats; `similarity` is 1 for the same words."""

    song_id: str
    similarity: float
    exact: bool


def rows_per_band(threshold: float) -> int:
    """The most rows a band may have for a pair at the threshold still to share one with near certainty."""
    for rows in range(16, 1, -1):
        if 1 - (1 - threshold**rows) ** (PERMUTATIONS // rows) >= _RECALL:
            return rows
    return 1


@lru_cache(maxsize=100_000)
def _word_hash(word: str) -> int:
    return int.from_bytes(hashlib.blake2b(word.encode("utf-8", "replace"), digest_size=8).digest(), "big")


def shingles(words: Sequence[str]) -> _Hashes:
    """Sorted distinct 64-bit hashes of the word 3-grams; a shorter text is one shingle."""
    hashes = np.array([_word_hash(word) for word in words], dtype=np.uint64)
    count = max(1, len(hashes) - SHINGLE_WORDS + 1)
    mixed = np.zeros(count, dtype=np.uint64)
    for offset in range(min(SHINGLE_WORDS, len(hashes))):
        mixed = (mixed ^ hashes[offset : offset + count]) * np.uint64(0x9E3779B97F4A7C15)
        mixed ^= mixed >> np.uint64(29)
    return np.unique(mixed)


def jaccard(one: _Hashes, other: _Hashes) -> float:
    """Shared shingles over all shingles of both."""
    shared = len(np.intersect1d(one, other, assume_unique=True))
    return shared / max(1, len(one) + len(other) - shared)


class DuplicateIndex:
    """Songs kept so far; tells whether another repeats one of them. A context manager: it owns a temporary file."""

    def __init__(self, threshold: float) -> None:
        self._threshold = threshold
        self._rows = rows_per_band(threshold)
        random = generator(0, "minhash")
        self._factors = random.integers(0, 2**64, PERMUTATIONS, dtype=np.uint64) | np.uint64(1)
        self._offsets = random.integers(0, 2**64, PERMUTATIONS, dtype=np.uint64)
        self._exact: dict[bytes, int] = {}
        self._buckets: dict[int, list[int]] = {}
        self._songs: list[tuple[str, int, int]] = []
        self._file: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  # closed by __exit__

    def __enter__(self) -> DuplicateIndex:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def _bands(self, hashes: _Hashes) -> list[int]:
        """One integer for each band of the MinHash signature."""
        signature = np.full(PERMUTATIONS, np.iinfo(np.uint64).max, dtype=np.uint64)
        for start in range(0, len(hashes), _CHUNK_SHINGLES):
            chunk = hashes[start : start + _CHUNK_SHINGLES, None]
            signature = np.minimum(signature, (chunk * self._factors + self._offsets).min(axis=0))
        bands = []
        for index in range(PERMUTATIONS // self._rows):
            rows = signature[index * self._rows : (index + 1) * self._rows].astype("<u8").tobytes()
            digest = hashlib.blake2b(index.to_bytes(2, "big") + rows, digest_size=8).digest()
            bands.append(int.from_bytes(digest, "big"))
        return bands

    def _stored(self, index: int) -> _Hashes:
        _, start, count = self._songs[index]
        self._file.seek(start)
        return np.frombuffer(self._file.read(count * 8), dtype=np.uint64)

    def add_or_find(self, song_id: str, words: Sequence[str]) -> Duplicate | None:
        """The first kept song that these words repeat; None if there is none, and the song is then kept."""
        key = hashlib.blake2b(" ".join(words).encode("utf-8", "replace"), digest_size=16).digest()
        if key in self._exact:
            return Duplicate(self._songs[self._exact[key]][0], 1.0, exact=True)
        hashes = shingles(words)
        bands = self._bands(hashes)
        for index in sorted({index for band in bands for index in self._buckets.get(band, ())}):
            similarity = jaccard(hashes, self._stored(index))
            if similarity >= self._threshold:
                return Duplicate(self._songs[index][0], similarity, exact=False)
        number, start = len(self._songs), self._file.seek(0, 2)
        self._file.write(hashes.tobytes())
        self._songs.append((song_id, start, len(hashes)))
        self._exact[key] = number
        for band in bands:
            self._buckets.setdefault(band, []).append(number)
        return None
