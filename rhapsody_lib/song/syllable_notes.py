"""Which notes of the melody each syllable is sung on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rhapsody_lib.music.score import TICKS_PER_BEAT, Note, Syllable

#: A silence of more than a sixteenth ends a syllable.
LONGEST_GAP_TICKS = TICKS_PER_BEAT // 4


@dataclass(frozen=True, slots=True)
class SyllableRun:
    """A syllable with the indices of the first and the last note that it is sung on."""

    syllable: Syllable
    first: int
    last: int


def syllable_runs(notes: Sequence[Note], syllables: Sequence[Syllable]) -> list[SyllableRun]:
    """Each syllable with its notes: that at its onset, and those that follow without a gap up to the next syllable.

    Args:
        notes: one at a time, by rising onset.
        syllables: one that has no note at its onset is left out.
    """
    at = {note.start_ticks: index for index, note in enumerate(notes)}
    placed = [(at[syllable.start_ticks], syllable) for syllable in syllables if syllable.start_ticks in at]
    runs = []
    for number, (first, syllable) in enumerate(placed):
        following = placed[number + 1][0] if number + 1 < len(placed) else len(notes)
        last = first
        while last + 1 < following and notes[last + 1].start_ticks - notes[last].end_ticks <= LONGEST_GAP_TICKS:
            last += 1
        runs.append(SyllableRun(syllable, first, last))
    return runs
