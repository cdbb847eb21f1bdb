"""Which runs of words stand in the training songs: hashed runs and lines, to refuse and to report copying."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from rhapsody_lib.errors import DamagedArtifactError
from rhapsody_lib.words.document import Lyrics
from rhapsody_lib.words.tokens import tokenize_line

#: A run of this many words or more in common with a training song is a copy, and is refused; so is a whole line of
#: `LINE_WORDS`.
COPY_WORDS, LINE_WORDS = 6, 4
#: Shorter runs are counted and reported, as the share of a song's runs of this length.
REPORT_WORDS = 5


def _hash(words: Sequence[str]) -> int:
    return int.from_bytes(hashlib.blake2b("\x1f".join(words).encode(), digest_size=8).digest(), "big")


def _runs(tokens: Sequence[str], length: int) -> Iterable[Sequence[str]]:
    return (tokens[start : start + length] for start in range(len(tokens) - length + 1))


@dataclass(frozen=True)
class CopyIndex:
    """Hashes (64 bits) of the runs of `COPY_WORDS` and `REPORT_WORDS` words and of the lines of training songs."""

    copies: frozenset[int]
    reported: frozenset[int]
    lines: frozenset[int]

    @classmethod
    def build(cls, songs: Iterable[Lyrics]) -> CopyIndex:
        """Index songs, sections in the order they are sung, across lines."""
        copies: set[int] = set()
        reported: set[int] = set()
        whole: set[int] = set()
        for song in songs:
            lines = [tokenize_line(line) for line in song.lines]
            whole.update(_hash(line) for line in lines if len(line) >= LINE_WORDS)
            tokens = [token for line in lines for token in line]
            copies.update(map(_hash, _runs(tokens, COPY_WORDS)))
            reported.update(map(_hash, _runs(tokens, REPORT_WORDS)))
        return cls(frozenset(copies), frozenset(reported), frozenset(whole))

    def is_copy(self, words: Sequence[str]) -> bool:
        """Whether `words` hold a run of `COPY_WORDS` that a training song holds."""
        return any(self.runs(words, COPY_WORDS))

    def is_line(self, words: Sequence[str]) -> bool:
        """Whether `words` are a whole line of a training song."""
        return _hash(words) in self.lines

    def runs(self, words: Sequence[str], length: int) -> list[bool]:
        """For each run of `length` words, `COPY_WORDS` or `REPORT_WORDS`, whether a training song holds it."""
        known = self.copies if length == COPY_WORDS else self.reported
        return [_hash(run) in known for run in _runs(words, length)]

    def save(self, path: Path) -> None:
        """Write as safetensors."""
        save_file({name: _sorted(hashes) for name, hashes in vars(self).items()}, path)

    @classmethod
    def load(cls, path: Path) -> CopyIndex:
        """Read what `save` wrote.

        Raises:
            DamagedArtifactError: the file is missing or is none.
        """
        try:
            return cls(**{name: frozenset(hashes.tolist()) for name, hashes in load_file(path).items()})
        except (OSError, SafetensorError, TypeError) as error:
            raise DamagedArtifactError(
                f"{path}: is no copying index ({error}). Train the lyrics model again."
            ) from error


def _sorted(hashes: frozenset[int]) -> npt.NDArray[np.uint64]:
    return np.array(sorted(hashes), dtype=np.uint64)
