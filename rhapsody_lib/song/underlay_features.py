"""What a note and a syllable look like to `underlay`: rows of numbers that its weights are multiplied with."""

from __future__ import annotations

import bisect
import re
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from rhapsody_lib.music.score import TICKS_PER_BEAT, Metre, Note
from rhapsody_lib.song.sung_words import SungSyllable

Floats = NDArray[np.float64]

#: What is known of a note. "after" looks at the note before, "before" and "next" at the one that follows; long and
#: short are measured from onset to onset beside the median of the melody, where no length is named. The usual place is
#: the share of the song's bars that have an onset at the same place.
NOTE_FEATURES = (
    "any", "on the bar", "on the half bar", "on a beat", "on an eighth", "after a long rest", "after a short rest",
    "lengthening", "lengthening off the beat", "short", "after a short one", "repeated pitch", "step", "leap", "long",
    "after a long one", "first", "stronger than before", "weaker than before", "next is longer", "before a rest",
    "next is a step", "next repeats", "second of an even pair", "falling", "even, stronger than before",
    "short end of a dotted figure", "last", "short by step", "neighbours are equal", "passing by step", "peak",
    "valley", "a sixteenth", "a beat long", "two beats long", "usual place", "rare place", "compound metre",
    "three in a bar", "off a compound beat", "third or later in its beat", "second of two in its beat",
    "first of several in its beat", "fourth or so in its beat",
)  # fmt: skip
#: What is known of a syllable.
SYLLABLE_FEATURES = (
    "any", "stressed", "unstressed", "starts a word", "ends a word", "after a stop", "before a stop", "after a comma",
    "before a comma", "capital letter",
)  # fmt: skip
_LONG_REST_TICKS, _SHORT_REST_TICKS, _NEXT_REST_TICKS = (
    TICKS_PER_BEAT * 3 // 4,
    TICKS_PER_BEAT // 8,
    TICKS_PER_BEAT // 4,
)
#: Onsets are taken for the place on the grid of sixteenths that they are so near to.
_GRID_TICKS = TICKS_PER_BEAT // 4
#: A place where fewer of the song's bars have an onset is rare.
_RARE_SHARE = 0.15
_STOPS, _OPENING, _CLOSING = ".!?;:…—", "\"'“‘([", "\"'”’)]"
_ALWAYS_CAPITAL = re.compile(r"(I|O)\b|I['’]")


