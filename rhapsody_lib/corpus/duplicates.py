"""Songs that repeat one another in a corpus of any size: the same words or nearly, or the same music without words.

The first of them stays. Candidates share a band of their signatures (`signatures`), and each is verified by its exact
Jaccard similarity, so that no song is left out by chance. Signatures lie on disk, band by band, and one band at a time
is sorted: memory holds some integers a song, and more only of songs that share a band with another.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from rhapsody_lib.corpus.signatures import (
    KEY_BYTES,
    PERMUTATIONS,
    Hashes,
    Signature,
    bands,
    jaccard,
    rows_per_band,
    shingles,
)

_Numbers = npt.NDArray[np.int64]
#: Songs that stay which one band is known by, at most. A band that more songs share is of words that many have (a
#: template, a notice), and to compare all with all of them takes hours: later ones are found by their other bands.
_MOST_OF_A_BAND = 300


@dataclass(frozen=True)
class Repeats:
    """What each song, by its number in order, repeats: `of` is that song's number, -1 for a song that stays.

    `similarity` is 1 for the same words; `exact` tells those from others that are alike in all word 3-grams.
    """

    of: _Numbers
    similarity: npt.NDArray[np.float64]
    exact: npt.NDArray[np.bool_]


def _firsts(keys: Hashes) -> _Numbers:
    """For each row of shape (songs, 2) the number of the first row like it."""
    order = np.lexsort((keys[:, 1], keys[:, 0]))  # stable: equal rows stay in order
    new = np.ones(len(keys), dtype=bool)
    new[1:] = (keys[order[1:]] != keys[order[:-1]]).any(axis=1)
    firsts = np.empty(len(keys), dtype=np.int64)
    firsts[order] = order[np.flatnonzero(new)][np.cumsum(new) - 1]
    return firsts


def _shared(values: Hashes, songs: _Numbers) -> tuple[_Numbers, _Numbers]:
    """Those songs whose value another has too, and for each the number of its group."""
    if len(values) < 2:
        return songs[:0], songs[:0]
    order = np.argsort(values, kind="stable")
    same = values[order[1:]] == values[order[:-1]]
    after, before = np.append(False, same), np.append(same, False)
    return songs[order[after | before]], np.cumsum(before & ~after)[after | before]


class DuplicateFinder:
    """Finds repeated songs. Add all, in order; then `compare` those that `alike` names. A context manager.

    Args:
        threshold: Jaccard similarity of word 3-grams from which a song is a near duplicate.
        folder: where its files lie while it is open; that of the system, which may be in memory, if none is given.
    """

    def __init__(self, threshold: float, folder: Path | None = None) -> None:
        self._threshold, self._rows, self._folder = threshold, rows_per_band(threshold), folder
        self._files = ExitStack()
        self._keys = self._temporary()
        self._bands = [self._temporary() for _ in range(PERMUTATIONS // self._rows)]
        self._signed = self._temporary()
        self._found: tuple[_Numbers, _Numbers, _Numbers] | None = None

    def _temporary(self) -> IO[bytes]:
        return self._files.enter_context(tempfile.TemporaryFile(dir=self._folder))

    def __enter__(self) -> DuplicateFinder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._files.close()

    def add(self, keys: Sequence[bytes], signatures: Sequence[bytes | None]) -> None:
        """Add songs: the key of each, and the bytes of its signature; None for music without words."""
        nothing = bytes(PERMUTATIONS * 4)
        signed = np.array([signature is not None for signature in signatures], dtype=np.uint8)
        values: Signature = np.frombuffer(b"".join(each or nothing for each in signatures), dtype="<u4")
        self._keys.write(b"".join(keys))
        self._signed.write(signed.tobytes())
        banded = bands(values.reshape(-1, PERMUTATIONS), self._rows)
        for file, column in zip(self._bands, banded.T, strict=True):
            file.write(np.ascontiguousarray(column).tobytes())

    @staticmethod
    def _stored(file: IO[bytes], kind: npt.DTypeLike) -> npt.NDArray[Any]:
        file.seek(0)
        return np.frombuffer(file.read(), dtype=kind)

    def alike(self) -> list[int]:
        """The numbers of the songs whose words must be compared, in order; the first of those with the same words."""
        firsts = _firsts(self._stored(self._keys, "<u8").reshape(-1, KEY_BYTES // 8))
        signed = self._stored(self._signed, np.uint8) == 1
        songs = np.flatnonzero(signed & (firsts == np.arange(len(firsts))))
        members, groups, before = [np.empty(0, dtype=np.int64)], [np.empty(0, dtype=np.int64)], 0
        for file in self._bands:
            those, group = _shared(self._stored(file, np.uint64)[songs], songs)
            members.append(those)
            groups.append(group + before)
            before += int(group[-1]) if len(group) else 0
        member, group = np.concatenate(members), np.concatenate(groups)
        order = np.argsort(member, kind="stable")
        self._found = firsts, member[order], group[order]
        return [int(number) for number in np.unique(member)]

    def compare(self, words: Iterable[Sequence[str]]) -> Repeats:
        """What repeats what, from the words of the songs that `alike` named, in its order."""
        assert self._found is not None, "call alike() first"  # noqa: S101
        firsts, member, group = self._found
        of, similarity = np.full(len(firsts), -1, dtype=np.int64), np.ones(len(firsts))
        numbers, starts = np.unique(member, return_index=True)
        stops = np.append(starts, len(member))[1:]
        with _Kept(self._folder) as kept:
            for number, start, stop, text in zip(numbers, starts, stops, words, strict=True):
                hashes, shared = shingles(text), group[start:stop].tolist()
                for other in kept.candidates(shared):
                    alike = jaccard(hashes, kept.hashes(other))
                    if alike >= self._threshold:
                        of[number], similarity[number] = other, alike
                        break
                else:
                    kept.add(int(number), hashes, shared)
        again = np.flatnonzero(firsts != np.arange(len(firsts)))
        origin = firsts[again]
        exact = np.zeros(len(firsts), dtype=bool)
        exact[again] = of[origin] < 0
        of[again] = np.where(of[origin] < 0, origin, of[origin])
        similarity[again] = similarity[origin]
        return Repeats(of, similarity, exact)


class _Kept:
    """Songs that stay, of those that share a band with others: their shingles, in a file, and their groups."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._places: dict[int, tuple[int, int]] = {}
        self._groups: dict[int, list[int]] = {}

    def __enter__(self) -> _Kept:
        self._file = tempfile.TemporaryFile(dir=self._folder)  # closed by __exit__
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def candidates(self, groups: Iterable[int]) -> list[int]:
        """The songs of these groups, in order."""
        return sorted({number for group in groups for number in self._groups.get(group, ())})

    def hashes(self, number: int) -> Hashes:
        """The shingles of a song."""
        start, count = self._places[number]
        self._file.seek(start)
        return np.frombuffer(self._file.read(count * 8), dtype=np.uint64)

    def add(self, number: int, hashes: Hashes, groups: Iterable[int]) -> None:
        """Keep a song."""
        self._places[number] = (self._file.seek(0, 2), len(hashes))
        self._file.write(hashes.tobytes())
        for group in groups:
            members = self._groups.setdefault(group, [])
            if len(members) < _MOST_OF_A_BAND:
                members.append(number)
