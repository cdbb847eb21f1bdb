"""What a song has in common with many others: the longest run of words, and how many of its short runs.

A run may go over the ends of lines. Songs are compared in blocks, so that memory does not grow with their number; one
run of words is known by the 64-bit hash of `runs.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
import numpy.typing as npt

from rhapsody_lib.lyrics.copying import REPORT_WORDS
from rhapsody_lib.lyrics.runs import Hashes, word_hashes
from rhapsody_lib.words.document import Lyrics
from rhapsody_lib.words.tokens import tokenize_line

#: Training songs that are compared at once.
_BLOCK_SONGS = 2000
#: Words of a run that are looked for at most, for each takes a pass: longer runs count as so many.
LONGEST_RUN = 64
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
Words = Sequence[str]


@dataclass(frozen=True)
class Overlap:
    """What one song shares with others.

    Args:
        longest_run: words of the longest run that stands in it and in one of them; `LONGEST_RUN` for longer ones too.
        shared_share: share of its runs of `REPORT_WORDS` words that stand in one of them; 0 for a shorter song.
    """

    longest_run: int
    shared_share: float


@dataclass(frozen=True)
class _Text:
    """Songs one after another: the hash of each word, and how many words its song has from there on."""

    words: Hashes
    left: npt.NDArray[np.int64]


def words_of(song: Lyrics) -> list[str]:
    """The words of a song in the order they are sung."""
    return [token for line in song.lines for token in tokenize_line(line)]


def longest_shared_run(words: Sequence[str], songs: Iterable[Lyrics], *, but_within: Sequence[str] = ()) -> int:
    """Words of the longest run that stands in `words` and in one of the songs; `LONGEST_RUN` for longer ones too.

    Args:
        words: those of a new song.
        songs: songs it may have copied from.
        but_within: a run that is part of these words, such as the prompt, does not count.
    """
    places: dict[str, list[int]] = {}
    for place, word in enumerate(words):
        places.setdefault(word, []).append(place)
    given = f" {' '.join(but_within)} "
    longest = 0
    for song in songs:
        other = words_of(song)
        before: dict[int, int] = {}
        for word in other:
            # Length of the shared run that ends at each place of `words` and at this word.
            ends = {place: before.get(place - 1, 0) + 1 for place in places.get(word, ())}
            for place, length in ends.items():
                if length > longest and f" {' '.join(words[place - length + 1 : place + 1])} " not in given:
                    longest = length
            if longest >= LONGEST_RUN:
                return LONGEST_RUN
            before = ends
    return longest


def overlaps(songs: Sequence[Words], others: Iterable[Lyrics]) -> list[Overlap]:
    """For each song what it shares with any of the others.

    Args:
        songs: the words of each.
        others: read once, in blocks.
    """
    if not songs:
        return []
    text = _text(songs)
    longest = np.zeros(len(text.words), dtype=np.int64)
    reported = np.zeros(len(text.words), dtype=np.bool_)
    for block in _blocks(others):
        _compare(text, _text([words_of(song) for song in block]), longest, reported)
    edges = np.cumsum([len(words) for words in songs])[:-1]
    parts = [np.split(array, edges) for array in (longest, reported, text.left >= REPORT_WORDS)]
    return [
        Overlap(int(runs.max(initial=0)), float(found.sum() / max(countable.sum(), 1)))
        for runs, found, countable in zip(*parts, strict=True)
    ]


def _blocks(songs: Iterable[Lyrics]) -> Iterator[list[Lyrics]]:
    iterator = iter(songs)
    while block := list(islice(iterator, _BLOCK_SONGS)):
        yield block


def _text(songs: Sequence[Words]) -> _Text:
    words = [word for song in songs for word in song]
    left = [np.arange(len(song), 0, -1) for song in songs]
    return _Text(word_hashes(words), np.concatenate([np.zeros(0, dtype=np.int64), *left]))


def _compare(text: _Text, other: _Text, longest: npt.NDArray[np.int64], reported: npt.NDArray[np.bool_]) -> None:
    """Raise `longest` and `reported` of each place of the text by what the other holds."""
    mine, theirs = np.arange(len(text.words)), np.arange(len(other.words))
    my_hashes, their_hashes = np.zeros(len(mine), dtype=np.uint64), np.zeros(len(theirs), dtype=np.uint64)
    length = 0
    while len(mine) and length < LONGEST_RUN:
        length += 1
        mine, my_hashes = _longer(text, mine, my_hashes, length)
        theirs, their_hashes = _longer(other, theirs, their_hashes, length)
        # A run of so many words stands in both only where that of one word less did.
        both = np.intersect1d(my_hashes, their_hashes)
        kept, kept_theirs = np.isin(my_hashes, both), np.isin(their_hashes, both)
        mine, my_hashes, theirs, their_hashes = (
            mine[kept],
            my_hashes[kept],
            theirs[kept_theirs],
            their_hashes[kept_theirs],
        )
        longest[mine] = np.maximum(longest[mine], length)
        if length == REPORT_WORDS:
            reported[mine] = True


def _longer(
    text: _Text, places: npt.NDArray[np.int64], hashes: Hashes, length: int
) -> tuple[npt.NDArray[np.int64], Hashes]:
    """The places where a run of `length` words fits into its song, and the hashes of those runs."""
    fits = text.left[places] >= length
    places = places[fits]
    return places, hashes[fits] * _MULTIPLIER + text.words[places + length - 1]


def copying_reference(heldout: Sequence[Lyrics], training: Iterable[Lyrics]) -> dict[str, float]:
    """What songs that nobody copied share with the training songs: the measure for what is written.

    Returns:
        `longest_run_median`, `longest_run_max` in words and `shared_share_mean`, `shared_share_median` of runs of
        `REPORT_WORDS` words; empty where no song is held out.
    """
    return summed_up(overlaps([words_of(song) for song in heldout], training))


def summed_up(found: Sequence[Overlap]) -> dict[str, float]:
    """Medians and extremes over songs; empty for none."""
    if not found:
        return {}
    runs, shares = [overlap.longest_run for overlap in found], [overlap.shared_share for overlap in found]
    return {
        "longest_run_median": float(np.median(runs)),
        "longest_run_max": float(max(runs)),
        "shared_share_median": round(float(np.median(shares)), 4),
        "shared_share_mean": round(float(np.mean(shares)), 4),
    }
