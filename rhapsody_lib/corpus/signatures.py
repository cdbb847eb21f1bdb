"""What of a song tells whether another repeats it: a key of its exact words, and a MinHash signature for nearly these.

MinHash over word 3-grams (Broder 1997) with banding (Leskovec, Rajaraman and Ullman, Mining of Massive Datasets,
section 3.4). A signature depends on its song alone, so it is computed where the song is read; `duplicates` compares.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from rhapsody_lib.seeding import generator

PERMUTATIONS = 128
SHINGLE_WORDS = 3
KEY_BYTES = 16
#: A pair at the threshold is found with at least this probability.
_RECALL = 0.9999
_CHUNK_SHINGLES = 8192
Hashes = npt.NDArray[np.uint64]
Signature = npt.NDArray[np.uint32]


def rows_per_band(threshold: float) -> int:
    """The most rows a band may have for a pair at the threshold still to share one with near certainty."""
    for rows in range(16, 1, -1):
        if 1 - (1 - threshold**rows) ** (PERMUTATIONS // rows) >= _RECALL:
            return rows
    return 1


@lru_cache(maxsize=100_000)
def _word_hash(word: str) -> int:
    return int.from_bytes(hashlib.blake2b(word.encode("utf-8", "replace"), digest_size=8).digest(), "big")


@lru_cache(maxsize=1)
def _permutations() -> tuple[Hashes, Hashes]:
    """Odd factors and offsets, both of shape (PERMUTATIONS,)."""
    random = generator(0, "minhash")
    factors = random.integers(0, 2**64, PERMUTATIONS, dtype=np.uint64) | np.uint64(1)
    return factors, random.integers(0, 2**64, PERMUTATIONS, dtype=np.uint64)


def shingles(words: Sequence[str]) -> Hashes:
    """Sorted distinct 64-bit hashes of the word 3-grams; a shorter text is one shingle."""
    hashes = np.array([_word_hash(word) for word in words], dtype=np.uint64)
    count = max(1, len(hashes) - SHINGLE_WORDS + 1)
    mixed = np.zeros(count, dtype=np.uint64)
    for offset in range(min(SHINGLE_WORDS, len(hashes))):
        mixed = (mixed ^ hashes[offset : offset + count]) * np.uint64(0x9E3779B97F4A7C15)
        mixed ^= mixed >> np.uint64(29)
    return np.unique(mixed)


def jaccard(one: Hashes, other: Hashes) -> float:
    """Shared shingles over all shingles of both."""
    shared = len(np.intersect1d(one, other, assume_unique=True))
    return shared / max(1, len(one) + len(other) - shared)


def signature(hashes: Hashes) -> Signature:
    """The MinHash signature of shingles, shape (PERMUTATIONS,): the low half of each least value."""
    factors, offsets = _permutations()
    least = np.full(PERMUTATIONS, np.iinfo(np.uint64).max, dtype=np.uint64)
    for start in range(0, len(hashes), _CHUNK_SHINGLES):
        chunk = hashes[start : start + _CHUNK_SHINGLES, None]
        least = np.minimum(least, (chunk * factors + offsets).min(axis=0))
    return least.astype(np.uint32)


def bands(signatures: Signature, rows: int) -> Hashes:
    """Hashes of the bands of many signatures: shape (songs, PERMUTATIONS) to (songs, PERMUTATIONS // rows)."""
    count = PERMUTATIONS // rows
    values = signatures[:, : count * rows].reshape(len(signatures), count, rows).astype(np.uint64)
    mixed = np.broadcast_to(np.arange(1, count + 1, dtype=np.uint64), values.shape[:2])
    for row in range(rows):
        mixed = (mixed ^ values[:, :, row]) * np.uint64(0x9E3779B97F4A7C15)
        mixed = mixed ^ (mixed >> np.uint64(29))
    return mixed


def words_key(words: Sequence[str]) -> bytes:
    """The same for songs of the same words."""
    return hashlib.blake2b(" ".join(words).encode("utf-8", "replace"), digest_size=KEY_BYTES).digest()


def music_key(midi: bytes) -> bytes:
    """The same for wordless songs of the same canonical MIDI."""
    return hashlib.blake2b(midi, digest_size=KEY_BYTES, person=b"music").digest()
