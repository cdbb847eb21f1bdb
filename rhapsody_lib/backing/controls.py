"""Music spoilt on purpose, one thing at a time: figures by which it comes out nearer than other music measure nothing.

What is spoilt stays within its part's range and on the grid, so that only the one thing is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from rhapsody_lib.backing.quantise import quantise, tidy_part
from rhapsody_lib.backing.vocabulary import STEP_TICKS
from rhapsody_lib.music.score import PART_RANGES, PARTS, TICKS_PER_BEAT, Note, Score

_EIGHTH_TICKS = TICKS_PER_BEAT // 2


def random_pitches(score: Score, random: np.random.Generator) -> Score:
    """Every pitched note at any pitch of its part's range; drums, rhythm and loudness as they were."""

    def spoil(part: str, notes: tuple[Note, ...]) -> list[Note]:
        low, high = PART_RANGES[part]
        drawn = random.integers(low, high + 1, size=len(notes)).tolist()
        return [replace(note, pitch=pitch) for note, pitch in zip(notes, drawn, strict=True)]

    return _spoilt(score, lambda part, notes: list(notes) if part == "drums" else spoil(part, notes))


def random_onsets(score: Score, random: np.random.Generator) -> Score:
    """Every note at any step of the score; pitches, lengths and numbers of notes as they were."""
    steps = max(1, score.end_ticks // STEP_TICKS)

    def spoil(_: str, notes: tuple[Note, ...]) -> list[Note]:
        drawn = random.integers(0, steps, size=len(notes)).tolist()
        return [replace(note, start_ticks=step * STEP_TICKS) for note, step in zip(notes, drawn, strict=True)]

    return _spoilt(score, spoil)


def snapped_to_eighths(score: Score, _: np.random.Generator) -> Score:
    """Every note begins on the nearest eighth and lasts whole eighths."""

    def spoil(_: str, notes: tuple[Note, ...]) -> list[Note]:
        return [
            replace(
                note,
                start_ticks=round(note.start_ticks / _EIGHTH_TICKS) * _EIGHTH_TICKS,
                duration_ticks=max(1, round(note.duration_ticks / _EIGHTH_TICKS)) * _EIGHTH_TICKS,
            )
            for note in notes
        ]

    return _spoilt(score, spoil)


#: The negative controls by the names that tables show.
CONTROLS: Mapping[str, Callable[[Score, np.random.Generator], Score]] = {
    "random pitches": random_pitches,
    "random onsets": random_onsets,
    "snapped to eighths": snapped_to_eighths,
}


def _spoilt(score: Score, spoil: Callable[[str, tuple[Note, ...]], list[Note]]) -> Score:
    """The score on the grid with each part spoilt, overlaps tidied away, its words dropped."""
    grid = quantise(score)
    return replace(grid, parts={part: tidy_part(part, spoil(part, grid.parts[part])) for part in PARTS})
