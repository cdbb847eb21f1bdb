"""Figures about written lyrics. Lines are compared by their words; punctuation and capitals count for nothing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from rhapsody_lib.words.document import Lyrics
from rhapsody_lib.words.rhyme import rhyme_strength
from rhapsody_lib.words.syllables import count_syllables
from rhapsody_lib.words.tokens import tokenize_line

#: Line ends that rhyme at least so well count as rhyming.
_RHYMING = 0.75


def distinct(lines: Sequence[Sequence[str]], order: int) -> float:
    """Distinct-n (Li et al. 2016): different runs of `order` words by all runs within lines; 1 where there are none."""
    runs = [tuple(line[start : start + order]) for line in lines for start in range(len(line) - order + 1)]
    return len(set(runs)) / len(runs) if runs else 1.0


def repeated_lines(lyrics: Lyrics) -> float:
    """Share of lines that stand earlier in the song; a returning section counts, for that is how it is sung."""
    lines = [tuple(tokenize_line(line)) for line in lyrics.lines]
    return 1 - len(set(lines)) / len(lines) if lines else 0.0


def rhyme_density(lyrics: Lyrics) -> float:
    """Share of lines that rhyme with another line of their section; sections that return count once."""
    rhyming = total = 0
    for lines in dict.fromkeys(section.lines for section in lyrics.sections):
        ends = [tokens[-1] for tokens in map(tokenize_line, lines) if tokens]
        rhyming += sum(any(rhyme_strength(end, other) >= _RHYMING for other in ends) for end in ends)
        total += len(ends)
    return rhyming / total if total else 0.0


def syllables_per_line(lyrics: Lyrics) -> tuple[float, float]:
    """Mean and standard deviation of the syllables of a line; zeros for no lines."""
    counts = [count_syllables(line) for line in lyrics.lines]
    return (float(np.mean(counts)), float(np.std(counts))) if counts else (0.0, 0.0)


def perplexity(log_probabilities: npt.ArrayLike) -> float:
    """Perplexity from the natural log-probability of each token."""
    return float(np.exp(-np.asarray(log_probabilities, dtype=np.float64).mean()))


def describe(lyrics: Lyrics) -> dict[str, float]:
    """All figures about one song by name."""
    lines = [tokenize_line(line) for line in lyrics.lines]
    mean, deviation = syllables_per_line(lyrics)
    return {
        **{f"distinct_{order}": distinct(lines, order) for order in (1, 2, 4)},
        "repeated_lines": repeated_lines(lyrics),
        "rhyme_density": rhyme_density(lyrics),
        "syllables_per_line": mean,
        "syllables_per_line_deviation": deviation,
    }
