"""The pieces of an encoded song: what each bar opens with, its chords, its notes, each at its place.

A placed token is one number, so that sorting numbers sorts tokens. From its high bits down: bar, grid step + 1 (0 is
the bar's frame; 7 bits), slot within the onset (13 bits), the token's id (16 bits).
"""

from __future__ import annotations

import bisect
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from rhapsody_lib.backing.quantise import velocity_bin
from rhapsody_lib.backing.vocabulary import DURATIONS, KEY_SHIFTS, MAX_BARS_LEFT, STEP_TICKS, Vocabulary, usual_level
from rhapsody_lib.music.chords import Key
from rhapsody_lib.music.note_tables import (
    DRUMS,
    DURATION,
    PART,
    PITCH,
    START,
    VELOCITY,
    Ints,
    NoteTable,
    ScoreTables,
    firsts,
    voices,
)
from rhapsody_lib.music.score import PARTS, Metre, Score

_DURATION_INDEX = np.zeros(DURATIONS[-1] + 1, dtype=np.int64)
_DURATION_INDEX[list(DURATIONS)] = np.arange(len(DURATIONS))
#: Usual velocity levels, by `voices`.
_USUAL_LEVELS = np.array([usual_level(part, pitch) for part in PARTS for pitch in range(128)], dtype=np.int64)
#: Bits of a placed token below its slot, below its onset, and below its bar.
SLOT_BITS, ONSET_BITS, BAR_BITS = 16, 29, 36
ID_MASK = (1 << SLOT_BITS) - 1
#: Slot of the lowest note of an onset; its position has slot 0, its chord 1 and 2.
_FIRST_NOTE, _NOTE_SLOTS = 4, 4


def model_shift(key: Key) -> int:
    """Semitones from a song's key to C major or A minor, within half an octave."""
    shift = ((0 if key.mode == "major" else 9) - key.tonic) % 12
    return shift - 12 if shift > KEY_SHIFTS[1] else shift


def _line_starts(score: Score, starts: Sequence[int], metres: Sequence[Metre]) -> Mapping[int, int]:
    """Syllables of the lines that begin in each bar; a line that begins late in a bar belongs to the next."""
    if not score.syllables:
        return {}
    sizes: dict[int, int] = defaultdict(int)
    begins: dict[int, int] = {}
    for syllable in score.syllables:
        sizes[syllable.line] += 1
        begins.setdefault(syllable.line, syllable.start_ticks)
    lines: dict[int, int] = defaultdict(int)
    for line, ticks in begins.items():
        bar = max(0, bisect.bisect_right(starts, ticks) - 1)
        late = ticks - starts[bar] >= 0.6 * metres[bar].bar_ticks
        lines[min(bar + late, len(starts) - 1)] += sizes[line]
    return lines


def _bars_left(score: Score, starts: Sequence[int]) -> Ints:
    """Bars to the end of the section, of the song before and after all sections, at each bar."""
    limits = sorted({bisect.bisect_left(starts, section.start_ticks) for section in score.sections} | {len(starts)})
    bars, ends = np.arange(len(starts)), np.array(limits)
    return np.asarray(ends.take(ends.searchsorted(bars, side="right")) - bars)


def _onsets(starts: Ints, ticks: Ints) -> tuple[Ints, Ints]:
    """Bar of each tick, and its onset: bar and grid step."""
    bars = starts.searchsorted(ticks, side="right") - 1
    return bars, (bars << BAR_BITS - ONSET_BITS) + (ticks - starts.take(bars)) // STEP_TICKS + 1


def placed_notes(vocabulary: Vocabulary, tables: ScoreTables, starts: Ints) -> tuple[Ints, Ints, Ints]:
    """Notes, velocities and durations; the tables are quantised, `starts` their bar lines."""
    notes = _voice_by_voice(tables.notes)
    drums = slice(*notes[PART].searchsorted((DRUMS, DRUMS + 1)))
    bars, onsets = _onsets(starts, notes[START])
    lowest = vocabulary.lowest_notes + model_shift(tables.frame.key)
    lowest[DRUMS] = vocabulary.lowest_notes[DRUMS]
    tokens = lowest.take(notes[PART]) + notes[PITCH]
    slots = (tokens - vocabulary.note_span[0]) * _NOTE_SLOTS + _FIRST_NOTE
    places = (onsets << ONSET_BITS) + (slots << SLOT_BITS)
    turns = (notes[PART] << 40) + bars
    turns[drums] += notes[PITCH, drums] << 32
    opens = firsts(turns)
    levels, steps = velocity_bin(notes[VELOCITY]), notes[DURATION] // STEP_TICKS
    opening = opens.nonzero()[0]
    changed, timed = firsts(levels), firsts(steps) | opens
    changed[opening] = levels[opening] != _USUAL_LEVELS.take(voices(notes)[opening])
    timed[drums] = False
    velocities = levels.compress(changed) + ((1 << SLOT_BITS) + vocabulary.starts["velocity"])
    durations = _DURATION_INDEX.take(steps.compress(timed)) + ((2 << SLOT_BITS) + vocabulary.starts["duration"])
    return places + tokens, places.compress(changed) + velocities, places.compress(timed) + durations