def metre_weight(ticks: int, bar_start: int, metre: Metre) -> float:
    """Metrical weight of a tick: 3 on the bar, 2 half way, 1 on a beat, 0 on an eighth, below 0 between."""
    compound = metre.denominator == 8 and metre.numerator % 3 == 0
    beat = TICKS_PER_BEAT * 3 // 2 if compound else TICKS_PER_BEAT * 4 // metre.denominator
    offset = ticks - bar_start
    near = round(offset / _GRID_TICKS) * _GRID_TICKS
    offset = near if abs(near - offset) <= _GRID_TICKS // 4 else offset
    if offset % metre.bar_ticks == 0:
        return 3.0
    if metre.bar_ticks % (2 * beat) == 0 and offset % (metre.bar_ticks // 2) == 0:
        return 2.0
    if offset % beat == 0:
        return 1.0
    return 0.0 if offset % (TICKS_PER_BEAT // 2) == 0 else -0.7


def weights_of(ticks: Sequence[int], bars: Sequence[tuple[int, Metre]]) -> list[float]:
    """`metre_weight` of ticks in a piece whose bars are (start tick, metre), in order."""
    starts = [start for start, _ in bars]
    return [metre_weight(tick, *bars[max(0, bisect.bisect_right(starts, tick) - 1)]) for tick in ticks]


def _before(values: Floats) -> Floats:
    """Of each note the value of the one before; the first has its own."""
    return np.concatenate([values[:1], values[:-1]])


def _after(values: Floats) -> Floats:
    return np.concatenate([values[1:], values[-1:]])


def bar_offsets(notes: Sequence[Note], bars: Sequence[tuple[int, Metre]]) -> list[int]:
    """Ticks of each note since the bar line before it; `bars` are in order."""
    starts = [start for start, _ in bars]
    return [note.start_ticks - starts[max(0, bisect.bisect_right(starts, note.start_ticks) - 1)] for note in notes]


def usual_places(lines: Sequence[tuple[Sequence[Note], Sequence[tuple[int, Metre]]]]) -> dict[int, float]:
    """How usual an onset is at each place of the bar: the share of bars with notes that have one there.

    Args:
        lines: (notes, bars) of each line of a song.
    """
    onsets: set[tuple[int, int]] = set()
    for notes, bars in lines:
        offsets = bar_offsets(notes, bars)
        onsets |= {(note.start_ticks - offset, offset) for note, offset in zip(notes, offsets, strict=True)}
    sung = len({bar for bar, _ in onsets})
    return {offset: count / sung for offset, count in Counter(offset for _, offset in onsets).items()}


def _beat_columns(
    notes: Sequence[Note], bars: Sequence[tuple[int, Metre]], places: Mapping[int, float]
) -> list[Floats]:
    """Features of a note's place in its beat and its bar, of the metre, and of how usual the place is."""
    starts, offsets = [start for start, _ in bars], bar_offsets(notes, bars)
    metres = [bars[max(0, bisect.bisect_right(starts, note.start_ticks) - 1)][1] for note in notes]
    compound = np.array([metre.denominator == 8 and metre.numerator % 3 == 0 for metre in metres])
    three = np.array([metre.numerator == 3 for metre in metres])
    beat, offset = np.where(compound, TICKS_PER_BEAT * 3 // 2, TICKS_PER_BEAT), np.array(offsets)
    beats = [
        (note.start_ticks - place, place // int(length))
        for note, place, length in zip(notes, offsets, beat, strict=True)
    ]
    together = Counter(beats)
    count = np.array([together[here] for here in beats])
    opens = np.array([index == 0 or beats[index - 1] != here for index, here in enumerate(beats)])
    usual = np.array([places.get(place, 0.0) for place in offsets])
    return [
        usual, usual < _RARE_SHARE, compound, three, compound & (offset % beat != 0), (count >= 3) & ~opens,
        (count == 2) & ~opens, (count >= 2) & opens, (count >= 4) & ~opens,
    ]  # fmt: skip


def _shape_columns(pitch: Floats, length: Floats) -> list[Floats]:
    """Features of the melody's turns, and of lengths in beats."""
    rise, fall = np.diff(pitch, prepend=pitch[:1]), np.diff(pitch, append=pitch[-1:])
    inner = np.ones(len(pitch), dtype=np.bool_)
    inner[0] = inner[-1] = False
    steps = (np.abs(rise) <= 2) & (np.abs(fall) <= 2)
    return [
        inner & (rise == -fall), inner & steps & (rise * fall > 0), inner & (rise > 0) & (fall < 0),
        inner & (rise < 0) & (fall > 0), length <= 0.3 * TICKS_PER_BEAT, length >= 0.95 * TICKS_PER_BEAT,
        length >= 1.9 * TICKS_PER_BEAT,
    ]  # fmt: skip


def note_rows(notes: Sequence[Note], bars: Sequence[tuple[int, Metre]], places: Mapping[int, float]) -> Floats:
    """[notes x NOTE_FEATURES] of a melody.

    Args:
        notes: at least one, monophonic, sorted.
        bars: (start tick, metre) of the bars it lies in.
        places: `usual_places` of the song.
    """
    start, end, pitch = (
        np.array(values, dtype=np.float64)
        for values in zip(*((note.start_ticks, note.end_ticks, note.pitch) for note in notes), strict=True)
    )
    weight = np.array(weights_of([note.start_ticks for note in notes], bars))
    length = np.append(np.diff(start), end[-1] - start[-1])
    sounding, median = end - start, float(np.median(length))
    rest = start - _before(end)
    first = np.arange(len(notes)) == 0
    last = first[::-1]
    rest[0] = 0
    before, interval = _before(length), np.abs(pitch - _before(pitch))
    lengthening = np.clip(np.log2(sounding / _before(sounding)), -3, 3)
    step = (interval >= 1) & (interval <= 2)
    stronger, weaker = weight > _before(weight), weight < _before(weight)
    joined = (rest == 0) & (np.abs(sounding - _before(sounding)) < TICKS_PER_BEAT // 16)
    even = step & ((np.abs(length - before) < TICKS_PER_BEAT // 16) | joined)
    next_rest, next_interval = _after(start) - end, np.abs(_after(pitch) - pitch)
    columns = [
        np.ones(len(notes)), weight == 3, weight == 2, weight == 1, weight == 0, rest >= _LONG_REST_TICKS,
        (rest >= _SHORT_REST_TICKS) & (rest < _LONG_REST_TICKS),
        lengthening, lengthening * (weight <= 0), length <= 0.6 * median, (before <= 0.6 * median) & ~first,
        (interval == 0) & ~first, step, interval >= 5, length >= 1.9 * median, (before >= 1.9 * median) & ~first,
        first, stronger, weaker, np.clip(np.log2(_after(length) / length), -2, 2),
        (next_rest >= _NEXT_REST_TICKS) | last, (next_interval >= 1) & (next_interval <= 2),
        (next_interval == 0) & ~last,
        even & weaker & (length <= median), pitch < _before(pitch), even & stronger,
        (before >= 2.5 * length) & (length <= TICKS_PER_BEAT // 2), last,
        step & (length < median) & (before >= length),
        *_shape_columns(pitch, length), *_beat_columns(notes, bars, places),
    ]  # fmt: skip
    return np.stack([np.asarray(column, dtype=np.float64) for column in columns], axis=1)


def _ending(text: str) -> tuple[bool, bool]:
    """Whether a syllable's text ends in a stop, and whether in a comma."""
    bare = text.rstrip(_CLOSING)
    return bare.endswith(tuple(_STOPS)), bare.endswith(",")


def syllable_rows(words: Sequence[SungSyllable]) -> Floats:
    """[syllables x SYLLABLE_FEATURES] of a text; its start and its end count as stops."""
    rows = []
    stop, comma, starts = True, False, True
    for word in words:
        bare = word.text.lstrip(_OPENING)
        capital = starts and bare[:1].isupper() and not _ALWAYS_CAPITAL.match(bare)
        next_stop, next_comma = _ending(word.text)
        here = (True, word.stress == 2, word.stress == 0, starts, word.ends_word)
        rows.append((*here, stop, next_stop, comma, next_comma, capital))
        stop, comma, starts = next_stop, next_comma, word.ends_word
    table = np.array(rows, dtype=np.float64)
    table[-1, SYLLABLE_FEATURES.index("before a stop")] = 1.0
    return table
