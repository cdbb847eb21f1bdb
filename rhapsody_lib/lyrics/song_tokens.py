"""Songs as tokens in a file, so that a corpus of any size is trained on: memory holds where each song begins."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from rhapsody_lib.lyrics.vocabulary import Tokens
from rhapsody_lib.seeding import generator

_ITEM_BYTES = 4
#: Tokens that are counted at once.
_COUNTED_TOKENS = 1_000_000


class _TokenFile:
    """Tokens of a file, read where they are sliced. A mapped file would count as memory as far as it was ever read."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __getitem__(self, cut: slice, /) -> Tokens:
        first, last = cut.start, cut.stop
        return np.fromfile(self._path, dtype=np.int32, count=last - first, offset=first * _ITEM_BYTES)


class SongTokens(Sequence[Tokens]):
    """Songs written one after another, int32. A sequence of them, each read when it is asked for.

    Args:
        path: the file; it must stay while this is used.
        offsets: where each song begins, and where the last one ends, int64 [songs + 1].
        digest: of the tokens.
    """

    def __init__(self, path: Path, offsets: npt.NDArray[np.int64], digest: str) -> None:
        self._offsets, self.digest = offsets, digest
        self._tokens = _TokenFile(path)

    @classmethod
    def write(cls, songs: Iterable[Tokens], path: Path) -> SongTokens:
        """Write songs as they come."""
        offsets, digest = [0], hashlib.sha256()
        with path.open("wb") as file:
            for song in songs:
                content = np.ascontiguousarray(song, dtype=np.int32).tobytes()
                digest.update(content)
                file.write(content)
                offsets.append(offsets[-1] + len(content) // _ITEM_BYTES)
        return cls(path, np.array(offsets, dtype=np.int64), digest.hexdigest())

    def __len__(self) -> int:
        return len(self._offsets) - 1

    @property
    def tokens(self) -> int:
        """Tokens of all songs."""
        return int(self._offsets[-1])

    def __getitem__(self, index):  # type: ignore[no-untyped-def]
        if isinstance(index, slice):
            return [self[place] for place in range(*index.indices(len(self)))]
        place = range(len(self))[index]
        return self._tokens[int(self._offsets[place]) : int(self._offsets[place + 1])]

    def within(self, tokens: int) -> Iterator[Tokens]:
        """Songs that hold at most `tokens` tokens, at least one, in the table's order.

        All where they fit; else the same drawn ones each time, from the whole table: its sources stand one after
        another.
        """
        drawn = generator(0, "lyrics", "within").permutation(len(self))
        fitting = int(np.searchsorted(np.cumsum(np.diff(self._offsets)[drawn]), tokens, side="right"))
        for place in np.sort(drawn[: max(fitting, 1)]).tolist():
            yield self[place]

    def counts(self, vocabulary_size: int) -> npt.NDArray[np.int64]:
        """How often each token occurs, int64 [vocabulary]."""
        found = np.zeros(vocabulary_size, dtype=np.int64)
        for start in range(0, self.tokens, _COUNTED_TOKENS):
            counted = self._tokens[start : min(start + _COUNTED_TOKENS, self.tokens)]
            found += np.bincount(counted, minlength=vocabulary_size)
        return found

    def in_order(self, order: npt.NDArray[np.integer]) -> OrderedSongs:
        """The songs as one stream, in an order."""
        return OrderedSongs(self._tokens, self._offsets, order)


class OrderedSongs:
    """Songs of a file one after another in an order, read where it is sliced; its parts are streams too.

    Args:
        tokens: the file's tokens.
        offsets: where each song begins, and the last one ends.
        order: indices of songs.
        first: where this part begins in the stream of all songs.
        last: where it ends; none is at the end of all.
    """

    def __init__(
        self,
        tokens: _TokenFile,
        offsets: npt.NDArray[np.int64],
        order: npt.NDArray[np.integer],
        first: int = 0,
        last: int | None = None,
    ) -> None:
        self._tokens, self._order = tokens, order
        self._ends = np.cumsum(np.diff(offsets)[order])
        self._offsets = offsets
        self._first = first
        self._last = int(self._ends[-1]) if last is None and len(order) else (last or 0)

    def __len__(self) -> int:
        return self._last - self._first

    def part(self, index: int, parts: int) -> OrderedSongs:
        """One of `parts` contiguous parts of about the same length; each begins with the last token of the one before.

        So that every token but the stream's first is the target of exactly one part.
        """
        targets = len(self) - 1
        first, last = (self._first + targets * place // parts for place in (index, index + 1))
        return OrderedSongs(self._tokens, self._offsets, self._order, first, last + 1)

    def __getitem__(self, cut: slice, /) -> Tokens:
        start, stop, _ = cut.indices(len(self))
        start, stop = start + self._first, stop + self._first
        found: list[Tokens] = []
        song = int(np.searchsorted(self._ends, start, side="right"))
        while start < stop:
            end = int(self._ends[song])
            ahead = end - start
            file_end = int(self._offsets[self._order[song] + 1])
            taken = min(ahead, stop - start)
            found.append(self._tokens[file_end - ahead : file_end - ahead + taken])
            start += taken
            song += 1
        return np.concatenate(found) if found else np.zeros(0, dtype=np.int32)
