"""What returns in a melody is sung alike: what other notes of a song tell of a note (`underlay`).

Two notes are parallel where they stand at the same place in their bars, sound as long, and are reached and left by the
same intervals after the same time: the second verse, the returning phrase. How often the others begin a syllable tells
whether this one does, whatever is sung there: where one line has as many notes as syllables, the rest know.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from rhapsody_lib.music.score import Note

Floats = NDArray[np.float64]
#: Notes that are thought to begin a syllable, and as many that do not, before any parallel one is looked at.
_PRIOR_NOTES = 0.1


def parallel_groups(notes: Sequence[Note], offsets: Sequence[int]) -> list[list[int]]:
    """The indices of parallel notes, groups of two or more.

    Args:
        notes: the melody, sorted.
        offsets: ticks of each note since its bar line.
    """
    moves = [(after.start_ticks - before.start_ticks, after.pitch - before.pitch) for before, after in pairwise(notes)]
    places = [(offset, note.duration_ticks) for note, offset in zip(notes, offsets, strict=True)]
    groups = defaultdict(list)
    for index, alike in enumerate(zip(places, [None, *moves], [*moves, None], strict=True)):
        groups[alike].append(index)
    return [group for group in groups.values() if len(group) > 1]


def told_by_parallels(groups: Sequence[Sequence[int]], chances: Floats) -> Floats:
    """[notes] log odds that a note begins a syllable, by the others of its group; 0 for a note without parallels.

    Args:
        groups: `parallel_groups`.
        chances: [notes] how likely each begins one.
    """
    odds = np.zeros(len(chances))
    for group in groups:
        others = chances[list(group)].sum() - chances[list(group)]
        mean = (others + _PRIOR_NOTES) / (len(group) - 1 + 2 * _PRIOR_NOTES)
        odds[list(group)] = np.log(mean / (1 - mean))
    return odds
