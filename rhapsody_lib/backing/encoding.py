"""The pieces of an encoded song: what each bar opens with, its chords, its notes, each at its place.

A place is a number by which tokens are sorted: bar, grid step + 1 (0 is the bar's frame), slot within the onset.
"""

from __future__ import annotations

import bisect
from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np

from rhapsody_lib.backing.quantise import velocity_bin
from rhapsody_lib.backing.vocabulary import DURATIONS, KEY_SHIFTS, MAX_BARS_LEFT, STEP_TICKS, Vocabulary, usual_level
from rhapsody_lib.music.chords import Key
from rhapsody_lib.music.note_tables import DRUMS, Ints, ScoreTables, firsts
from rhapsody_lib.music.score import PARTS, Metre, Score

_DURATION_INDEX = np.zeros(DURATIONS[-1] + 1, dtype=np.int64)
_DURATION_INDEX[list(DURATIONS)] = np.arange(len(DURATIONS))
_USUAL_LEVELS = np.array([[usual_level(part, pitch) for pitch in range(128)] for part in PARTS])
#: Slot of the lowest note of an onset; its position has slot 0, its chord 1 and 2.
_FIRST_NOTE = 4


def model_shift(key: Key) -> int:
    """Semitones from a song's key to C major or A minor, within half an octave."""
    shift = ((0 if key.mode == "major" else 9) - key.tonic) % 12
    return shift - 12 if shift > KEY_SHIFTS[1] else shift


def _line_starts(score: Score, starts: Sequence[int], metres: Sequence[Metre]) -> dict[int, int]:
    """Syllables of the lines that begin in each bar; a line that begins late in a bar belongs to the next."""
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


def _bars_left(score: Score, starts: Sequence[int]) -> list[int]:
    """Bars to the end of the section, of the song before and after all sections, at each bar."""
    limits = sorted({bisect.bisect_left(starts, section.start_ticks) for section in score.sections} | {len(starts)})
    return [limit - bar for begin, limit in zip([0, *limits], limits, strict=False) for bar in range(begin, limit)]


def note_tokens(vocabulary: Vocabulary, tables: ScoreTables, starts: Ints) -> tuple[Ints, Ints]:
    """Places and ids of notes, velocities and durations."""
    start, pitch, duration, velocity, part = tables.notes
    is_drums = part == DRUMS
    lowest = np.array([vocabulary.note(name, 0) + _shift(tables.frame, name) for name in PARTS])
    token = lowest[part] + pitch
    bar = np.searchsorted(starts, start, side="right") - 1
    slot = _FIRST_NOTE + 4 * (token - vocabulary.note_span[0])
    place = (bar << 20) + (((start - starts[bar]) // STEP_TICKS + 1) << 13) + slot
    voice = np.where(is_drums, token, part)
    order = np.argsort((voice << 40) + place, kind="stable")
    place, token, level = place[order], token[order], velocity_bin(velocity[order])
    steps = np.where(is_drums, 0, duration // STEP_TICKS)[order]
    opens = firsts((voice[order] << 20) + bar[order])
    changed = level != np.where(opens, _USUAL_LEVELS[part[order], pitch[order]], np.roll(level, 1))
    timed = (steps > 0) & (opens | (steps != np.roll(steps, 1)))
    velocities = vocabulary.starts["velocity"] + level[changed]
    durations = vocabulary.starts["duration"] + _DURATION_INDEX[steps[timed]]
    return (
        np.concatenate([place, place[changed] + 1, place[timed] + 2]),
        np.concatenate([token, velocities, durations]),
    )


def _shift(score: Score, part: str) -> int:
    return 0 if part == "drums" else model_shift(score.key)


def chord_tokens(vocabulary: Vocabulary, score: Score, starts: Ints) -> tuple[list[int], list[int]]:
    """Places and ids of chords: where they change, and of what sounds at each bar's start."""
    shift = model_shift(score.key)
    known = {symbol: vocabulary.chord(symbol.transposed(shift)) for symbol in {chord.symbol for chord in score.chords}}
    ids = [known[chord.symbol] for chord in score.chords]
    changes = np.array([chord.start_ticks for chord in score.chords], dtype=np.int64)
    bars = np.searchsorted(starts, changes, side="right") - 1
    at = dict(zip(((bars << 20) + ((changes - starts[bars]) // STEP_TICKS + 1 << 13)).tolist(), ids, strict=True))
    running = np.searchsorted(changes, starts, side="right") - 1
    at |= {(bar << 20) + (1 << 13): ids[chord] for bar, chord in enumerate(running.tolist()) if chord >= 0}
    places = [place + slot for place, tokens in at.items() for slot in range(1, 1 + len(tokens))]
    return places, [token for tokens in at.values() for token in tokens]


def bar_headers(
    vocabulary: Vocabulary, score: Score, starts: Sequence[int], metres: Sequence[Metre]
) -> tuple[tuple[int, ...], ...]:
    """The header that would stand before each bar."""
    style, mode = vocabulary.style(score.style), vocabulary.starts["mode"] + (score.key.mode == "minor")
    programs = tuple(vocabulary.starts["program"] + score.programs[part] for part in PARTS)
    changes = (np.searchsorted([tempo.start_ticks for tempo in score.tempi], starts, side="right") - 1).tolist()
    known = {metre: vocabulary.metre((metre.numerator, metre.denominator)) for metre in score.metres}
    tempi = [vocabulary.tempo(tempo.bpm) for tempo in score.tempi]
    headers: list[tuple[int, ...]] = []
    for bar, (metre, change) in enumerate(zip(metres, changes, strict=True)):
        if bar and metre is metres[bar - 1] and change == changes[bar - 1]:
            headers.append(headers[-1])
        else:
            headers.append((style, known[metre], tempi[change], mode, *programs))
    return tuple(headers)


def bar_frames(
    vocabulary: Vocabulary,
    score: Score,
    grid: Score,
    starts: Sequence[int],
    metres: Sequence[Metre],
    headers: Sequence[tuple[int, ...]],
) -> Iterator[list[int]]:
    """The tokens before the first position of each bar."""
    lines, left = _line_starts(score, starts, metres), _bars_left(grid, starts)
    kinds = {section.start_ticks: section.kind for section in grid.sections}
    first, most = vocabulary.bar(1) - 1, MAX_BARS_LEFT
    for bar, start in enumerate(starts):
        ids = [first + min(left[bar], most)]
        ids += [vocabulary.section(kinds[start])] if start in kinds else []
        if bar and headers[bar] is not headers[bar - 1]:
            ids += [token for token, old in zip(headers[bar], headers[bar - 1], strict=True) if token != old]
        ids += [vocabulary.line(lines[bar])] if bar in lines else []
        yield ids