def _voice_by_voice(notes: NoteTable) -> NoteTable:
    """The notes with those of each drum together; all other parts are one voice each."""
    drums = slice(*notes[PART].searchsorted((DRUMS, DRUMS + 1)))
    if drums.start == drums.stop:
        return notes
    by_voice: NoteTable = notes.copy()
    by_voice[:, drums] = notes[:, drums].take(notes[PITCH, drums].argsort(kind="stable"), axis=1)
    return by_voice


def placed_chords(vocabulary: Vocabulary, score: Score, starts: Ints) -> tuple[Ints, Ints]:
    """Chords where they change and as they sound at each bar's start; their basses, where they are not the root."""
    shift = model_shift(score.key)
    ids = [vocabulary.chord(chord.symbol, shift) for chord in score.chords]
    roots = np.array([chord[0] for chord in ids], dtype=np.int64)
    basses = np.array([chord[1] if len(chord) > 1 else 0 for chord in ids], dtype=np.int64)
    changes = np.array([chord.start_ticks for chord in score.chords], dtype=np.int64)
    sounding = changes.searchsorted(starts, side="right") - 1
    first_bar = int(np.count_nonzero(sounding < 0))
    bar_onsets = (np.arange(first_bar, len(starts)) << BAR_BITS - ONSET_BITS) + 1
    bars, onsets = _onsets(starts, changes)
    later = (starts.take(bars) != changes).nonzero()[0]
    onsets = np.concatenate((bar_onsets, onsets.take(later))) << ONSET_BITS
    chords = np.concatenate((sounding[first_bar:], later))
    over = basses.take(chords)
    has_bass = over > 0
    told = onsets + roots.take(chords) + (1 << SLOT_BITS)
    return told, onsets.compress(has_bass) + over.compress(has_bass) + (2 << SLOT_BITS)


def bar_headers(
    vocabulary: Vocabulary, score: Score, starts: Sequence[int], metres: Sequence[Metre]
) -> tuple[tuple[int, ...], ...]:
    """The header that would stand before each bar."""
    style, mode = vocabulary.style(score.style), vocabulary.starts["mode"] + (score.key.mode == "minor")
    programs = tuple(vocabulary.starts["program"] + score.programs[part] for part in PARTS)
    changes = [*(tempo.start_ticks for tempo in score.tempi), *(metre.start_ticks for metre in score.metres)]
    marks = sorted({0, *(bisect.bisect_left(starts, change) for change in changes)})
    headers: list[tuple[int, ...]] = []
    for bar, limit in zip(marks, [*marks[1:], len(starts)], strict=True):
        if bar < limit:
            tempo = [tempo for tempo in score.tempi if tempo.start_ticks <= starts[bar]][-1]
            metre = vocabulary.metre((metres[bar].numerator, metres[bar].denominator))
            headers += [(style, metre, vocabulary.tempo(tempo.bpm), mode, *programs)] * (limit - bar)
    return tuple(headers)


def placed_frames(
    vocabulary: Vocabulary,
    score: Score,
    grid: Score,
    starts: Sequence[int],
    metres: Sequence[Metre],
    headers: Sequence[tuple[int, ...]],
) -> Iterator[Ints]:
    """The tokens before the first position of each bar."""
    left = np.minimum(_bars_left(grid, starts), MAX_BARS_LEFT)
    yield (np.arange(len(starts)) << BAR_BITS) + left + (vocabulary.bar(1) - 1)
    told = [  # bar, slot, id
        (bisect.bisect_left(starts, section.start_ticks), 1, vocabulary.section(section.kind))
        for section in grid.sections
    ]
    for bar in range(1, len(starts)):
        if headers[bar] is not headers[bar - 1]:
            pairs = zip(headers[bar], headers[bar - 1], strict=True)
            told += [(bar, 2 + slot, token) for slot, (token, old) in enumerate(pairs) if token != old]
    last = 2 + len(headers[0])
    told += [(bar, last, vocabulary.line(size)) for bar, size in _line_starts(score, starts, metres).items()]
    yield np.array([(bar << BAR_BITS) + (slot << SLOT_BITS) + token for bar, slot, token in told], dtype=np.int64)
