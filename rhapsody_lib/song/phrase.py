"""Lines of words on phrases of melody: which syllable begins at which onset, by dynamic programming.

Where there are as many notes as syllables the melody is left as it is. Elsewhere `underlay` says which notes begin a
syllable or two, and which are sung on the one before. Where one note begins several, and where there are too few notes
even so, candidate onsets are the melody's own notes and the points of a rhythmic grid between them, and a path through
them, one onset a syllable, is charged for

- a stressed syllable on a weak beat, an unstressed one on a strong beat (`_stress_cost`);
- each note of the melody passed over, which becomes a melisma (`SKIP_COST`, half for a repeated pitch);
- each onset that is not the melody's own: a split note (`SPLIT_COST`) or a rest that is filled (`FILL_COST`), more off
  the eighths and in the last part of the phrase, where the singer breathes;
- a syllable too short to sing (`_length_cost`), more if it is stressed; an unstressed one held long.

Lines too long for any grid are divided evenly over the phrase.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from rhapsody_lib.music.score import TICKS_PER_BEAT, Metre, Note
from rhapsody_lib.song.sung_words import SungSyllable
from rhapsody_lib.song.underlay import SHARE_LIMIT, Line, align
from rhapsody_lib.song.underlay_features import metre_weight

SKIP_COST, SPLIT_COST, FILL_COST, BREATH_COST, LEAD_COST = 1.2, 1.0, 1.6, 2.0, 50.0
#: Shortest note that is written where the phrase has room for it.
MIN_NOTE_S = 0.06
#: A syllable of this length or more is comfortable to sing.
EASY_SYLLABLE_S = 0.24
GRID_TICKS = TICKS_PER_BEAT // 4
#: The rest at the end of a line in which the singer breathes.
BREATH_TICKS = TICKS_PER_BEAT // 2


@dataclass(frozen=True)
class Phrase:
    """Where one line is sung.

    Args:
        start_ticks: first tick of the phrase.
        end_ticks: the tick after its last.
        bars: (start tick, metre) of the bars that the phrase touches, in order.
        seconds_per_tick: tempo at the start of the phrase.
        notes: the melody in the phrase, monophonic, inside it, sorted.
    """

    start_ticks: int
    end_ticks: int
    bars: tuple[tuple[int, Metre], ...]
    seconds_per_tick: float
    notes: tuple[Note, ...]

    @property
    def min_ticks(self) -> int:
        """`MIN_NOTE_S` in ticks."""
        return max(1, round(MIN_NOTE_S / self.seconds_per_tick + 0.5))

    @property
    def breath_ticks(self) -> int:
        """Where no syllable is added: the last part of the phrase, up to a quarter note."""
        return min(TICKS_PER_BEAT, (self.end_ticks - self.start_ticks) // 8)

    def latest_ticks(self, count: int) -> int:
        """Where the last of so many syllables begins at the latest.

        An eighth is left for it and an eighth to breathe, unless the syllables are too many for eighths.
        """
        latest = self.end_ticks - 2 * BREATH_TICKS
        crowded = latest < self.start_ticks + (count - 1) * BREATH_TICKS
        return self.end_ticks - self.min_ticks if crowded else latest

    def with_room(self, count: int) -> Phrase:
        """The phrase without the notes on which the last of so many syllables would leave no time to breathe."""
        latest = self.latest_ticks(count)
        return replace(self, notes=tuple(note for note in self.notes if note.start_ticks <= latest))

    def weight(self, ticks: int) -> float:
        """Metrical weight of a tick (`metre_weight`)."""
        return metre_weight(ticks, *next(((s, m) for s, m in reversed(self.bars) if s <= ticks), self.bars[0]))

    def bar_offset(self, ticks: int) -> int:
        """Ticks since the bar line before."""
        return ticks - max((start for start, _ in self.bars if start <= ticks), default=self.start_ticks)


def _stress_cost(stress: int, weight: float) -> float:
    if stress == 2:
        return 0.35 * (3.0 - weight) if weight < 1.0 else 0.1 * (3.0 - weight)
    if stress == 1:
        return 0.2 * max(0.0, 1.0 - weight)
    return 0.25 * max(0.0, weight)


def _candidates(phrase: Phrase, step: int, latest_ticks: int) -> list[int]:
    """Onsets to choose from: the melody's own, and grid points at least a shortest note away from them."""
    own = [note.start_ticks for note in phrase.notes]
    room = max(phrase.min_ticks, step * 3 // 4)
    first = phrase.start_ticks + (-phrase.bar_offset(phrase.start_ticks)) % step
    grid = range(first, latest_ticks + 1, step)
    return sorted({*own, *(tick for tick in grid if all(abs(tick - start) >= room for start in own))})


def _onset_cost(phrase: Phrase, onset: int) -> float:
    """Cost of an onset that may not be the melody's own."""
    cost = FILL_COST
    for note in phrase.notes:
        if note.start_ticks == onset:
            return 0.0
        if note.start_ticks < onset < note.end_ticks:
            cost = SPLIT_COST
    offset = phrase.bar_offset(onset)
    if offset % (TICKS_PER_BEAT // 2):
        cost += 0.5 if offset % GRID_TICKS == 0 else 1.0
    elif phrase.weight(onset) < 1.0:
        cost += 0.2
    return cost + (BREATH_COST if onset >= phrase.end_ticks - phrase.breath_ticks else 0.0)


def _passed(phrase: Phrase, onsets: Sequence[int]) -> np.ndarray:
    """[onset] cost of the melody's notes up to each onset, itself left out, were all of them passed over."""
    costs, total, previous = [], 0.0, None
    by_start = {note.start_ticks: note for note in phrase.notes}
    for onset in onsets:
        costs.append(total)
        note = by_start.get(onset)
        if note:
            total += SKIP_COST * (0.5 if previous == note.pitch else 1.0)
            previous = note.pitch
    return np.array([*costs, total])


def _length_cost(gaps_s: np.ndarray, stress: int, pace_s: float) -> np.ndarray:
    """Cost of syllables of these lengths in seconds, `pace_s` being the mean; infinite below the shortest note."""
    gaps = np.maximum(gaps_s, 1e-6)
    short = np.maximum(0.0, np.log2(EASY_SYLLABLE_S / gaps)) * (2.5 if stress == 2 else 1.8)
    held = np.maximum(0.0, np.log2(gaps / pace_s)) * (0.6 if stress == 0 else 0.2)
    return np.where(gaps_s < MIN_NOTE_S, np.inf, short + held)


def _best_path(phrase: Phrase, words: Sequence[SungSyllable], onsets: Sequence[int]) -> list[int] | None:
    """The cheapest onset for each syllable (Viterbi), or nothing if there is no path."""
    count, times = len(onsets), np.array(onsets, dtype=np.int64)
    if count < len(words):
        return None
    passed = _passed(phrase, onsets)
    own = np.diff(passed) > 0
    gaps_s = (times[None, :] - times[:, None]) * phrase.seconds_per_tick
    pace_s = (phrase.end_ticks - phrase.start_ticks) * phrase.seconds_per_tick / len(words)
    between = passed[None, :count] - passed[1:, None]
    between = np.where(np.arange(count)[None, :] > np.arange(count)[:, None], between, np.inf)
    step = {stress: between + _length_cost(gaps_s, stress, pace_s) for stress in {word.stress for word in words}}
    placed = np.array([_onset_cost(phrase, onset) for onset in onsets])
    weights = [phrase.weight(onset) for onset in onsets]
    emit = {stress: placed + [_stress_cost(stress, weight) for weight in weights] for stress in step}
    cost = emit[words[0].stress] + LEAD_COST * np.concatenate([[0], np.cumsum(own)[:-1]])
    back: list[np.ndarray] = []
    for previous, word in pairwise(words):
        through = cost[:, None] + step[previous.stress]
        back.append(through.argmin(axis=0))
        cost = through.min(axis=0) + emit[word.stress]
    last_s = (phrase.end_ticks - times) * phrase.seconds_per_tick
    cost = cost + (passed[-1] - passed[1:]) + _length_cost(last_s, 2, pace_s)
    if not np.isfinite(cost.min()):
        return None
    path = [int(cost.argmin())]
    for row in reversed(back):
        path.append(int(row[path[-1]]))
    return [onsets[index] for index in reversed(path)]


def _evenly(phrase: Phrase, count: int) -> list[int]:
    """Onsets that divide the phrase evenly, with a short breath where there is room for one."""
    span = phrase.end_ticks - phrase.start_ticks
    breath = phrase.breath_ticks // 2 if (span - phrase.breath_ticks) // count >= phrase.min_ticks else 0
    return [phrase.start_ticks + index * (span - breath) // count for index in range(count)]


def _divided(phrase: Phrase, landed: Sequence[int], words: Sequence[SungSyllable]) -> list[int] | None:
    """Onsets of syllables that begin on the notes `landed`; one that begins several is divided with the rest after it.

    None where one would be too short to sing.
    """
    starts = [phrase.notes[note].start_ticks for note in landed]
    ends = [next((after for after in starts if after > start), phrase.end_ticks) for start in starts]
    onsets: list[int] = []
    latest = phrase.latest_ticks(len(words))
    for start, end in dict.fromkeys(zip(starts, ends, strict=True)):
        here = [word for word, other in zip(words, starts, strict=True) if other == start]
        cell = replace(phrase, start_ticks=start, end_ticks=end, notes=_within(phrase.notes, start, end))
        inner = (
            [start]
            if len(here) == 1
            else _best_path(cell, here, _candidates(cell, GRID_TICKS, min(latest, end - phrase.min_ticks)))
        )
        if not inner or inner[0] != start:
            return None
        onsets += inner
    short = any(after - onset < phrase.min_ticks for onset, after in pairwise([*onsets, phrase.end_ticks]))
    return None if short else onsets


def _within(notes: Sequence[Note], start_ticks: int, end_ticks: int) -> tuple[Note, ...]:
    return tuple(note for note in notes if start_ticks <= note.start_ticks < end_ticks)


def _as_it_is(phrase: Phrase, count: int) -> list[int] | None:
    """The melody's own onsets, if they are so many and none too short to sing."""
    own = [note.start_ticks for note in phrase.notes]
    long_enough = all(after - onset >= phrase.min_ticks for onset, after in pairwise([*own, phrase.end_ticks]))
    return own if len(own) == count and long_enough else None


def _by_costs(phrase: Phrase, words: Sequence[SungSyllable]) -> list[int]:
    for step in (GRID_TICKS, GRID_TICKS // 2):
        path = _best_path(phrase, words, _candidates(phrase, step, phrase.latest_ticks(len(words))))
        if path:
            return path
    return _evenly(phrase, len(words))


def place_lines(phrases: Sequence[Phrase], texts: Sequence[Sequence[SungSyllable]]) -> list[list[int]]:
    """Of each line an onset in ticks for each syllable, rising, inside its phrase.

    What returns in the melody is sung alike, as far as the words allow.

    Args:
        phrases: those of one song, in order; one may hold no notes.
        texts: the syllables of each line, no more than its phrase has ticks; a line may have none.
    """
    sung = [
        index
        for index, (phrase, words) in enumerate(zip(phrases, texts, strict=True))
        if words and phrase.notes and len(words) <= SHARE_LIMIT * len(phrase.notes)
    ]
    aligned = align([Line(phrases[i].notes, phrases[i].bars, tuple(texts[i])) for i in sung], opens=True)
    landed = dict(zip(sung, aligned, strict=True))
    placed: list[list[int]] = []
    for index, (phrase, words) in enumerate(zip(phrases, texts, strict=True)):
        onsets = _as_it_is(phrase, len(words))
        if onsets is None and index in landed and len(phrase.notes) != len(words):
            onsets = _divided(phrase, landed[index], words)
        placed.append(onsets or (_by_costs(phrase, words) if words else []))
    return placed
