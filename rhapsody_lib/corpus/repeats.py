"""In which order the measures of a lead sheet are performed, and which verse is sung in each.

A repeat is taken when it brings new words: a second verse under the same notes. Without one the stretch is performed
once, with its last ending: a singer would repeat, but a corpus gains nothing from the same words twice. (An earlier
ending of some length has words of its own and is performed too.) Da capo, dal segno and coda are read as written.
A sheet without repeat signs but with several verses under all of its notes is performed once for each verse.
"""

from __future__ import annotations

from collections.abc import Sequence

from rhapsody_lib.corpus.musicxml_measures import Measure

MAX_PASSES = 4
#: Share of the first verse's syllables that another verse needs to be sung.
_VERSE_SHARE = 0.5
_MAX_PERFORMED = 4000
_LONG_ENDING = 4


def _syllables(measures: Sequence[Measure], verse: int) -> int:
    return sum(verse in note.words for measure in measures for note in measure.notes)


def verses_in(measures: Sequence[Measure]) -> int:
    """How many verses stand under these measures, counted while each has enough words; 1 at least."""
    first, verses = _syllables(measures, 1), 1
    while verses < MAX_PASSES and first and _syllables(measures, verses + 1) >= _VERSE_SHARE * first:
        verses += 1
    return verses


def _blocks(measures: Sequence[Measure]) -> list[tuple[int, int, bool]]:
    """The sheet as stretches (first measure, past the last, whether repeated), endings included in theirs."""
    blocks: list[tuple[int, int, bool]] = []
    start, index, count = 0, 0, len(measures)
    while index < count:
        if measures[index].repeat_start and index > start:
            blocks.append((start, index, False))
            start = index
        if measures[index].repeat_end:
            end = index + 1
            if measures[index].endings:  # the brackets that follow belong to this repeat
                while end < count and measures[end].endings and not measures[end].repeat_start:
                    end += 1
            blocks.append((start, end, True))
            start, index = end, end
            continue
        index += 1
    if start < count:
        blocks.append((start, count, False))
    return blocks


def performed(measures: Sequence[Measure]) -> list[tuple[int, int]]:
    """(index of the measure, verse sung in it) in order of performance."""
    blocks = _blocks(measures)
    order: list[tuple[int, int]] = []
    if not any(repeated for _, _, repeated in blocks):
        verses = verses_in(measures)
        return [(index, verse) for verse in range(1, verses + 1) for index in range(len(measures))][:_MAX_PERFORMED]
    for start, end, repeated in blocks:
        body = [measure for measure in measures[start:end] if not measure.endings]
        verses = verses_in(body) if repeated else 1
        last = max((number for measure in measures[start:end] for number in measure.endings), default=1)
        for verse in range(1, verses + 1):
            passed = last if verse == verses else verse
            for index in range(start, end):
                endings = measures[index].endings
                long = verses == 1 and sum(other.endings == endings for other in measures[start:end]) >= _LONG_ENDING
                if not endings or passed in endings or long:
                    order.append((index, verse))
    return order[:_MAX_PERFORMED]
