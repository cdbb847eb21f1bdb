"""Runs of words as 64-bit hashes, and a compact filter that tells whether a run was ever put in."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from rhapsody_lib.errors import DamagedArtifactError

Hashes = npt.NDArray[np.uint64]
#: Bits for each run, and how many of them it sets: one run in 1,700 that was never put in is taken for one that was.
_BITS_PER_RUN, _PROBES = 16, 8
#: Runs hashed and put in at a time.
_BLOCK = 1 << 18
#: The smallest filter, and the largest that 32-bit places can address.
_FEWEST_BITS, _MOST_BITS = 1 << 10, 2**32 - 8
_MULTIPLIER, _SECOND = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xD6E8FEB86659FD93)
_HALF, _SHIFT, _SEVEN = np.uint64(32), np.uint64(3), np.uint64(7)


@lru_cache(maxsize=1 << 17)
def _word_hash(word: str) -> int:
    return int.from_bytes(hashlib.blake2b(word.encode(), digest_size=8).digest(), "little")


def word_hashes(words: Iterable[str]) -> Hashes:
    """The hash of each word, uint64 [words]."""
    return np.array([_word_hash(word) for word in words], dtype=np.uint64)


def run_hashes(words: Hashes, length: int) -> Hashes:
    """The hash of each run of `length` words, uint64 [... x words - length + 1]; the last axis is that of the words.

    A polynomial in the words' hashes, so that runs of a whole song cost a few sums.
    """
    count = max(words.shape[-1] - length + 1, 0)
    found = np.zeros((*words.shape[:-1], count), dtype=np.uint64)
    for place in range(length):
        found = found * _MULTIPLIER + words[..., place : place + count]
    return found


class RunFilter:
    """A Bloom filter (Bloom 1970) of hashed runs: what was put in is always found, other runs once in 1,700.

    Args:
        bits: the filter, uint8 [bytes].
    """

    def __init__(self, bits: npt.NDArray[np.uint8]) -> None:
        self.bits = bits

    @classmethod
    def of_size(cls, runs: int) -> RunFilter:
        """An empty filter for so many runs."""
        bits = min(max(runs * _BITS_PER_RUN, _FEWEST_BITS), _MOST_BITS)
        return cls(np.zeros(-(-bits // 8), dtype=np.uint8))

    @classmethod
    def load(cls, path: Path) -> RunFilter:
        """Read what `save` wrote.

        Raises:
            DamagedArtifactError: the file is missing or is none.
        """
        return cls(load_bits(path, ("bits",))["bits"])

    def save(self, path: Path) -> None:
        """Write as safetensors."""
        save_file({"bits": self.bits}, path)

    def _places(self, hashes: Hashes) -> Hashes:
        """The bits of each hash, uint64 [hashes x probes] (Kirsch & Mitzenmacher 2006: two hashes make all)."""
        # Each is spread once more: a run of one word is else its word's bare hash.
        first = (hashes ^ (hashes >> _HALF)) * _SECOND
        second = (first ^ (first >> _HALF)) * _MULTIPLIER | np.uint64(1)
        probes = np.arange(_PROBES, dtype=np.uint64)
        mixed = (first[..., None] + probes * second[..., None]) >> _HALF
        return np.asarray((mixed * np.uint64(len(self.bits) * 8)) >> _HALF)

    def add(self, hashes: Hashes) -> None:
        """Put runs in."""
        places = self._places(np.unique(hashes)).reshape(-1)
        np.bitwise_or.at(self.bits, places >> _SHIFT, (np.uint64(1) << (places & _SEVEN)).astype(np.uint8))

    def contains(self, hashes: Hashes) -> npt.NDArray[np.bool_]:
        """Whether each hash was put in, bool of the same shape."""
        places = self._places(hashes)
        set_bits = self.bits[places >> _SHIFT] >> (places & _SEVEN).astype(np.uint8)
        return np.asarray((set_bits & 1).all(axis=-1))

    def holds(self, words: Sequence[str], length: int) -> list[bool]:
        """For each run of `length` words whether it was put in."""
        found: list[bool] = self.contains(run_hashes(word_hashes(words), length)).tolist()
        return found


class RunFilterBuilder:
    """Collects the hashes of a filter whose size is not known before: they wait on disk, not in memory."""

    def __init__(self) -> None:
        self._waiting, self._count = tempfile.TemporaryFile(), 0  # noqa: SIM115  (closed by `build`)

    def add(self, hashes: Hashes) -> None:
        """Take in the runs of one more song; a run that it has twice counts once."""
        found = np.unique(hashes)
        self._count += len(found)
        self._waiting.write(found.tobytes())

    def build(self) -> RunFilter:
        """The filter of all runs; the builder is used up."""
        built = RunFilter.of_size(self._count)
        with self._waiting as waiting:
            waiting.seek(0)
            while block := waiting.read(_BLOCK * 8):
                built.add(np.frombuffer(block, dtype=np.uint64))
        return built


def load_bits(path: Path, names: Sequence[str]) -> dict[str, npt.NDArray[np.uint8]]:
    """The named filters of a safetensors file, mapped: of filters as large as a corpus, a song reads a few pages.

    Raises:
        DamagedArtifactError: the file is missing, is none, or holds something else.
    """
    try:
        # Opened for its checks: whatever passes them has a header that says where each array is.
        with safe_open(path, framework="numpy"), path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(length))
        arrays = {name: header[name] for name in names}
    except (OSError, SafetensorError, KeyError) as error:
        raise DamagedArtifactError(f"{path}: is no copying index ({error}). Train the lyrics model again.") from error
    if any(array["dtype"] != "U8" or len(array["shape"]) != 1 or not array["shape"][0] for array in arrays.values()):
        raise DamagedArtifactError(f"{path}: is of an older version. Train the lyrics model again.")
    first = 8 + length
    return {
        name: np.memmap(path, np.uint8, "r", first + array["data_offsets"][0], tuple(array["shape"]))
        for name, array in arrays.items()
    }
