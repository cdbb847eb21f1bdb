"""Figures about the words of a song, and how far a set of songs is from another by them.

A figure alone says little: text that repeats nothing and text that repeats one line for ever both differ from songs.
So each is told as a distance to songs that were held out of training, and beside songs that were spoilt on purpose.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, pairwise

import numpy as np
import numpy.typing as npt

from rhapsody_lib.lyrics.lines import break_line
from rhapsody_lib.words.archaic import is_archaic
from rhapsody_lib.words.document import Lyrics, LyricSection
from rhapsody_lib.words.rhyme import rhyme_strength
from rhapsody_lib.words.syllables import count_syllables
from rhapsody_lib.words.tokens import tokenize_line

#: Figures that a song's length moves are those of its first words.
WINDOW_WORDS = 150
#: A line's end may rhyme with that of so many lines before; from this strength on it does (`words/rhyme.py`).
RHYME_LINES, RHYME_STRENGTH = 3, 0.8
#: The longest unit whose immediate repetition counts as a loop.
LOOP_WORDS = 16
Lines = Sequence[Sequence[str]]


def distinct(lines: Lines, order: int) -> float:
    """Distinct-n (Li et al. 2016): different runs of `order` words by all runs within lines; 1 where there are none."""
    runs = [tuple(line[start : start + order]) for line in lines for start in range(len(line) - order + 1)]
    return len(set(runs)) / len(runs) if runs else 1.0


def repeated_lines(lines: Lines) -> float:
    """Share of lines that the song has had before, word for word."""
    return 1 - len({tuple(line) for line in lines}) / len(lines) if lines else 0.0


def longest_loop(words: Sequence[str]) -> int:
    """Words of the longest stretch that is one unit of at most `LOOP_WORDS` words said twice or more; 0 for none."""
    numbers = np.unique(np.array(words, dtype=str), return_inverse=True)[1] if len(words) else np.zeros(0)
    longest = 0
    for unit in range(1, min(LOOP_WORDS, len(words) // 2) + 1):
        same = np.concatenate([[False], numbers[unit:] == numbers[:-unit], [False]])
        edges = np.flatnonzero(same[1:] != same[:-1])
        runs = edges[1::2] - edges[::2]
        longest = max([longest, *(int(run) + unit for run in runs if run >= unit)])
    return longest


def rhyme_density(lines: Lines) -> float:
    """Share of lines that end on a rhyme with one of the `RHYME_LINES` lines before; a word is no rhyme to itself."""
    ends = [line[-1] for line in lines if line]
    found = [
        any(rhyme_strength(end, other) >= RHYME_STRENGTH for other in ends[max(0, place - RHYME_LINES) : place])
        for place, end in enumerate(ends)
    ]
    return sum(found) / len(found) if found else 0.0


def word_pairs(lines: Lines) -> list[tuple[str, str]]:
    """Words that stand beside each other in a line."""
    return list(chain.from_iterable(map(pairwise, lines)))


def lines_of(song: Lyrics) -> list[list[str]]:
    """The words of each line as the model reads them: long lines broken, lines without words left out."""
    lines = [tokenize_line(piece) for line in song.lines for piece in break_line(line)]
    return [line for line in lines if line]


def new_pairs(song: Lyrics, known: Collection[tuple[str, str]]) -> float:
    """Share of a song's pairs of neighbouring words that are none of `known`; 0 where it has no pairs.

    Not a distance but a fact beside copying: text stitched together from training songs has few new pairs, word salad
    nothing else.
    """
    pairs = word_pairs(lines_of(song))
    return sum(pair not in known for pair in pairs) / max(len(pairs), 1)


def text_figures(song: Lyrics) -> dict[str, float]:
    """The figures of one song; a section that returns counts each time, as it is sung."""
    lines = lines_of(song)
    first, count = [], 0
    for line in lines:
        first.append(line)
        count += len(line)
        if count >= WINDOW_WORDS:
            break
    words = [word for line in lines for word in line]
    syllables = [count_syllables(" ".join(line)) for line in lines] or [0]
    figures = {f"distinct_{order}": distinct(first, order) for order in (1, 2, 4)}
    figures |= {
        "repeated_lines": repeated_lines(lines),
        "longest_loop": float(longest_loop([word for line in first for word in line])),
        "rhyme_density": rhyme_density(lines),
        "syllables_per_line": float(np.mean(syllables)),
        "syllables_spread": float(np.std(syllables)),
        "words_per_line": len(words) / max(len(lines), 1),
        "archaic_words": sum(map(is_archaic, words)) / max(len(words), 1),
    }
    return figures


@dataclass(frozen=True)
class Distance:
    """How far one figure of some songs is from that of reference songs.

    Args:
        mean: over the songs.
        reference: over the reference songs.
        shift: difference of the means in units of the reference songs' spread (standard deviation).
        wasserstein: 1-Wasserstein distance of the two distributions in the same unit: it sees a wrong spread too.
    """

    mean: float
    reference: float
    shift: float
    wasserstein: float


def distances(songs: Sequence[Mapping[str, float]], reference: Sequence[Mapping[str, float]]) -> dict[str, Distance]:
    """The distance of songs to reference songs by each figure that both have.

    A spread of less than a twentieth of the mean, or of 0.02, counts as that much: reference songs that are all alike
    would else make any difference infinite.
    """
    found = {}
    for name in reference[0]:
        ours = np.array([figures[name] for figures in songs])
        theirs = np.array([figures[name] for figures in reference])
        mean = float(theirs.mean())
        spread = max(float(theirs.std()), abs(mean) / 20, 0.02)
        found[name] = Distance(
            float(ours.mean()), mean, (float(ours.mean()) - mean) / spread, wasserstein(ours, theirs) / spread
        )
    return found


def overall(found: Mapping[str, Distance]) -> float:
    """One distance of all figures: the mean of their 1-Wasserstein distances."""
    return float(np.mean([distance.wasserstein for distance in found.values()]))


def wasserstein(a: npt.NDArray[np.float64], b: npt.NDArray[np.float64]) -> float:
    """1-Wasserstein distance of two samples: the area between their distribution functions."""
    places = np.sort(np.concatenate([a, b]))
    shares = [np.searchsorted(np.sort(sample), places[:-1], side="right") / len(sample) for sample in (a, b)]
    return float((np.abs(shares[0] - shares[1]) * np.diff(places)).sum())


def shuffled(song: Lyrics, rng: np.random.Generator) -> Lyrics:
    """The song with its words in any order, its lines as long as they were: a control without sense, order or rhyme."""
    words = [word for line in lines_of(song) for word in line]
    mixed = iter([words[place] for place in rng.permutation(len(words))])
    return _relined(song, lambda line: " ".join(next(mixed) for _ in line))


def looped(song: Lyrics) -> Lyrics:
    """The song stuck in its first two lines: a control that repeats itself."""
    first = [" ".join(line) for line in lines_of(song)[:2]]
    count = iter(range(len(lines_of(song))))
    return _relined(song, lambda _: first[next(count) % len(first)])


def _relined(song: Lyrics, write: Callable[[list[str]], str]) -> Lyrics:
    """The song with each of its broken lines written anew."""
    sections = tuple(
        LyricSection(section.name, tuple(write(line) for line in lines_of(Lyrics("", (section,)))))
        for section in song.sections
    )
    return replace(song, sections=tuple(section for section in sections if section.lines))
