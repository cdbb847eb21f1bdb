"""How finished songs are compared: one stated score, the weighted sum of its parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from rhapsody_lib.lyrics.metrics import distinct
from rhapsody_lib.lyrics.proposals import Line

#: Parts of the score and their weights. The first two are in nats a word; all others lie in [0, 1].
SCORE_WEIGHTS = {
    "log_probability": 1.0,
    "weakest_line": 0.5,
    "rhyme": 1.0,
    "regularity": 1.0,
    "distinctness": 2.0,
    "theme": 0.5,
    "completeness": 4.0,
}


@dataclass
class Written:
    """What was written of one song, and what was wished for."""

    lines: list[Line] = field(default_factory=list)
    misses: list[int] = field(default_factory=list)
    rhymes: list[float] = field(default_factory=list)
    wished: int = 0


def score_parts(written: Written, texts: Sequence[Sequence[str]]) -> dict[str, float]:
    """The parts of a song's score.

    Args:
        written: its lines as the model wrote them.
        texts: tokens of each line of the song, a section that returns counted once.

    Returns:
        Mean log-probability of a word; that of the least likely line; mean strength of the rhymes that the form asks
        for; 1 less the mean miss of the line length in syllables (or words), over two; distinct-2; share of the lines
        that hold a word of the prompt's theme; share of the lines wished for that could be written.
    """
    values = [value for line in written.lines for value in line.log_probabilities]
    return {
        "log_probability": float(np.mean(values)) if values else 0.0,
        "weakest_line": min((float(np.mean(line.log_probabilities)) for line in written.lines), default=0.0),
        "rhyme": float(np.mean(written.rhymes)) if written.rhymes else 0.0,
        "regularity": 1 - float(np.mean(written.misses)) / 2 if written.misses else 1.0,
        "distinctness": distinct(texts, 2),
        "theme": float(np.mean([line.theme > 0 for line in written.lines])) if written.lines else 0.0,
        "completeness": len(written.lines) / written.wished if written.wished else 1.0,
    }


def score(parts: dict[str, float]) -> float:
    """The weighted sum of the parts."""
    return sum(weight * parts[name] for name, weight in SCORE_WEIGHTS.items())
