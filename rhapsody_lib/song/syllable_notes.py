"""Which notes of the melody each syllable is sung on."""

from __future__ import annotations

import bisect
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from rhapsody_lib.music.score import TICKS_PER_BEAT, Note, Section, Syllable

#: A silence of more than a sixteenth ends a syllable.
LONGEST_GAP_TICKS = TICKS_PER_BEAT // 4


@dataclass(frozen=True, slots=True)
class SyllableRun:
    """A syllable with the indices of the first and the last note that it is sung on."""

    syllable: Syllable
    first: int
    last: int


def syllable_runs(
    notes: Sequence[Note], syllables: Sequence[Syllable], sections: Sequence[Section]
) -> list[SyllableRun]:
    """Each syllable with its notes: that at its onset, and those that follow without a gap up to the next syllable.

    The notes of the next section are its own: an instrument plays them where it has no words.

    Args:
        notes: one at a time, by rising onset.
        syllables: one that has no note at its onset is left out.
        sections: of the song, in order.
    """
    at = {note.start_ticks: index for index, note in enumerate(notes)}
    placed = [(at[syllable.start_ticks], syllable) for syllable in syllables if syllable.start_ticks in at]
    onsets, opens = [note.start_ticks for note in notes], [section.start_ticks for section in sections]
    runs = []
    for number, (first, syllable) in enumerate(placed):
        following = placed[number + 1][0] if number + 1 < len(placed) else len(notes)
        after = bisect.bisect_right(opens, syllable.start_ticks)
        if after < len(opens):
            following = min(following, bisect.bisect_left(onsets, opens[after]))
        last = first
        while last + 1 < following and notes[last + 1].start_ticks - notes[last].end_ticks <= LONGEST_GAP_TICKS:
            last += 1
        runs.append(SyllableRun(syllable, first, last))
    return runs


def joined_syllables(syllables: Sequence[Syllable], notes: Sequence[Note], onsets: Collection[int]) -> list[Syllable]:
    """The syllables for a sheet: those whose note is not printed are joined to the one before them.

    Args:
        syllables: by rising onset.
        notes: one at a time; a syllable that has no note at its onset is left out.
        onsets: ticks of the notes that are printed.
    """
    sung, found = {note.start_ticks for note in notes}, list[Syllable]()
    for syllable in syllables:
        if syllable.start_ticks in onsets or not found:
            found.append(syllable)
        elif syllable.start_ticks in sung:
            before = found[-1]
            text = before.text + " " * before.ends_word + syllable.text
            found[-1] = replace(before, text=text, ends_word=syllable.ends_word)
    return found
