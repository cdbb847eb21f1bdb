"""The melody as it is written down: note values that can be printed, bar by bar, with ties, triplets and beams.

Time is counted in steps, 12 to a quarter note, so that sixteenths (3) and triplets (4) are whole numbers. Each quarter
of a bar is read as sixteenths or as a triplet, whichever is nearer to its onsets (Cemgil, Desain and Kappen 2000,
"Rhythm quantization for transcription", with two grids only). A gap of up to a sixteenth before the next note is
sung through: a singer breathes there without a rest being printed.
"""

from __future__ import annotations

import bisect
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from rhapsody_lib.music.score import TICKS_PER_BEAT, Metre, Note, Score

STEPS_PER_BEAT = 12
STEP_TICKS = TICKS_PER_BEAT // STEPS_PER_BEAT
SIXTEENTH, TRIPLET = 3, 4


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar: first step, length in steps, and its metre."""

    start: int
    steps: int
    metre: Metre

    @property
    def beat_steps(self) -> int:
        """Steps that are beamed together: a dotted quarter in compound metres, else a quarter."""
        compound = self.metre.denominator == 8 and self.metre.numerator % 3 == 0
        return STEPS_PER_BEAT * 3 // 2 if compound else STEPS_PER_BEAT


@dataclass(frozen=True, slots=True)
class Piece:
    """One printed note or rest.

    Args:
        start: step, counted from the start of the song.
        steps: its length.
        note: index of the melody's note that it is a piece of, None for a rest.
        value: name of the printed value; empty for the rest of a whole bar.
        dots: dots after it.
        triplet: place in a triplet, `start`, `inside` or `stop`; empty outside.
        tied_from: whether a tie leads to it.
        tied_on: whether a tie leads on from it.
        beams: state of each beam: `begin`, `continue`, `end`, `forward hook`, `backward hook`.
    """

    start: int
    steps: int
    note: int | None
    value: str = ""
    dots: int = 0
    triplet: str = ""
    tied_from: bool = False
    tied_on: bool = False
    beams: tuple[str, ...] = ()

    @property
    def end(self) -> int:
        """First step after it."""
        return self.start + self.steps


@dataclass(frozen=True, slots=True)
class Span:
    """A note of the melody in steps; `note` is its index in `upper_voice`."""

    start: int
    end: int
    note: int


def upper_voice(score: Score) -> tuple[Note, ...]:
    """The melody with one note at a time: the highest of each onset, cut where the next begins."""
    highest: dict[int, Note] = {}
    for note in score.parts["melody"]:
        kept = highest.get(note.start_ticks)
        highest[note.start_ticks] = note if kept is None or note.pitch > kept.pitch else kept
    starts = sorted(highest)
    limits = [*starts[1:], max(score.end_ticks, 1)][: len(starts)]
    return tuple(
        replace(highest[start], duration_ticks=max(1, min(highest[start].end_ticks, limit) - start))
        for start, limit in zip(starts, limits, strict=True)
    )


def written_bars(score: Score) -> list[Bar]:
    """The bars up to the end of the last note, in steps; at least one."""
    bars = list(score.bars()) or [(0, score.metres[0])]
    starts = [round(start / STEP_TICKS) for start, _ in bars]
    last = starts[-1] + max(1, round(bars[-1][1].bar_ticks / STEP_TICKS))
    return [
        Bar(start, after - start, metre)
        for start, after, (_, metre) in zip(starts, [*starts[1:], last], bars, strict=True)
        if after > start
    ]


def _beats(bars: Iterable[Bar]) -> Iterator[tuple[int, int, bool]]:
    """(first step, length, may be a triplet) of each quarter of each bar; what is left of a bar is shorter.

    What is left and shorter than a sixteenth, where a metre change cuts a bar, belongs to the quarter before.
    """
    for bar in bars:
        end = bar.start + bar.steps
        starts = range(bar.start, max(bar.start + 1, end - SIXTEENTH + 1), STEPS_PER_BEAT)
        for start, after in zip(starts, [*starts[1:], end], strict=True):
            yield start, after - start, bar.beat_steps == STEPS_PER_BEAT == after - start


def _distance(steps: float, grid: int) -> float:
    return abs(steps - round(steps / grid) * grid)


class Grid:
    """Which quarters of a song are triplets, and the nearest place that can be printed.

    Args:
        bars: of the song.
        onsets: of the melody, in steps, rising.
    """

    def __init__(self, bars: Sequence[Bar], onsets: Sequence[float]) -> None:
        beats = list(_beats(bars))
        self.end = bars[-1].start + bars[-1].steps
        self.triplets = frozenset(start for start, _, may in beats if may and self._is_triplet(start, onsets))
        places: set[int] = {self.end}
        for start, length, _ in beats:
            # The last place carries what is left of a bar that a metre change cuts between sixteenths.
            last = max(1, length - SIXTEENTH + 1)
            places |= set(range(start, start + (length if start in self.triplets else last), self._grid(start)))
        self.places = sorted(places)
        self._bar_starts = [bar.start for bar in bars]

    def _grid(self, beat: int) -> int:
        return TRIPLET if beat in self.triplets else SIXTEENTH

    @staticmethod
    def _is_triplet(start: int, onsets: Sequence[float]) -> bool:
        inside = [onset - start for onset in onsets if -0.5 < onset - start < STEPS_PER_BEAT - 0.5]
        even, three = (sum(_distance(onset, grid) for onset in inside) for grid in (SIXTEENTH, TRIPLET))
        return three < even - 0.5

    def spans(self, notes: Sequence[Note], sung: Collection[int] = ()) -> list[Span]:
        """The notes on the grid: rising onsets, none of no length, none over the next, all in their own bars.

        A bar with more notes than places keeps those with words, and of them the first.

        Args:
            notes: one at a time, by rising onset.
            sung: ticks at which syllables begin.
        """
        index_of = {place: index for index, place in enumerate(self.places)}
        placed = list(self._placed(notes, sung, index_of))
        spans = []
        for number, (index, onset) in enumerate(placed):
            after = placed[number + 1][1] if number + 1 < len(placed) else len(self.places) - 1
            end = min(after, max(onset + 1, index_of[self.nearest(notes[index].end_ticks / STEP_TICKS)]))
            start_step, end_step, after_step = (self.places[place] for place in (onset, end, after))
            sung_on = number + 1 < len(placed) and after_step - end_step <= SIXTEENTH
            spans.append(Span(start_step, after_step if sung_on else end_step, index))
        return spans

    def _placed(
        self, notes: Sequence[Note], sung: Collection[int], index_of: Mapping[int, int]
    ) -> Iterator[tuple[int, int]]:
        """(index of the note, index of its place) of those that are printed."""
        nearest = [index_of[self.nearest(note.start_ticks / STEP_TICKS)] for note in notes]
        last = len(self.places) - 2
        bar_of = [bisect.bisect_right(self._bar_starts, self.places[min(place, last)]) for place in nearest]
        for bar, run in groupby(range(len(notes)), key=bar_of.__getitem__):
            first = index_of[self._bar_starts[bar - 1]]
            limit = index_of[self._bar_starts[bar]] if bar < len(self._bar_starts) else len(self.places) - 1
            wanted = sorted(run, key=lambda index: (notes[index].start_ticks not in sung, index))
            inside = sorted(wanted[: limit - first])
            onsets: list[int] = []
            for index in inside:
                onsets.append(max(nearest[index], onsets[-1] + 1) if onsets else nearest[index])
            for back in range(1, len(onsets) + 1):  # so many onsets near the bar's end that they ran past it
                onsets[-back] = min(onsets[-back], limit - back)
            yield from zip(inside, onsets, strict=True)

    def nearest(self, steps: float) -> int:
        """The printable place nearest to a time in steps."""
        index = bisect.bisect_left(self.places, steps)
        around = self.places[max(0, index - 1) : index + 1]
        return min(around, key=lambda place: (abs(place - steps), place))
