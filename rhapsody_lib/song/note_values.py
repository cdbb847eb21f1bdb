"""Durations as values that can be printed: cut at bars and triplets, then so that the beats stay visible; and beams."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby

from rhapsody_lib.song.notation import SIXTEENTH, STEPS_PER_BEAT, TRIPLET, Bar, Grid, Piece, Span

#: Values in sixteenths, longest first, with their names and dots.
VALUES = (
    (24, "whole", 1), (16, "whole", 0), (12, "half", 1), (8, "half", 0), (6, "quarter", 1), (4, "quarter", 0),
    (3, "eighth", 1), (2, "eighth", 0), (1, "16th", 0),
)  # fmt: skip
_NAMES = {sixteenths: (name, dots) for sixteenths, name, dots in VALUES}
#: Beams of a value.
_FLAGS = {"eighth": 1, "16th": 2}


def _may_stand(place: int, value: int, bar: Bar) -> bool:
    """Whether a value may be printed at a place of a bar, both in sixteenths, without hiding a beat."""
    if bar.beat_steps != STEPS_PER_BEAT:
        if value >= 12:
            return place % value == 0 if value in {12, 24} else False
        return value != 8 and place % 6 + value <= 6 and not (value == 3 and place % 6)
    if value <= 3:
        return place % 4 + value <= 4
    if value in {4, 8, 16}:
        crosses = place // 8 != (place + value - 1) // 8
        return place % value == 0 or (place % value == value // 2 and not (value == 4 and crosses))
    if value == 6:
        return place % 8 in {0, 2}
    return value == 12 and place % 4 == 0


def _values(place: int, length: int, bar: Bar, *, rest: bool) -> Iterator[tuple[int, str, int]]:
    """(sixteenths, name, dots) that fill a length from a place on. A rest stands on a beat of its own value."""
    while length > 0:
        value = next(
            v
            for v, _, dots in VALUES
            if v <= length and (v == 1 or (_may_stand(place, v, bar) and not (rest and (dots or place % v))))
        )
        yield value, *_NAMES[value]
        place, length = place + value, length - value


def _cuts(bars: Sequence[Bar], grid: Grid) -> list[int]:
    """Steps at which every duration is cut: bar lines, and the edges of triplets."""
    edges = {bar.start for bar in bars} | {start + side for start in grid.triplets for side in (0, STEPS_PER_BEAT)}
    return sorted({*edges, grid.end})


def _rests(spans: Sequence[Span], end: int) -> Iterator[tuple[int, int, int | None]]:
    """(start, end, note or None) of notes and of what is silent between."""
    position = 0
    for span in spans:
        if span.start > position:
            yield position, span.start, None
        yield span.start, span.end, span.note
        position = span.end
    if position < end:
        yield position, end, None


def _triplet_pieces(beat: int, start: int, end: int, note: int | None) -> Piece:
    value = "eighth" if end - start == TRIPLET else "quarter"
    whole = end - start == STEPS_PER_BEAT
    place = "" if whole else "start" if start == beat else "stop" if end == beat + STEPS_PER_BEAT else "inside"
    return Piece(start, end - start, note, value, triplet=place)


def _split(bars: Sequence[Bar], grid: Grid, spans: Sequence[Span]) -> Iterator[Piece]:
    """Pieces of all notes and rests in order, without ties and beams."""
    cuts, bar_at = _cuts(bars, grid), 0
    for first, end, note in _rests(spans, grid.end):
        inner = [cut for cut in cuts if first < cut < end]
        for start, stop in zip([first, *inner], [*inner, end], strict=True):
            while start >= bars[bar_at].start + bars[bar_at].steps:
                bar_at += 1
            bar = bars[bar_at]
            beat = start - (start - bar.start) % STEPS_PER_BEAT
            if note is None and start == bar.start and stop == bar.start + bar.steps:
                yield Piece(start, stop - start, None)
            elif beat in grid.triplets:
                yield _triplet_pieces(beat, start, stop, note)
            else:
                place, length = (start - bar.start) // SIXTEENTH, max(1, (stop - start) // SIXTEENTH)
                for sixteenths, name, dots in _values(place, length, bar, rest=note is None):
                    length -= sixteenths
                    steps = sixteenths * SIXTEENTH if length else stop - start
                    yield Piece(start, steps, note, name, dots)
                    start += steps  # noqa: PLW2901


def _beam(run: list[Piece]) -> list[Piece]:
    """The pieces of one beam with its states: the first level over all, the second over neighbouring sixteenths."""
    if len(run) < 2:
        return run
    beamed = []
    for index, piece in enumerate(run):
        states = []
        for level in range(1, _FLAGS[piece.value] + 1):
            before = index > 0 and _FLAGS[run[index - 1].value] >= level
            after = index + 1 < len(run) and _FLAGS[run[index + 1].value] >= level
            if before and after:
                states.append("continue")
            elif before or after:
                states.append("end" if before else "begin")
            else:
                states.append("backward hook" if index else "forward hook")
        beamed.append(replace(piece, beams=tuple(states)))
    return beamed


def _beamed(pieces: Sequence[Piece], bar: Bar) -> list[Piece]:
    def group(piece: Piece) -> tuple[int, bool]:
        return (piece.start - bar.start) // bar.beat_steps, piece.note is not None and piece.value in _FLAGS

    found: list[Piece] = []
    for (_, beamable), run in groupby(pieces, key=group):
        together = list(run)
        found += _beam(together) if beamable else together
    return found


def written_pieces(bars: Sequence[Bar], grid: Grid, spans: Sequence[Span]) -> list[list[Piece]]:
    """The notes and rests of each bar, tied and beamed.

    Args:
        bars: of the song.
        grid: what can be printed where.
        spans: the notes, from `grid.spans`.
    """
    pieces = list(_split(bars, grid, spans))
    tied = [
        replace(
            piece,
            tied_from=piece.note is not None and index > 0 and pieces[index - 1].note == piece.note,
            tied_on=piece.note is not None and index + 1 < len(pieces) and pieces[index + 1].note == piece.note,
        )
        for index, piece in enumerate(pieces)
    ]
    return [_beamed([piece for piece in tied if bar.start <= piece.start < bar.start + bar.steps], bar) for bar in bars]
